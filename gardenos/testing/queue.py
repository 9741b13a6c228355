"""The queue in memory: the same promises as PostgreSQL's, for tests of what stands above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from gardenos.core.clock import Clock
from gardenos.core.ids import AgencyId, TaskId
from gardenos.orchestrator import settlement
from gardenos.orchestrator.queue import Rescue
from gardenos.orchestrator.settlement import Settlement
from gardenos.orchestrator.task import AgentTask, NewTask, TaskState


@dataclass(slots=True)
class _Row:
    task: AgentTask
    state: TaskState
    run_at: datetime
    lease_until: datetime | None = None
    finished_at: datetime | None = None


class InMemoryQueue:
    """A `Queue` whose tasks live as long as the object."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[TaskId, _Row] = {}
        self._numbers = count(1)
        self._epoch = 0
        self._holder: str | None = None
        self._office_until: datetime | None = None

    def enqueue(self, agency_id: AgencyId, task: NewTask) -> TaskId:
        """Put a task in."""
        task_id = TaskId(UUID(int=next(self._numbers)))
        leased = AgentTask(
            id=task_id,
            priority=task.priority,
            payload=task.payload,
            max_retries=task.max_retries,
            agency_id=agency_id,
            agent_type=task.agent_type,
            awaited=task.awaited,
        )
        now = self._clock.now()
        run_at = max(task.run_at or now, now)
        self._rows[task_id] = _Row(leased, TaskState.QUEUED, run_at)
        return task_id

    def state(self, task_id: TaskId) -> TaskState:
        """Where a task stands."""
        return self._rows[task_id].state

    def finish(self, task: AgentTask) -> bool:
        """End a run by success; whether its fence still held."""
        row = self._held(task.id, task.fence)
        if row is None:
            return False
        self._end(row, TaskState.SUCCEEDED)
        return True

    async def take_office(self, holder: str, *, ttl_s: float) -> int | None:
        """See `Queue`."""
        now = self._clock.now()
        if self._holder not in (None, holder) and self._office_until and self._office_until >= now:
            return None
        self._epoch += self._holder != holder
        self._holder, self._office_until = holder, now + timedelta(seconds=ttl_s)
        return self._epoch

    async def leave_office(self, holder: str) -> None:
        """See `Queue`."""
        if self._holder == holder:
            self._holder = self._office_until = None

    async def lease(
        self, agent_type: str, *, limit: int, holder: str, epoch: int, lease_s: float
    ) -> list[AgentTask]:
        """See `Queue`."""
        if (holder, epoch) != (self._holder, self._epoch):
            return []
        now = self._clock.now()
        due = [
            row
            for row in self._rows.values()
            if row.state is TaskState.QUEUED
            and row.task.agent_type == agent_type
            and row.run_at <= now
        ]
        due.sort(key=lambda row: (row.task.priority, row.run_at, row.task.id))
        for row in due[:limit]:
            row.task = replace(row.task, fence=row.task.fence + 1)
            row.state = TaskState.RUNNING
            row.lease_until = now + timedelta(seconds=lease_s)
        return [row.task for row in due[:limit]]

    async def heartbeat(self, tasks: Sequence[AgentTask], *, lease_s: float) -> set[TaskId]:
        """See `Queue`."""
        until = self._clock.now() + timedelta(seconds=lease_s)
        held: set[TaskId] = set()
        for task in tasks:
            row = self._held(task.id, task.fence)
            if row is not None:
                row.lease_until = until
                held.add(task.id)
        return held

    async def settle(self, settlements: Sequence[Settlement]) -> set[TaskId]:
        """See `Queue`."""
        written: set[TaskId] = set()
        for settled in settlements:
            row = self._held(settled.id, settled.fence)
            if row is None:
                continue
            written.add(settled.id)
            row.task = replace(row.task, attempt=settled.attempt)
            if settled.state.is_terminal:
                self._end(row, settled.state)
                continue
            row.state, row.lease_until = TaskState.QUEUED, None
            wait = timedelta(seconds=settled.delay_s)
            row.run_at = settled.run_at or self._clock.now() + wait
        return written

    async def rescue(self, *, limit: int) -> Rescue:
        """See `Queue`."""
        now = self._clock.now()
        expired = [
            row
            for row in self._rows.values()
            if row.state is TaskState.RUNNING and row.lease_until and row.lease_until < now
        ][:limit]
        settlements = [settlement.crashed(row.task, "Its worker fell silent.") for row in expired]
        await self.settle(settlements)
        dead = sum(settled.state is TaskState.DEAD for settled in settlements)
        return Rescue(requeued=len(settlements) - dead, dead=dead)

    async def depth(self) -> Mapping[str, Mapping[str, Any]]:
        """See `Queue`."""
        now = self._clock.now()
        found: dict[str, dict[str, Any]] = {}
        for row in self._rows.values():
            if row.state.is_terminal:
                continue
            empty = {"ready": 0, "scheduled": 0, "running": 0, "oldest_ready_s": None}
            counted = found.setdefault(row.task.agent_type, empty)
            if row.state is TaskState.RUNNING:
                counted["running"] += 1
            elif row.run_at > now:
                counted["scheduled"] += 1
            else:
                counted["ready"] += 1
                age = (now - row.run_at).total_seconds()
                counted["oldest_ready_s"] = max(counted["oldest_ready_s"] or 0.0, age)
        return found

    async def prune(self, *, keep: timedelta, limit: int) -> int:
        """See `Queue`."""
        before = self._clock.now() - keep
        old = [
            task_id
            for task_id, row in self._rows.items()
            if row.state in (TaskState.SUCCEEDED, TaskState.CANCELLED)
            and row.finished_at
            and row.finished_at < before
        ][:limit]
        for task_id in old:
            del self._rows[task_id]
        return len(old)

    def _held(self, task_id: TaskId, fence: int) -> _Row | None:
        row = self._rows.get(task_id)
        if row is None or row.state is not TaskState.RUNNING or row.task.fence != fence:
            return None
        return row

    def _end(self, row: _Row, state: TaskState) -> None:
        row.state, row.lease_until, row.finished_at = state, None, self._clock.now()
