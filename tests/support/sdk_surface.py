"""Every method of the SDK, asked once: what it sends, and as what it reads the answer."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
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

NAMED = UUID(int=7)
"""What stands in a path for any id or name."""
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
    """A method, and the first request of its plan with every argument given."""

    name: str
    form: str
    call: Call[Any]

    @property
    def answer(self) -> type[BaseModel] | None:
        """As what the answer is read; None where only its status is."""
        return getattr(self.call.reads, "kind", None)

    @property
    def sent(self) -> frozenset[str]:
        """The members of its JSON body, or of its form."""
        body = self.call.json if self.call.json is not None else self.call.data or {}
        return frozenset(body) | frozenset(self.call.files or {})


def namespaces() -> Iterator[tuple[str, Namespace[Any]]]:
    """The client and its groups of methods, by name."""
    client = AsyncGardenOS("http://garden.test", token="t")  # noqa: S106 nobody's
    yield "", client
    for name, group in vars(client).items():
        if isinstance(group, Namespace):
            yield name, cast("Namespace[Any]", group)


def methods() -> list[Method]:
    """Every method of the client that asks for something."""
    return [
        _asked(f"{group}.{name}".lstrip("."), instance, declared)
        for group, instance in namespaces()
        for name, declared in inspect.getmembers_static(type(instance))
        if isinstance(declared, (Endpoint, Listing, Following))
    ]


def _asked(name: str, instance: Namespace[Any], declared: Any) -> Method:
    [plan] = (value for value in vars(declared).values() if inspect.isfunction(value))
    step = plan(instance, **_arguments(plan, instance))
    form = type(declared).__name__
    if inspect.isgenerator(step):
        form = "Steps"
        # The first step of some opens a file: it is closed with the plan.
        plan_of_steps = step
        step = next(plan_of_steps)
        plan_of_steps.close()
    elif isinstance(declared, Following):
        step = step.call
    assert isinstance(step, Call), f"{name} begins with {step}"
    return Method(name, form, cast("Call[Any]", step))


def _arguments(plan: Any, instance: Namespace[Any]) -> dict[str, Any]:
    hints = get_type_hints(plan, include_extras=True)
    given: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(plan).parameters.items())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            [fields] = get_args(hints[name])
            assert get_origin(hints[name]) is Unpack
            given |= sample(fields)
        elif name == "path":
            given[name] = Path(__file__)
        else:
            given[name] = sample(hints[name])
    return given


def sample(kind: Any) -> Any:
    """A value of a type, never None where there is another one."""
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
        return _of_union(of)
    if origin in (list, Sequence, tuple):
        return [sample(of[0])]
    if origin in (dict, Mapping):
        return {"named": sample(of[1])}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return kind.model_construct(**{name: sample(field.annotation) for name, field in fields})
    raise AssertionError(f"no sample of {kind!r}")


def _of_union(of: tuple[Any, ...]) -> Any:
    # An id rather than the record it names: the plan must take both, and the path is then known.
    for wanted in (UUID, *of):
        if wanted in of and not isinstance(wanted, TypeVar) and wanted is not type(None):
            return sample(wanted)
    raise AssertionError(f"no sample of {of!r}")
