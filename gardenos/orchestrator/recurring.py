"""Tasks that recur: when a schedule is due next, and the task that each due time becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from gardenos.core.errors import InvalidContent
from gardenos.core.ids import AgencyId, TaskId, UserId
from gardenos.orchestrator.task import DEFAULT_PRIORITY, NewTask

CRON_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """A row of `task_schedules` whose time has come."""

    id: UUID
    agency_id: AgencyId
    agent_type: str
    payload: Mapping[str, Any]
    cron: str
    time_zone: str
    next_run_at: datetime
    priority: int = DEFAULT_PRIORITY
    max_retries: int = 3
    created_by: UserId | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """What a due schedule comes to: its task, and its next time or the reason why there is none."""

    schedule: Schedule
    task: NewTask
    next_run_at: datetime | None
    why_no_more: str = ""

    def row(self) -> dict[str, Any]:
        """This firing as a JSON row for `fire_schedules`."""
        due = self.schedule
        return {
            "id": str(due.id),
            "agency_id": str(due.agency_id),
            "agent_type": self.task.agent_type,
            "payload": dict(self.task.payload),
            "priority": self.task.priority,
            "max_retries": self.task.max_retries,
            "idempotency_key": self.task.idempotency_key,
            "created_by": str(due.created_by) if due.created_by else None,
            "next_run_at": self.next_run_at.isoformat() if self.next_run_at else None,
        }


@dataclass(frozen=True, slots=True)
class Fired:
    """What one look at the schedules did."""

    tasks: tuple[TaskId, ...] = ()
    """Enqueued just now."""
    stopped: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    """Schedules that cannot go on, each with the reason; they are switched off."""


def next_run(cron: str, time_zone: str, *, after: datetime) -> datetime:
    """The first time after `after` that the cron line names in the time zone, in UTC.

    As Debian's cron where clocks change: a time that is skipped runs once, when the clock has
    jumped, and one that comes twice runs once; lines that run every hour follow the time that
    passes. Raises `InvalidContent` for a line that cannot be read or never fires, and for a time
    zone that does not exist.
    """
    zone = _zone(time_zone)
    if len(cron.split()) != CRON_FIELDS:
        raise _refused(
            "cron",
            f"The cron line {cron!r} has {len(cron.split())} fields instead of five: "
            "minute, hour, day of month, month and day of week.",
        )
    try:
        times = CronSim(cron, after.astimezone(zone))
        # The hour that comes twice in autumn: what a time in it gives may lie before `after`.
        return next(at for at in (time.astimezone(UTC) for time in times) if at > after)
    except CronSimError as error:
        raise _refused("cron", _unreadable(cron, str(error))) from error
    except (StopIteration, OverflowError) as error:
        raise _refused("cron", f"The cron line {cron!r} never fires.") from error


def fire(schedule: Schedule, now: datetime) -> Firing:
    """What becomes of a schedule that is due. Times it missed meanwhile run once, all together."""
    due = schedule.next_run_at.astimezone(UTC)
    task = NewTask(
        schedule.agent_type,
        schedule.payload,
        priority=schedule.priority,
        max_retries=schedule.max_retries,
        idempotency_key=f"schedule:{schedule.id}:{due.isoformat()}",
    )
    try:
        then = next_run(schedule.cron, schedule.time_zone, after=max(due, now))
    except InvalidContent as error:
        return Firing(schedule, task, None, error.detail)
    return Firing(schedule, task, then)


def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    # A folder of the time zone database, such as "Europe", is an OSError; a path out of it a ValueError.
    except (KeyError, ValueError, OSError) as error:
        raise _refused(
            "time_zone",
            f"There is no time zone {time_zone!r}. Name one such as Europe/Berlin or UTC.",
        ) from error


def _unreadable(cron: str, said: str) -> str:
    """What is wrong with a line, in a sentence. A day that its months do not have is well written."""
    minute, hour, day, _, weekday = cron.split()
    try:
        CronSim(f"{minute} {hour} {day} * {weekday}", datetime.now(UTC))
    except CronSimError:
        pass
    else:
        if said != "Bad month":
            return f"The cron line {cron!r} never fires: no such month has such a day."
    return f"The {said.removeprefix('Bad ')} of the cron line {cron!r} cannot be read."


def _refused(field: str, sentence: str) -> InvalidContent:
    return InvalidContent(sentence, errors=[{"pointer": f"/{field}", "detail": sentence}])
