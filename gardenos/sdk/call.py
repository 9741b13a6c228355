"""Requests as values: what to ask and how to read the answer, apart from who asks it and how.

A plan is one `Call`, or a generator that does `yield from` several; a driver carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from gardenos.sdk import problems
from gardenos.sdk.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from gardenos.sdk.base import Page

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
M = TypeVar("M", bound=BaseModel)

_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of a plan: let this many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and how its answer is read. `yield from call` in a plan gives the result."""

    method: str
    path: str
    reads: Callable[[httpx.Response], T]
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    json: Any = None
    file: Path | None = None
    """A file that is the body; it is sent in pieces, each time from its beginning."""
    data: Mapping[str, Any] | None = None
    files: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    anonymous: bool = False
    """Whether it is sent without an access token."""
    patience_s: float = 0.0
    """How long the server was asked to hold its answer back; added to every time limit."""

    @property
    def repeatable(self) -> bool:
        """Whether asking twice does no more than asking once."""
        return self.method in _REPEATABLE or "Idempotency-Key" in self.headers

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """The same request with more headers."""
        return replace(self, headers={**self.headers, **headers})

    def __iter__(self) -> Generator[Step, Any, T]:
        response: httpx.Response = yield self
        if not response.is_success:
            raise problems.from_response(response)
        return self.reads(response)


Step: TypeAlias = "Call[Any] | Pause"


class Plan(Protocol[T_co]):
    """Steps that lead to a result: a `Call`, or a generator over several."""

    def __iter__(self) -> Generator[Step, Any, T_co]: ...


@dataclass(frozen=True, slots=True)
class model(Generic[M]):  # noqa: N801 it reads like the function it is
    """Read an answer's JSON as `kind`. Raises `UnexpectedAnswer`."""

    kind: type[M]

    def __call__(self, response: httpx.Response) -> M:
        """What the answer says."""
        try:
            return self.kind.model_validate_json(response.content)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"{response.request.url} answered {response.status_code} with something other "
                f"than a {self.kind.__name__}: {error.errors()[0]['msg']}."
            ) from error


def nothing(_response: httpx.Response) -> None:
    """Read no more than the status."""


def raw(response: httpx.Response) -> bytes:
    """Take an answer as it is."""
    return response.content


def post(
    path: str,
    reads: Callable[[httpx.Response], T],
    *,
    idempotency_key: str | None = None,
    **rest: Any,
) -> Call[T]:
    """A POST that may be repeated, because it carries an Idempotency-Key."""
    key = {"Idempotency-Key": idempotency_key or str(uuid4())}
    return Call("POST", path, reads, headers=key, **rest)


def segment(name: object) -> str:
    """A name as one segment of a path, whatever characters it has."""
    return quote(str(name), safe="")


def given(**values: Any) -> dict[str, Any]:
    """What is not None, as query parameters or JSON members; booleans in HTTP's lower case."""
    return {name: value for name, value in values.items() if value is not None}


def after(call: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
    """The call for the page that follows, or None after the last."""
    if page.next_cursor is None:
        return None
    return replace(call, params={**call.params, "cursor": page.next_cursor})
