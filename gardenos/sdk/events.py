"""Server-sent events, read line by line as the HTML standard has it (section 9.2.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from gardenos.sdk.call import Call
from gardenos.sdk.errors import UnexpectedAnswer

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    data: str
    id: str


@dataclass(slots=True)
class EventReader:
    """Puts lines together to events. `last_id` is where to go on after a break."""

    last_id: str = ""
    _name: str = ""
    _data: list[str] = field(default_factory=list[str])

    def take(self, line: str) -> Event | None:
        """The event that a line ends, if it ends one."""
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self.last_id = value
            case _:  # a comment, or what a later version adds
                pass
        return None

    def _end(self) -> Event | None:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Event(name, "\n".join(data), self.last_id) if data else None


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """A stream to follow to its end: how to ask for it, and how its events are read."""

    call: Call[None]
    reads: Callable[[Event], T]
    last: str | None = None
    """The name of the event after which there are no more; None where it has no end."""
    since: str = ""
    """The id of the event after which it begins."""


@dataclass(frozen=True, slots=True)
class model(Generic[M]):  # noqa: N801 it reads like the function it is
    """Read an event's data as `kind`. Raises `UnexpectedAnswer`."""

    kind: type[M]

    def __call__(self, event: Event) -> M:
        """What the event says."""
        try:
            return self.kind.model_validate_json(event.data)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"An event {event.name!r} holds something other than a {self.kind.__name__}: "
                f"{error.errors()[0]['msg']}."
            ) from error
