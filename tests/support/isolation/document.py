"""What the OpenAPI document says can be asked, and bodies and values that fit what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
_ALTERNATIVES: Final = re.compile(r"\(\?:([^)]*)\)")
_ABSENT: Final = object()


class Ref(str):
    """The id of a record, in a body that refers to it."""

    __slots__ = ()


class Speaker(Protocol):
    """Whose words and records a body is made of."""

    def text(self) -> str:
        """A text of theirs that was not given before."""
        ...

    def reference(self, name: str) -> Ref | None:
        """A record of theirs that a field of this name may hold; None where there is none."""
        ...

    def anything(self) -> Ref:
        """Some record of theirs."""
        ...


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    said: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.said["operationId"])

    def parameters(self, where: str) -> dict[str, Mapping[str, Any]]:
        """Those in `path`, `query` or `header`: their schemas by name."""
        found = self.said.get("parameters", [])
        return {one["name"]: one["schema"] for one in found if one["in"] == where}

    @property
    def brief(self) -> dict[str, str]:
        """What has it answer soon, where it would wait for something to happen."""
        return {"wait_s": SHORT} if "wait_s" in self.parameters("query") else {}

    @property
    def required(self) -> dict[str, Mapping[str, Any]]:
        """The parameters of its query without which it answers nothing."""
        found = self.said.get("parameters", [])
        return {
            one["name"]: one["schema"]
            for one in found
            if one["in"] == "query" and one.get("required")
        }

    @property
    def body(self) -> tuple[str, Mapping[str, Any]] | None:
        """The media type and the schema of its body."""
        for kind, said in self.said.get("requestBody", {}).get("content", {}).items():
            return kind, said["schema"]
        return None

    def collection(self, parameter: str) -> str:
        """Where the records of a path parameter are listed, as in `/v1/deals` for `deal_id`."""
        return self.path.partition(f"/{{{parameter}}}")[0]


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Everything that the document describes."""
    return [
        Operation(method, path, said)
        for path, methods in document["paths"].items()
        for method, said in methods.items()
    ]


def alternatives(schema: Mapping[str, Any]) -> list[str]:
    """The names in the pattern of `sort`, `fields` or `include`."""
    found = _ALTERNATIVES.search(schema.get("pattern", ""))
    return found[1].split("|") if found else []


SHORT: Final = "0.2"
ONE_REFERENCE: Final = frozenset({"create_attachment"})
"""Operations whose body names one record, of any kind."""
MEANT: Final[Mapping[str, Any]] = {
    "agent_type": "lead_analysis",
    "cron": "0 0 1 1 *",
    "time_zone": "Europe/Berlin",
    "role": "agent",
    "entity": "deals",
    "field": "close_reason",
    "grant_type": "password",
    "currency": "EUR",
    "is_default": False,
    "every_agency": False,
    "mapping": None,
    "encoding": None,
    "entities": None,
    "url": "https://1.1.1.1/hook",
    "media_type": "text/plain",
    "sha256": None,
    "options": None,
    "filters": None,
    "sort": None,
    "columns": None,
    "lead": None,
    "run_at": None,
    "all": None,
    "monthly_usd": "1000000",
    "max_running": 1000,
    "requests_per_minute": 100_000,
    "tokens_per_minute": 1_000_000_000,
    "replicas": 1,
}
"""What only its meaning tells, by the name of the field; None: leave it out."""


@dataclass
class Bodies:
    """Makes bodies of what somebody would say."""

    schemas: Mapping[str, Any]
    speaker: Speaker
    wait_s: float
    special: Mapping[str, Callable[[], Any]] = field(default_factory=dict[str, Callable[[], Any]])
    """Whole bodies, for operations whose body has to fit what is stored."""

    def of(self, operation: Operation) -> Any:
        """A body for the operation; None where it takes none."""
        return next(self.each(operation))

    def each(self, operation: Operation) -> Iterator[Any]:
        """Bodies that refer, together, to whatever a body of it can refer to."""
        if operation.name in self.special:
            yield self.special[operation.name]()
        elif operation.body is None:
            yield None
        elif operation.name not in ONE_REFERENCE:
            yield self.value("", operation.body[1])
        else:
            body = self.value("", operation.body[1])
            names = [name for name, value in body.items() if isinstance(value, Ref)]
            for kept in names or [None]:
                others = {name for name in names if name != kept}
                yield {name: value for name, value in body.items() if name not in others}

    def value(self, name: str, schema: Mapping[str, Any]) -> Any:
        """A value of a field. None where there is none to give."""
        found = self._value(name, schema)
        return None if found is _ABSENT else found

    def _value(self, name: str, schema: Mapping[str, Any]) -> Any:
        said = self._resolved(schema)
        if name == "wait_s":
            return self.wait_s
        if name in MEANT:
            return _ABSENT if MEANT[name] is None else MEANT[name]
        if name in ("payload", "input"):
            return {"lead_id": self.speaker.reference("lead_id")}
        if said.get("enum"):
            return said["enum"][0]
        if said.get("format") == "uuid":
            found = self.speaker.reference(name)
            return _ABSENT if found is None else found
        return self._plain(name, said)

    def _plain(self, name: str, said: Mapping[str, Any]) -> Any:
        match said.get("type"):
            case "object":
                return self._object(said)
            case "array":
                one = self._value(name, said["items"])
                return [] if one is _ABSENT else [one]
            case "boolean":
                return False
            case "integer" | "number":
                return int(said.get("minimum", 1)) or 1
            case "string":
                return self._text(said)
            case _:
                return _ABSENT

    def _object(self, said: Mapping[str, Any]) -> Any:
        if "properties" not in said:
            text = self.speaker.text()
            return {text: text}
        found = {name: self._value(name, one) for name, one in said["properties"].items()}
        return {name: value for name, value in found.items() if value is not _ABSENT}

    def _text(self, said: Mapping[str, Any]) -> str:
        known = {"date": "2027-01-31", "date-time": "2027-01-31T10:00:00Z"}
        if said.get("format") in known:
            return known[said["format"]]
        text = self.speaker.text()
        longest = said.get("maxLength", len(text))
        guesses = (text[:longest], f"{text}@example.org", *said.get("examples", []), "1")
        for candidate in (*guesses, self.speaker.anything()):
            if re.search(said.get("pattern", ""), candidate):
                return candidate
        raise AssertionError(f"No text fits {said}: give its field a meaning in MEANT.")

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            return self._resolved(self.schemas[schema["$ref"].rpartition("/")[2]])
        kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
        return self._resolved(kinds[0]) if kinds else schema
