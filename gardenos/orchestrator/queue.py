"""The queue as the orchestrator sees it: leases, heartbeats, rescue. One protocol, two keepers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from gardenos.core.ids import TaskId
from gardenos.db.session import Database, Role, Session
from gardenos.orchestrator import recurring, settlement
from gardenos.orchestrator.lanes import Begun, Seen
from gardenos.orchestrator.limits import Limit, Rules, Tokens
from gardenos.orchestrator.recurring import Fired, Schedule
from gardenos.orchestrator.schedule import Allotment, Lane
from gardenos.orchestrator.settlement import Settlement
from gardenos.orchestrator.store import QUERIES
from gardenos.orchestrator.task import AgentTask, TaskState

NOTIFY_IDS = 200
"""Ids per notification: 200 UUIDs stay below PostgreSQL's 8000 bytes."""
LANES_PER_TYPE = 5000
"""More are not looked at, those of the lowest priority first, until the others have emptied."""
COUNTED = 10_000
"""Tasks of a type that are counted every second; where there are more, that many is a lower bound."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """What a sweep over expired leases did."""

    requeued: int
    dead: int
    cancelled: int = 0
    """Those that somebody had asked to cancel."""

    def __bool__(self) -> bool:
        return bool(self.requeued or self.dead or self.cancelled)


class Queue(Protocol):
    """Where tasks wait. Every change of a running task names its fence, and counts only with it."""

    async def take_office(self, holder: str, *, ttl_s: float) -> int | None:
        """The epoch in which `holder` may lease, or None while another holds the office."""
        ...

    async def leave_office(self, holder: str) -> None:
        """Make way for a successor at once."""
        ...

    async def lanes(self, agent_types: Collection[str] | None = None) -> Seen:
        """The heads of lanes, of these types or of all: what can be planned on, without the backlog."""
        ...

    async def rules(self, holder: str) -> Rules:
        """Limits, pauses, and what counts against them that is not `holder`'s own."""
        ...

    async def begun(self) -> list[Begun]:
        """The runs of the last minute, under whatever holder; none where nobody limits them."""
        ...

    async def lease(
        self,
        agent_type: str,
        allotments: Sequence[Allotment],
        *,
        holder: str,
        epoch: int,
        lease_s: float,
    ) -> list[AgentTask]:
        """What lanes were allotted, as far as they have it, in that order; none in a past epoch."""
        ...

    async def fire(self, *, limit: int) -> Fired:
        """Enqueue a task for each of up to `limit` schedules that are due, and move them on."""
        ...

    async def heartbeat(self, tasks: Sequence[AgentTask], *, lease_s: float) -> set[TaskId]:
        """Extend leases; the ids that are still held."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> set[TaskId]:
        """End runs otherwise than by success; the ids whose fence still held."""
        ...

    async def rescue(self, *, limit: int) -> Rescue:
        """Queue tasks again whose lease ran out, as failures; those out of retries die."""
        ...

    async def depth(self, *, counted: int | None = COUNTED) -> Mapping[str, Mapping[str, Any]]:
        """Per agent type: ready, scheduled, running, oldest_ready_s (seconds or None), at_least.

        Up to `counted` waiting tasks of a type are counted, or all; with `at_least` there are more.
        """
        ...

    async def prune(
        self, *, keep: timedelta, limit: int, keep_deleted: timedelta | None = None
    ) -> int:
        """Delete tasks that succeeded or were cancelled before `keep`, at most `limit`; how many.

        With them goes, by some at a time, what was marked deleted before `keep_deleted`.
        """
        ...


async def hint_finished(session: Session, ids: Sequence[TaskId]) -> None:
    """Notify whoever waits for these tasks, in this transaction."""
    for start in range(0, len(ids), NOTIFY_IDS):
        batch = ",".join(str(task_id) for task_id in ids[start : start + NOTIFY_IDS])
        await session.execute(QUERIES["hint_finished"], batch)


async def settle(session: Session, settlements: Sequence[Settlement]) -> set[TaskId]:
    """Write settlements in the caller's transaction; the ids whose fence still held."""
    return set(await _settle(session, settlements))


async def _settle(session: Session, settlements: Sequence[Settlement]) -> dict[TaskId, TaskState]:
    """As `settle`, with the states the tasks came to: one marked for cancelling is not queued again."""
    if not settlements:
        return {}
    rows = await session.fetch(QUERIES["settle_unfinished"], [s.row() for s in settlements])
    states = {row["id"]: TaskState(row["state"]) for row in rows}
    await hint_finished(
        session, [r["id"] for r in rows if r["awaited"] and states[r["id"]].is_terminal]
    )
    return states


def _by_allotment(tasks: Sequence[AgentTask], allotments: Sequence[Allotment]) -> list[AgentTask]:
    """The tasks in the order in which lanes were allotted their turns."""
    places = {(a.priority, a.agency_id): place for place, a in enumerate(allotments)}
    return sorted(tasks, key=lambda t: (places[t.priority, t.agency_id], t.run_at, t.id))


class PostgresQueue:
    """The queue in table `agent_tasks`, seen across agencies as role `gardenos_worker`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_office(self, holder: str, *, ttl_s: float) -> int | None:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            return await session.fetchval(QUERIES["take_office"], holder, timedelta(seconds=ttl_s))

    async def leave_office(self, holder: str) -> None:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            await session.execute(QUERIES["leave_office"], holder)

    async def lanes(self, agent_types: Collection[str] | None = None) -> Seen:
        """See `Queue`."""
        only = None if agent_types is None else list(agent_types)
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["find_lanes"], only, LANES_PER_TYPE)
        found: defaultdict[str, list[Lane]] = defaultdict(list)
        for row in rows:
            if row["agent_type"] is not None:
                lane = Lane(row["priority"], row["agency_id"], row["run_at"])
                found[row["agent_type"]].append(lane)
        return Seen(rows[0]["at"], found)

    async def rules(self, holder: str) -> Rules:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            limits = await session.fetch(QUERIES["list_limits"])
            pauses = await session.fetch(QUERIES["list_pauses"])
            elsewhere = await session.fetch(QUERIES["count_elsewhere"], holder)
            tokens = await session.fetch(QUERIES["count_tokens"])
        return Rules(
            limits={
                (row["agent_type"], row["agency_id"]): Limit(
                    row["weight"],
                    row["max_running"],
                    row["requests_per_minute"],
                    row["tokens_per_minute"],
                )
                for row in limits
            },
            paused=frozenset((row["agent_type"], row["agency_id"]) for row in pauses),
            elsewhere={(row["agent_type"], row["agency_id"]): row["runs"] for row in elsewhere},
            tokens={
                (row["agent_type"], row["agency_id"]): Tokens(row["used"], row["runs"])
                for row in tokens
            },
        )

    async def begun(self) -> list[Begun]:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["count_begun"])
        return [
            Begun((row["agent_type"], row["agency_id"]), row["runs"], row["ago_s"]) for row in rows
        ]

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
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(
                QUERIES["lease_lanes"],
                agent_type,
                holder,
                timedelta(seconds=lease_s),
                epoch,
                [allotment.priority for allotment in allotments],
                [allotment.agency_id for allotment in allotments],
                [allotment.n for allotment in allotments],
                [allotment.due_from for allotment in allotments],
                [allotment.due_before for allotment in allotments],
            )
        return _by_allotment([AgentTask(**dict(row)) for row in rows], allotments)

    async def heartbeat(self, tasks: Sequence[AgentTask], *, lease_s: float) -> set[TaskId]:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(
                QUERIES["heartbeat"],
                [task.id for task in tasks],
                [task.fence for task in tasks],
                timedelta(seconds=lease_s),
            )
        return {row["id"] for row in rows}

    async def settle(self, settlements: Sequence[Settlement]) -> set[TaskId]:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            return await settle(session, settlements)

    async def rescue(self, *, limit: int) -> Rescue:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["find_expired"], limit)
            settlements = [
                settlement.failed(
                    row["id"],
                    row["fence"],
                    attempt=row["attempt"],
                    max_retries=row["max_retries"],
                    error={"code": "lease-expired", "detail": "Its worker fell silent."},
                )
                for row in rows
            ]
            states = list((await _settle(session, settlements)).values())
        return Rescue(
            requeued=states.count(TaskState.QUEUED),
            dead=states.count(TaskState.DEAD),
            cancelled=states.count(TaskState.CANCELLED),
        )

    async def fire(self, *, limit: int) -> Fired:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["find_due_schedules"], limit)
            if not rows:
                return Fired()
            firings = [
                recurring.fire(Schedule(**{k: v for k, v in row.items() if k != "at"}), row["at"])
                for row in rows
            ]
            made = await session.fetch(QUERIES["fire_schedules"], [f.row() for f in firings])
            stopped = {f.schedule.id: f.why_no_more for f in firings if f.next_run_at is None}
            if stopped:
                await session.execute(QUERIES["stop_schedules"], list(stopped))
        return Fired(tuple(row["id"] for row in made), stopped)

    async def depth(self, *, counted: int | None = COUNTED) -> Mapping[str, Mapping[str, Any]]:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["depth_by_type"], counted)
        return {
            row["agent_type"]: {k: v for k, v in row.items() if k != "agent_type"} for row in rows
        }

    async def heads(self, *, limit: int = 5) -> list[dict[str, Any]]:
        """The due heads of lanes, the most urgent first, up to `limit` per agent type."""
        async with self._database.system(Role.WORKER) as session:
            return [dict(row) for row in await session.fetch(QUERIES["queue_heads"], limit)]

    async def prune(
        self, *, keep: timedelta, limit: int, keep_deleted: timedelta | None = None
    ) -> int:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            tag = await session.execute(QUERIES["prune_tasks"], keep, limit)
            gone = int(tag.rpartition(" ")[2])
            if gone < limit:
                await session.execute(QUERIES["prune_idempotency_keys"], timedelta(days=1))
        if keep_deleted is not None and gone < limit:
            # A transaction of its own: what cannot be removed there keeps no tasks here.
            async with self._database.system(Role.WORKER) as session:
                await session.fetchval(QUERIES["purge_deleted"], keep_deleted, limit)
        async with self._database.system(Role.WORKER) as session:
            await session.fetchval(QUERIES["purge_jobs"], keep, limit)
            await session.fetchval(QUERIES["sweep_words"], 10 * limit)
            await session.fetchval(QUERIES["fold_counts"])
        return gone

    async def overrides(self) -> dict[str, int]:
        """The pool sizes operators asked for and that have not expired."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["list_overrides"])
        return {row["agent_type"]: row["replicas"] for row in rows}

    async def set_override(
        self, agent_type: str, replicas: int, *, set_by: UUID, ttl_s: float | None
    ) -> dict[str, Any]:
        """Ask for a pool size, until `ttl_s` seconds have passed or for good."""
        ttl = None if ttl_s is None else timedelta(seconds=ttl_s)
        async with self._database.system(Role.WORKER) as session:
            row = await session.fetchrow(QUERIES["set_override"], agent_type, replicas, set_by, ttl)
        return dict(row) if row else {}
