"""The queue in memory: the same promises as PostgreSQL's, for tests of what stands above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from gardenos.core.clock import Clock
from gardenos.core.ids import AgencyId, TaskId
from gardenos.orchestrator import recurring, settlement
from gardenos.orchestrator.lanes import Begun, Outlook, Seen
from gardenos.orchestrator.limits import MINUTE_S, Limit, Pair, Rules, Scope, Tokens
from gardenos.orchestrator.queue import COUNTED, Queue, Rescue
from gardenos.orchestrator.recurring import Fired, Schedule
from gardenos.orchestrator.schedule import Allotment, Lane
from gardenos.orchestrator.settlement import Settlement
from gardenos.orchestrator.task import AgentTask, NewTask, TaskState


async def lease_next(
    queue: Queue, agent_type: str, *, limit: int, holder: str, epoch: int, lease_s: float
) -> list[AgentTask]:
    """Lease as a dispatcher would that has just looked at the queue."""
    outlook = Outlook()
    outlook.see(await queue.lanes([agent_type]), 0)
    outlook.learn(await queue.rules(holder))
    leased: list[AgentTask] = []
    while allotments := outlook.plan(agent_type, limit - len(leased), 0):
        tasks = await queue.lease(
            agent_type, allotments, holder=holder, epoch=epoch, lease_s=lease_s
        )
        outlook.leased(agent_type, allotments, tasks, 0)
        leased += tasks
    return leased


@dataclass(slots=True)
class _Row:
    task: AgentTask
    state: TaskState
    run_at: datetime
    lease_until: datetime | None = None
    leased_by: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancelling: bool = False


class InMemoryQueue:
    """A `Queue` whose tasks live as long as the object."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._rows: dict[TaskId, _Row] = {}
        self._keys: dict[tuple[AgencyId, str], TaskId] = {}
        self._numbers = count(1)
        self._epoch = 0
        self._holder: str | None = None
        self._office_until: datetime | None = None
        self._schedules: dict[UUID, Schedule] = {}
        self.limits: dict[Scope, Limit] = {}
        self.paused: set[Scope] = set()
        self.tokens: dict[Pair, Tokens] = {}

    # -- what members do -------------------------------------------------------------------

    def enqueue(self, agency_id: AgencyId, task: NewTask) -> TaskId:
        """Put a task in. A key seen before gives back the task it made."""
        key = (agency_id, task.idempotency_key) if task.idempotency_key else None
        if key in self._keys:
            return self._keys[key]
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
        now = self.clock.now()
        run_at = max(task.run_at or now, now)
        self._rows[task_id] = _Row(leased, TaskState.QUEUED, run_at)
        if key:
            self._keys[key] = task_id
        return task_id

    def cancel(self, task_id: TaskId) -> None:
        """End a task that waits; mark one that runs."""
        row = self._rows[task_id]
        if row.state is TaskState.QUEUED:
            self._end(row, TaskState.CANCELLED)
        elif row.state is TaskState.RUNNING:
            row.cancelling = True

    def age(self, task_id: TaskId, by: timedelta) -> None:
        """Have a task waited for longer."""
        self._rows[task_id].run_at -= by

    def recur(self, schedule: Schedule) -> None:
        """Have a schedule enqueue tasks from its `next_run_at` on."""
        self._schedules[schedule.id] = schedule

    def state(self, task_id: TaskId) -> TaskState:
        """Where a task stands."""
        return self._rows[task_id].state

    def tasks(self) -> Mapping[TaskId, TaskState]:
        """Where every task stands."""
        return {task_id: row.state for task_id, row in self._rows.items()}

    def finish(self, task: AgentTask) -> bool:
        """End a run by success; whether its fence still held."""
        row = self._held(task.id, task.fence)
        if row is None:
            return False
        self._end(row, TaskState.SUCCEEDED)
        return True

    # -- what the orchestrator does --------------------------------------------------------

    async def take_office(self, holder: str, *, ttl_s: float) -> int | None:
        """See `Queue`."""
        now = self.clock.now()
        if self._holder not in (None, holder) and self._office_until and self._office_until >= now:
            return None
        self._epoch += self._holder != holder
        self._holder, self._office_until = holder, now + timedelta(seconds=ttl_s)
        return self._epoch

    async def leave_office(self, holder: str) -> None:
        """See `Queue`."""
        if self._holder == holder:
            self._holder = self._office_until = None

    async def lanes(self, agent_types: Collection[str] | None = None) -> Seen:
        """See `Queue`."""
        heads: dict[str, dict[tuple[int, AgencyId], datetime]] = {}
        for row in self._rows.values():
            task = row.task
            if row.state is TaskState.QUEUED and task.agent_type in (
                agent_types or [task.agent_type]
            ):
                lanes = heads.setdefault(task.agent_type, {})
                key = (task.priority, task.agency_id)
                lanes[key] = min(row.run_at, lanes.get(key, row.run_at))
        return Seen(
            self.clock.now(),
            {
                agent_type: [Lane(priority, agency, at) for (priority, agency), at in lanes.items()]
                for agent_type, lanes in heads.items()
            },
        )

    async def rules(self, holder: str) -> Rules:
        """See `Queue`."""
        elsewhere = (
            row
            for row in self._rows.values()
            if row.state is TaskState.RUNNING and row.leased_by != holder
        )
        return Rules(dict(self.limits), frozenset(self.paused), _by_pair(elsewhere), self.tokens)

    async def begun(self) -> list[Begun]:
        """See `Queue`."""
        if not any(limit.requests_per_minute for limit in self.limits.values()):
            return []
        now = self.clock.now()
        ages = [
            ((row.task.agent_type, row.task.agency_id), (now - row.started_at).total_seconds())
            for row in self._rows.values()
            if row.started_at
        ]
        return [Begun(pair, 1, ago_s) for pair, ago_s in ages if ago_s < MINUTE_S]

    async def lease(
        self,
        agent_type: str,
        allotments: Sequence[Allotment],
        *,
        holder: str,
        epoch: int,
        lease_s: float,
    ) -> list[AgentTask]:
        """See `Queue`."""
        if (holder, epoch) != (self._holder, self._epoch):
            return []
        now = self.clock.now()
        leased: list[AgentTask] = []
        for allotment in allotments:
            due = [
                row
                for row in self._rows.values()
                if row.state is TaskState.QUEUED
                and row.task.agent_type == agent_type
                and (row.task.priority, row.task.agency_id)
                == (allotment.priority, allotment.agency_id)
                and allotment.due_from <= row.run_at <= min(allotment.due_before, now)
            ]
            due.sort(key=lambda row: (row.run_at, row.task.id))
            for row in due[: allotment.n]:
                row.task = replace(row.task, fence=row.task.fence + 1, run_at=row.run_at)
                row.state, row.leased_by, row.started_at = TaskState.RUNNING, holder, now
                row.lease_until = now + timedelta(seconds=lease_s)
                leased.append(row.task)
        return leased

    async def heartbeat(self, tasks: Sequence[AgentTask], *, lease_s: float) -> set[TaskId]:
        """See `Queue`."""
        until = self.clock.now() + timedelta(seconds=lease_s)
        held: set[TaskId] = set()
        for task in tasks:
            row = self._held(task.id, task.fence)
            if row is not None:
                row.lease_until = until
                held.add(task.id)
        return held

    async def settle(self, settlements: Sequence[Settlement]) -> set[TaskId]:
        """See `Queue`."""
        return set(self._settle(settlements))

    def _settle(self, settlements: Sequence[Settlement]) -> dict[TaskId, TaskState]:
        written: dict[TaskId, TaskState] = {}
        for settled in settlements:
            row = self._held(settled.id, settled.fence)
            if row is None:
                continue
            row.task = replace(row.task, attempt=settled.attempt)
            if settled.state.is_terminal or row.cancelling:
                ended = settled.state if settled.state.is_terminal else TaskState.CANCELLED
                self._end(row, ended)
            else:
                row.state, row.lease_until, row.leased_by = TaskState.QUEUED, None, None
                wait = timedelta(seconds=settled.delay_s)
                row.run_at = settled.run_at or self.clock.now() + wait
            written[settled.id] = row.state
        return written

    async def rescue(self, *, limit: int) -> Rescue:
        """See `Queue`."""
        now = self.clock.now()
        expired = [
            row
            for row in self._rows.values()
            if row.state is TaskState.RUNNING and row.lease_until and row.lease_until < now
        ][:limit]
        silent = [settlement.crashed(row.task, "Its worker fell silent.") for row in expired]
        states = list(self._settle(silent).values())
        return Rescue(
            requeued=states.count(TaskState.QUEUED),
            dead=states.count(TaskState.DEAD),
            cancelled=states.count(TaskState.CANCELLED),
        )

    async def fire(self, *, limit: int) -> Fired:
        """See `Queue`."""
        now = self.clock.now()
        due = [each for each in self._schedules.values() if each.next_run_at <= now][:limit]
        made: list[TaskId] = []
        stopped: dict[UUID, str] = {}
        for schedule in due:
            firing = recurring.fire(schedule, now)
            before = len(self._rows)
            task_id = self.enqueue(schedule.agency_id, firing.task)
            made += [task_id] if len(self._rows) > before else []
            if firing.next_run_at is None:
                stopped[schedule.id] = firing.why_no_more
                del self._schedules[schedule.id]
            else:
                self._schedules[schedule.id] = replace(schedule, next_run_at=firing.next_run_at)
        return Fired(tuple(made), stopped)

    async def depth(self, *, counted: int | None = COUNTED) -> Mapping[str, Mapping[str, Any]]:
        """See `Queue`."""
        now = self.clock.now()
        found: dict[str, dict[str, Any]] = {}
        for row in self._rows.values():
            if row.state.is_terminal:
                continue
            empty = {"ready": 0, "scheduled": 0, "running": 0, "oldest_ready_s": None}
            known = found.setdefault(row.task.agent_type, empty | {"at_least": False})
            if row.state is TaskState.QUEUED and row.run_at <= now:
                age = (now - row.run_at).total_seconds()
                known["oldest_ready_s"] = max(known["oldest_ready_s"] or 0.0, age)
            if row.state is TaskState.RUNNING:
                known["running"] += 1
            elif counted is None or known["ready"] + known["scheduled"] < counted:
                known["scheduled" if row.run_at > now else "ready"] += 1
                known["at_least"] = known["ready"] + known["scheduled"] == counted
        return found

    async def prune(
        self, *, keep: timedelta, limit: int, keep_deleted: timedelta | None = None
    ) -> int:
        """See `Queue`; it has tasks only."""
        del keep_deleted
        before = self.clock.now() - keep
        ended = [
            (row.finished_at or datetime.max.replace(tzinfo=UTC), task_id)
            for task_id, row in self._rows.items()
            if row.state in (TaskState.SUCCEEDED, TaskState.CANCELLED)
        ]
        old = [task_id for at, task_id in sorted(ended) if at < before][:limit]
        for task_id in old:
            del self._rows[task_id]
        return len(old)

    def _held(self, task_id: TaskId, fence: int) -> _Row | None:
        row = self._rows.get(task_id)
        if row is None or row.state is not TaskState.RUNNING or row.task.fence != fence:
            return None
        return row

    def _end(self, row: _Row, state: TaskState) -> None:
        row.state, row.finished_at = state, self.clock.now()
        row.lease_until = row.leased_by = None


def _by_pair(rows: Iterable[_Row]) -> dict[Pair, int]:
    return dict(Counter((row.task.agent_type, row.task.agency_id) for row in rows))
