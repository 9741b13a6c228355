"""The queue as the orchestrator sees it: leases, heartbeats, rescue. One protocol, two keepers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from gardenos.core.ids import TaskId
from gardenos.db.session import Database, Role, Session
from gardenos.orchestrator import settlement
from gardenos.orchestrator.settlement import Settlement
from gardenos.orchestrator.store import QUERIES
from gardenos.orchestrator.task import AgentTask, TaskState

NOTIFY_IDS = 200
"""Ids per notification: 200 UUIDs stay below PostgreSQL's 8000 bytes."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """What a sweep over expired leases did."""

    requeued: int
    dead: int


class Queue(Protocol):
    """Where tasks wait. Every change of a running task names its fence, and counts only with it."""

    async def take_office(self, holder: str, *, ttl_s: float) -> int | None:
        """The epoch in which `holder` may lease, or None while another holds the office."""
        ...

    async def leave_office(self, holder: str) -> None:
        """Make way for a successor at once."""
        ...

    async def lease(
        self, agent_type: str, *, limit: int, holder: str, epoch: int, lease_s: float
    ) -> list[AgentTask]:
        """Up to `limit` due tasks, highest priority first; none once the epoch has passed."""
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

    async def depth(self) -> Mapping[str, Mapping[str, Any]]:
        """Per agent type: ready, scheduled, running, oldest_ready_s (seconds or None)."""
        ...

    async def prune(self, *, keep: timedelta, limit: int) -> int:
        """Delete finished tasks older than `keep`, at most `limit`; how many went."""
        ...


async def hint_finished(session: Session, ids: Sequence[TaskId]) -> None:
    """Notify whoever waits for these tasks, in this transaction."""
    for start in range(0, len(ids), NOTIFY_IDS):
        batch = ",".join(str(task_id) for task_id in ids[start : start + NOTIFY_IDS])
        await session.execute(QUERIES["hint_finished"], batch)


async def settle(session: Session, settlements: Sequence[Settlement]) -> set[TaskId]:
    """Write settlements in the caller's transaction; the ids whose fence still held."""
    if not settlements:
        return set()
    rows = await session.fetch(QUERIES["settle_unfinished"], [s.row() for s in settlements])
    ended = [r["id"] for r in rows if r["awaited"] and TaskState(r["state"]).is_terminal]
    await hint_finished(session, ended)
    return {row["id"] for row in rows}


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

    async def lease(
        self, agent_type: str, *, limit: int, holder: str, epoch: int, lease_s: float
    ) -> list[AgentTask]:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(
                QUERIES["lease_batch"],
                agent_type,
                limit,
                holder,
                timedelta(seconds=lease_s),
                epoch,
            )
        tasks = [AgentTask(**dict(row)) for row in rows]
        return sorted(tasks, key=lambda task: (task.priority, task.id))

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
            await settle(session, settlements)
        dead = sum(s.state is TaskState.DEAD for s in settlements)
        return Rescue(requeued=len(settlements) - dead, dead=dead)

    async def depth(self) -> Mapping[str, Mapping[str, Any]]:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["depth_by_type"])
        return {
            row["agent_type"]: {k: v for k, v in row.items() if k != "agent_type"} for row in rows
        }

    async def heads(self, *, limit: int = 5) -> list[dict[str, Any]]:
        """The due tasks that would run next, up to `limit` per agent type."""
        async with self._database.system(Role.WORKER) as session:
            return [dict(row) for row in await session.fetch(QUERIES["queue_heads"], limit)]

    async def replay(self, ids: Sequence[TaskId]) -> int:
        """Queue dead tasks again with fresh retries; how many were dead."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["replay_dead"], list(ids))
            for agent_type in {row["agent_type"] for row in rows}:
                await session.execute(QUERIES["hint_queued"], agent_type)
        return len(rows)

    async def prune(self, *, keep: timedelta, limit: int) -> int:
        """See `Queue`."""
        async with self._database.system(Role.WORKER) as session:
            tag = await session.execute(QUERIES["prune_tasks"], keep, limit)
            await session.execute(QUERIES["prune_idempotency_keys"], timedelta(days=1))
        return int(tag.rpartition(" ")[2])

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
