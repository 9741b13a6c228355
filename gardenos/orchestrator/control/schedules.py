"""Schedules: what recurs, and when. The orchestrator turns each due time into a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel, ConfigDict

from gardenos.core.errors import Conflict, InvalidContent, NotFound, PreconditionFailed
from gardenos.core.ids import TaskId, UserId
from gardenos.db.session import TenantSession
from gardenos.orchestrator import recurring, store
from gardenos.orchestrator.control.acting import QUERIES
from gardenos.orchestrator.task import NewTask

MOST_OF_AGENCY = 200
_TIMING = ("cron", "time_zone", "enabled")


class Schedule(BaseModel):
    """A task that recurs, as its agency sees it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    agent_type: str
    payload: dict[str, Any]
    priority: int
    max_retries: int
    cron: str
    time_zone: str
    enabled: bool
    next_run_at: datetime
    last_run_at: datetime | None
    last_task_id: TaskId | None
    created_by: UserId | None
    version: int
    created_at: datetime
    updated_at: datetime

    def next_runs(self, count: int) -> Sequence[datetime]:
        """When it fires next, `count` times at most; never, where it is switched off."""
        return list(islice(self._runs(), count)) if self.enabled else []

    def _runs(self) -> Any:
        at = self.next_run_at
        while True:
            yield at
            try:
                at = recurring.next_run(self.cron, self.time_zone, after=at)
            except InvalidContent:
                # A line that names a last time, such as a day of a year that is over, fires no more.
                return


def _schedule(row: asyncpg.Record) -> Schedule:
    return Schedule.model_validate(dict(row))


def _missing(schedule_id: UUID) -> NotFound:
    return NotFound(f"There is no schedule {schedule_id} here.")


def _taken(name: str) -> Conflict:
    return Conflict(
        f"Another schedule is called {name!r}.",
        errors=[{"pointer": "/name", "detail": "is taken"}],
    )


def _check(fields: Mapping[str, Any]) -> None:
    """Raise `InvalidContent` where the tasks it makes would be refused."""
    store.check(
        NewTask(
            fields["agent_type"],
            fields["payload"],
            priority=fields["priority"],
            max_retries=fields["max_retries"],
        )
    )


async def create(session: TenantSession, fields: Mapping[str, Any], *, now: datetime) -> Schedule:
    """Store a schedule that fires from now on.

    Raises `InvalidContent` for a cron line that cannot be read or never fires, `Conflict` where its
    name is taken or the agency has as many as it may.
    """
    claims = session.claims
    claims.require_writer()
    _check(fields)
    first = recurring.next_run(fields["cron"], fields["time_zone"], after=now)
    if await session.fetchval(QUERIES["count_schedules"]) >= MOST_OF_AGENCY:
        raise Conflict(f"Your agency has {MOST_OF_AGENCY} schedules. Delete one it does not need.")
    row = await session.fetchrow(
        QUERIES["create_schedule"], claims.agency_id, dict(fields), first, claims.sub
    )
    if row is None:
        raise _taken(fields["name"])
    return _schedule(row)


async def get(session: TenantSession, schedule_id: UUID) -> Schedule:
    """A schedule. Raises `NotFound`, also for another agency's."""
    row = await session.fetchrow(QUERIES["get_schedule"], schedule_id)
    if row is None:
        raise _missing(schedule_id)
    return _schedule(row)


async def find(session: TenantSession, *, limit: int, before: UUID | None) -> list[Schedule]:
    """The agency's schedules, newest first."""
    return [_schedule(row) for row in await session.fetch(QUERIES["list_schedules"], before, limit)]


async def hold(
    session: TenantSession, schedule_id: UUID, versions: Sequence[int] | None
) -> Schedule:
    """A schedule that stays as it is until the session ends, at one of `versions` (None: any).

    Raises `NotFound`, `PreconditionFailed`.
    """
    session.claims.require_writer()
    row = await session.fetchrow(QUERIES["hold_schedule"], schedule_id)
    if row is None:
        raise _missing(schedule_id)
    held = _schedule(row)
    if versions is not None and held.version not in versions:
        raise PreconditionFailed
    return held


async def change(
    session: TenantSession, held: Schedule, fields: Mapping[str, Any], *, now: datetime
) -> Schedule:
    """Change a schedule that is held; a new time, or being switched on, counts from now.

    Raises `InvalidContent`, `Conflict` where the new name is taken.
    """
    _check(fields)
    before = held.model_dump()
    following = held.next_run_at
    if any(fields[name] != before[name] for name in _TIMING):
        following = recurring.next_run(fields["cron"], fields["time_zone"], after=now)
    try:
        row = await session.fetchrow(QUERIES["change_schedule"], held.id, dict(fields), following)
    except asyncpg.UniqueViolationError:
        raise _taken(fields["name"]) from None
    if row is None:
        raise _missing(held.id)
    return _schedule(row)


async def delete(session: TenantSession, schedule_id: UUID, versions: Sequence[int] | None) -> None:
    """Delete a schedule; tasks it made stay. Raises `NotFound`, `PreconditionFailed`."""
    session.claims.require_writer()
    versions = None if versions is None else list(versions)
    if await session.fetchval(QUERIES["delete_schedule"], schedule_id, versions) is None:
        await get(session, schedule_id)
        raise PreconditionFailed
