"""Every method of the SDK, asked once: what it sends, and as what it reads the answer."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import (
    Any,
    Literal,
    NewType,
    Required,
    TypeVar,
    Union,
    Unpack,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

from pydantic import BaseModel

from gardenos.sdk import AsyncGardenOS
from gardenos.sdk.bound import Endpoint, Following, Listing, Namespace
from gardenos.sdk.call import Call
from gardenos.sdk.events import Stream

NAMED = UUID(int=7)
"""What stands in a path for any id or name."""
URL = "http://garden.test"
CONTENT = "/v1/attachments/content/named"
"""Where the bytes of a file are, as the server itself keeps them."""
_KNOWN: Mapping[Any, Any] = {
    str: "named",
    int: 1,
    float: 1.0,
    bool: True,
    UUID: NAMED,
    Decimal: Decimal(1),
    datetime: datetime.fromisoformat("2026-01-01T00:00:00Z"),
    date: date(2026, 1, 1),
    Any: {},
}


@dataclass(frozen=True)
class Method:
    """A method, and the first request of its plan with every argument given.

    `described` is the same request where a thing is described rather than named by its id.
    """

    name: str
    form: str
    call: Call[Any]
    described: Call[Any]
    reads: Any

    @property
    def answer(self) -> type[BaseModel] | None:
        """As what the answer is read; None where only its status is."""
        return getattr(self.reads, "kind", None)

    @property
    def sent(self) -> frozenset[str]:
        """The members of its JSON body, or of its form."""
        bodies = (
            body
            for call in (self.call, self.described)
            for body in (call.json, call.data, call.files)
            if body is not None
        )
        return frozenset().union(*bodies)


def namespaces(client: Namespace[Any]) -> Iterator[tuple[str, Namespace[Any]]]:
    """A client and its groups of methods, by name."""
    yield "", client
    for name, group in vars(client).items():
        if isinstance(group, Namespace):
            yield name, cast("Namespace[Any]", group)


def methods() -> list[Method]:
    """Every method of the client that asks for something."""
    return [
        _asked(f"{group}.{name}".lstrip("."), instance, declared)
        for group, instance in namespaces(AsyncGardenOS(URL, token="t"))
        for name, declared in inspect.getmembers_static(type(instance))
        if isinstance(declared, (Endpoint, Listing, Following))
    ]


def _asked(name: str, instance: Namespace[Any], declared: Any) -> Method:
    [plan] = (value for value in vars(declared).values() if inspect.isfunction(value))
    form = "Steps" if inspect.isgeneratorfunction(plan) else type(declared).__name__
    named, described = (
        _planned(plan(instance, **_arguments(plan, wanted))) for wanted in (UUID, Mapping)
    )
    reads = named.reads if isinstance(named, Stream) else _first(named).reads
    return Method(name, form, _first(named), _first(described), reads)


def _first(planned: Stream[Any] | Call[Any]) -> Call[Any]:
    return planned.call if isinstance(planned, Stream) else planned


def _planned(planned: Any) -> Stream[Any] | Call[Any]:
    if isinstance(planned, (Stream, Call)):
        return cast("Stream[Any] | Call[Any]", planned)
    # The first step of some opens a file: it is closed with the plan.
    with closing(planned):
        step = next(planned)
    assert isinstance(step, Call), step
    return cast("Call[Any]", step)


def _arguments(plan: Any, wanted: Any) -> dict[str, Any]:
    hints = _hints(plan)
    given: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(plan).parameters.items())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            [fields] = get_args(hints[name])
            assert get_origin(hints[name]) is Unpack
            given |= sample(fields, wanted)
        elif name == "path":
            given[name] = Path(__file__)
        else:
            given[name] = sample(hints[name], wanted)
    return given


def _hints(plan: Any) -> dict[str, Any]:
    # What it returns names types that only a type checker imports.
    takes = {name: hint for name, hint in plan.__annotations__.items() if name != "return"}
    annotated = types.SimpleNamespace(__annotations__=takes)
    return get_type_hints(annotated, plan.__globals__, include_extras=True)


def sample(  # noqa: C901, PLR0911 one for each shape of a type
    kind: Any, wanted: Any = UUID
) -> Any:
    """A value of a type, never None where there is another one; of a union the wanted kind."""
    origin, of = get_origin(kind), get_args(kind)
    if kind in _KNOWN:
        return _KNOWN[kind]
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {name: sample(hint) for name, hint in hints.items()}
    if isinstance(kind, NewType):
        return sample(kind.__supertype__)
    if origin is Literal:
        return of[0]
    if origin is Required:
        return sample(of[0])
    if origin in (Union, types.UnionType):
        return _of_union(of, wanted)
    if origin in (list, Sequence, tuple):
        return [sample(of[0])]
    if origin in (dict, Mapping):
        return {"named": sample(of[1])}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        values = {name: sample(field.annotation) for name, field in fields}
        if "url" in values:
            values["url"] = CONTENT
        return kind.model_construct(**values)
    raise AssertionError(f"no sample of {kind!r}")


def _of_union(of: tuple[Any, ...], wanted: Any) -> Any:
    possible = [one for one in of if one is not type(None) and not isinstance(one, TypeVar)]
    for kind in (wanted, UUID):
        for one in possible:
            if kind in (one, get_origin(one)):
                return sample(one)
    return sample(possible[0])
