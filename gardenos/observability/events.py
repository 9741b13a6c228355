"""Everything observable, one frozen type each. `observe(event)` tells every subscriber."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TasksLeased:
    """The orchestrator leased a batch."""

    agent_type: str
    tasks: int
    waits: Sequence[tuple[int, float]] = ()
    """Per task its priority, and the seconds since it was due."""


@dataclass(frozen=True, slots=True)
class RunsEnded:
    """Runs ended alike and their ends were written; `outcome` is done, retry, fail, snooze or cancel."""

    agent_type: str
    outcome: str
    state: str
    """The state of their tasks from now on."""
    runs: Sequence[tuple[UUID, float | None]]
    """Per run its task, and the seconds it took where that is known."""


@dataclass(frozen=True, slots=True)
class ZombieDropped:
    """A run ended after its lease had passed to another; its result was dropped."""

    task_id: UUID
    agent_type: str
    fence: int


@dataclass(frozen=True, slots=True)
class BatchGivenBack:
    """A batch could not be delivered or its replica died; its tasks were queued again."""

    agent_type: str
    tasks: int
    reason: str


@dataclass(frozen=True, slots=True)
class TasksRescued:
    """Expired leases were found: tasks queued again or, out of retries, dead."""

    requeued: int
    dead: int


@dataclass(frozen=True, slots=True)
class OfficeChanged:
    """This orchestrator took or lost the right to lease."""

    holder: str
    epoch: int | None


@dataclass(frozen=True, slots=True)
class OverrideSet:
    """Somebody asked for a size of a pool of agents; for good where it does not expire."""

    agent_type: str
    replicas: int
    set_by: UUID
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScheduleStopped:
    """A schedule cannot go on, such as one whose time zone is gone: it was switched off."""

    schedule_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class CycleSaid:
    """What a background loop last did, in a sentence; observed when the sentence changes."""

    loop: str
    sentence: str


@dataclass(frozen=True, slots=True)
class LLMCalled:
    """One call to a language model ended."""

    provider: str
    model: str
    outcome: str
    latency_s: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None = None
    """None where unknown."""


@dataclass(frozen=True, slots=True)
class BudgetRefused:
    """A call to a model was not made: the agency's budget for the month is spent."""

    agent_type: str


@dataclass(frozen=True, slots=True)
class LLMCircuitChanged:
    """An agent asks a model's endpoint again, asks it no more, or tries whether it answers.

    `state` is closed, open or half_open; `rest_s` how long an open one is left alone.
    """

    provider: str
    model: str
    state: str
    rest_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class LeadsImported:
    """An import was committed."""

    import_id: UUID
    rows: int
    imported: int
    rejected: int


@dataclass(frozen=True, slots=True)
class RequestServed:
    """A request was answered; `route` is the path's template, never the path."""

    method: str
    route: str
    status: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in was tried."""

    outcome: str


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """A client began to follow events; `stream` is the path's template."""

    stream: str


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """A client follows no more."""

    stream: str


@dataclass(frozen=True, slots=True)
class SchedulesFired:
    """Due times of schedules became tasks."""

    tasks: int


Event: TypeAlias = (
    TasksLeased
    | RunsEnded
    | ZombieDropped
    | BatchGivenBack
    | TasksRescued
    | OfficeChanged
    | OverrideSet
    | CycleSaid
    | LLMCalled
    | BudgetRefused
    | LLMCircuitChanged
    | LeadsImported
    | RequestServed
    | SignedIn
    | StreamOpened
    | StreamClosed
    | SchedulesFired
    | ScheduleStopped
)
Subscriber: TypeAlias = Callable[[Event], None]

_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Tell `subscriber` of every event from now on; returns how to stop that."""
    _subscribers.append(subscriber)
    return lambda: _subscribers.remove(subscriber)


def observe(event: Event) -> None:
    """Tell every subscriber of an event. One that fails keeps nobody from their work."""
    for subscriber in _subscribers:
        try:
            subscriber(event)
        except Exception:
            # By the standard library, which survives its own failures: it may be the log that fails.
            logging.getLogger(__name__).exception("A subscriber failed at %r", event)
