"""An agency with a record of every kind, made through every route that makes one."""

from __future__ import annotations

import itertools
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZipFile

from gardenos.crm.records.bulk.models import MAX_AT_ONCE
from tests.support.isolation.document import FORM, JSON, SHORT, Bodies, Operation, Ref, alternatives

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims

SHARED: Final[Mapping[str, str]] = {
    "agent_id": "lead_analysis-1",
    "agent_type": "lead_analysis",
}
"""Path parameters that name what belongs to the installation and to no agency."""
_MEMBERS: Final = "/v1/members"
_STAGES: Final = "stage_id"
_SIGN_IN: Final = "/auth/"
_PEOPLE: Final = frozenset(
    {"owner_id", "assignee_id", "user_id", "actor", "created_by", "invited_by", "members"}
)
_ROUNDS: Final = 3
_PATIENCE: Final = 5
_BUSY: Final = 503
_MAKES: Final = frozenset({"201", "202"})
_AT_LAST: Final = "convert_lead"
"""What makes a record of a record."""
_SECRET: Final = "token"
"""A path parameter that is no id: no id will do for it."""
_JOBS: Final = "/v1/jobs"
_BULK: Final = "/bulk"
_BECOMES_A_JOB: Final = "/v1/tags/bulk"
_ZIP: Final = "application/zip"


@dataclass(frozen=True)
class Sent:
    """A request."""

    operation: Operation
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        return f"{self.operation.method.upper()} {self.path} {dict(self.query) or ''}".strip()


async def send(client: httpx.AsyncClient, sent: Sent) -> httpx.Response:
    """Ask it, and again where the database was busy with an agent's work on the same records."""
    for _ in range(_PATIENCE):
        answer = await _send(client, sent)
        if answer.status_code != _BUSY:
            return answer
    return await _send(client, sent)


async def _send(client: httpx.AsyncClient, sent: Sent) -> httpx.Response:
    kind = sent.operation.body[0] if sent.operation.body else None
    more: dict[str, Any] = {}
    if kind == JSON and sent.body is not None:
        more["json"] = sent.body
    if kind not in (JSON, FORM, None):
        more["content"] = b"bytes"
    if kind == FORM:
        text = sent.body["file"] if sent.body else ""
        more["files"] = {"file": ("leads.csv", f"email,city\n{text}@example.org,{text}\n")}
    return await client.request(
        sent.operation.method,
        sent.path,
        params=dict(sent.query),
        headers=dict(sent.headers),
        **more,
    )


def words(answer: httpx.Response) -> str:
    """All that an answer says, also what is packed into it."""
    said = f"{answer.text}\n{answer.headers.get('location', '')}"
    if answer.headers.get("content-type", "").startswith(_ZIP):
        with ZipFile(BytesIO(answer.content)) as archive:
            said += "\n".join(archive.read(one).decode() for one in archive.namelist())
    return said


def _said(record: Mapping[str, Any]) -> int:
    """How many of a record's fields say something."""
    return sum(value is not None for value in record.values())


class Agency:
    """What one agency has, and what it says: every text begins with its `token`."""

    def __init__(
        self,
        claims: Claims,
        mates: Sequence[Claims],
        client: httpx.AsyncClient,
        operations: Sequence[Operation],
        schemas: Mapping[str, Any],
    ) -> None:
        self.claims = claims
        self.client = client
        self.token = f"z{secrets.token_hex(4)}"
        self.ids: defaultdict[str, list[str]] = defaultdict(list)
        """Of records, by where they are listed."""
        self.ids[_MEMBERS] = [str(one.sub) for one in (claims, *mates)]
        self.ids["/v1/memberships"] = [str(claims.agency_id)]
        self.samples: dict[str, dict[str, Any]] = {}
        """A record of each kind, as it was answered."""
        self.cursors: dict[str, str] = {}
        """By the path of the list."""
        self.made: list[Sent] = []
        """The requests that made the records, each with its Idempotency-Key."""
        self.refused: dict[str, str] = {}
        self._operations = operations
        self._count = itertools.count()
        self._stages: list[dict[str, Any]] = []
        special = {
            "put_stages": self._same_stages,
            "win_deal": lambda: self._closing("won"),
            "lose_deal": lambda: self._closing("lost"),
        }
        special |= {
            one.name: partial(self._bulk, one) for one in operations if one.path.endswith(_BULK)
        }
        self._schemas = schemas
        self.bodies = Bodies(schemas, self, 10, special)

    def text(self) -> str:
        return f"{self.token}{next(self._count)}"

    def reference(self, name: str) -> Ref | None:
        found = self._referred(name)
        return Ref(found[0]) if found else None

    def anything(self) -> Ref:
        return Ref(self.claims.sub)

    def _referred(self, name: str) -> list[str]:
        if name in _PEOPLE:
            return self.ids[_MEMBERS]
        if name in ("id", _STAGES):
            return self.ids[_STAGES] if name == _STAGES else []
        if name == "agency_id":
            return [str(self.claims.agency_id)]
        if name == "record_id":
            return self.ids["/v1/leads"]
        for operation in self._operations:
            for parameter in operation.parameters("path"):
                if name.removesuffix("s").endswith(parameter) and parameter not in SHARED:
                    return self._of(operation, parameter)
        return []

    def _of(self, operation: Operation, parameter: str) -> list[str]:
        """What a parameter of its path may be: an id, also of what is listed elsewhere."""
        if parameter in SHARED or parameter == _SECRET:
            return [SHARED.get(parameter, self.anything())]
        listed = operation.collection(parameter)
        return self.ids[listed] or self.ids[f"/v1/{listed.rpartition('/')[2]}"]

    def _same_stages(self) -> dict[str, Any]:
        """The stages of its first pipeline, each renamed."""
        return {
            "items": [
                {"id": Ref(one["id"]), "name": self.text(), "kind": one["kind"]}
                for one in self._stages
            ]
        }

    def _bulk(self, operation: Operation) -> dict[str, Any]:
        """A record to store and one of its own to change; of tags, so many that they become a job."""
        if operation.path == _BECOMES_A_JOB:
            return {
                "operations": [{"op": "delete", "id": str(self.claims.sub)}] * (MAX_AT_ONCE + 1)
            }
        noun = operation.path.removesuffix(_BULK)
        assert operation.body is not None
        possible = str(self._schemas[operation.body[1]["$ref"].rpartition("/")[2]])
        found: list[dict[str, Any]] = []
        if "BulkCreate" in possible:
            [creating] = [
                one for one in self._operations if (one.method, one.path) == ("post", noun)
            ]
            found.append({"op": "create", "record": self.bodies.of(creating)})
        if "BulkUpdate" in possible and self.ids[noun]:
            found.append({"op": "update", "id": self.ids[noun][0], "changes": {}})
        return {"operations": found or [{"op": "delete", "id": str(self.claims.sub)}]}

    def _closing(self, kind: str) -> dict[str, Any]:
        [stage] = [one["id"] for one in self._stages if one["kind"] == kind][:1] or [None]
        return {"reason": self.text()} | ({"stage_id": Ref(stage)} if stage else {})

    def parameters(self, operation: Operation, *, last: bool = False) -> dict[str, str] | None:
        """A record for each path parameter; None where it has none for one of them."""
        found: dict[str, str] = {}
        for name in operation.parameters("path"):
            ids = self._of(operation, name)
            if not ids:
                return None
            found[name] = ids[-1 if last else 0]
        return found

    def values(self, operation: Operation, name: str, schema: Mapping[str, Any]) -> Iterator[str]:
        """What of its own can be asked for by a parameter of the operation's query."""
        base = name.partition(".")[0]
        if name == "cursor":
            yield from filter(None, [self.cursors.get(operation.path)])
        elif name in ("sort", "fields", "include"):
            names = alternatives(schema)
            yield from names if name == "sort" else [",".join(names)]
        elif name == "wait_s":
            yield SHORT
        elif name == "q":
            yield self.token
        elif schema.get("type") == "boolean":
            yield from ("true", "false")
        else:
            people = self.samples.get("/v1/leads", {})
            known = (self.samples.get(operation.path, {}), people, *self.samples.values())
            found = [one[base] for one in known if one.get(base) is not None]
            if base not in known[0]:
                found.sort(key=lambda one: self.token not in str(one))
            value = found[0] if found else self.bodies.value(base, schema)
            yield from [] if value is None else [str(value)]

    async def fill(self) -> None:
        """Make records through every route that makes them, until there is nothing to add."""
        creating = [
            one
            for one in self._operations
            if one.method == "post"
            and "{" not in one.path
            and not one.path.startswith(_SIGN_IN)
            and one.said["responses"].keys() & _MAKES
        ]
        for _ in range(_ROUNDS):
            for operation in creating:
                await self._create(operation)
            await self._look_at_stages()

    async def settle(self) -> None:
        """Set what there is to set, and look at what came of it all."""
        for operation in self._operations:
            sets = operation.method == "put" and not operation.path.startswith(_SIGN_IN)
            fits = self.parameters(operation) is not None
            if fits and (sets or operation.name == _AT_LAST):
                headers = {"If-Match": "*"} if "If-Match" in operation.parameters("header") else {}
                answer = await send(self.client, self.request(operation, headers=headers))
                if not answer.is_success:
                    self.refused[operation.name] = answer.text
        for operation in self._operations:
            if operation.method == "get":
                await self._list(operation)

    def request(self, operation: Operation, **more: Any) -> Sent:
        """A request of the operation as this agency would send it."""
        path = operation.path.format(**(self.parameters(operation) or {}))
        more.setdefault("body", self.bodies.of(operation))
        return Sent(operation, path, **more)

    async def _create(self, operation: Operation) -> None:
        key = {"Idempotency-Key": self.text()}
        keyed = "Idempotency-Key" in operation.parameters("header")
        sent = self.request(operation, headers=key if keyed else {})
        answer = await send(self.client, sent)
        if not answer.is_success:
            self.refused[operation.name] = answer.text
            return
        self.refused.pop(operation.name, None)
        if keyed:
            self.made.append(sent)
        record = answer.json()
        if "id" in record:
            listed = _JOBS if operation.path.endswith(_BULK) else operation.path
            self.ids[listed].append(record["id"])
            self.samples[listed] = record

    async def _look_at_stages(self) -> None:
        if not self.ids["/v1/pipelines"]:
            return
        first = self.ids["/v1/pipelines"][0]
        answer = await self.client.get(f"/v1/pipelines/{first}/stages")
        self._stages = answer.json()["items"]
        self.ids[_STAGES] = [one["id"] for one in self._stages]

    async def _list(self, operation: Operation) -> None:
        """Keep a cursor, and the ids of what is made by no route of its own."""
        parameters = self.parameters(operation)
        if parameters is None:
            return
        path = operation.path.format(**parameters)
        if "limit" in operation.parameters("query"):
            first = await self._read(Sent(operation, path, {"limit": "1"}))
            if first.get("next_cursor"):
                self.cursors[operation.path] = first["next_cursor"]
        page = await self._read(Sent(operation, path, operation.brief))
        items = [one for one in page.get("items", []) if isinstance(one, dict)]
        if not self.ids[operation.path]:
            self.ids[operation.path] += [str(one["id"]) for one in items if "id" in one]
        if items:
            # The one that says most: a filter by nothing finds nothing.
            self.samples[operation.path] = max(items, key=_said)

    async def _read(self, sent: Sent) -> dict[str, Any]:
        answer = await send(self.client, sent)
        if not answer.is_success or answer.headers.get("content-type") != JSON:
            return {}
        found = answer.json()
        return found if isinstance(found, dict) else {}
