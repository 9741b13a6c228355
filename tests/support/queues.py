"""The two queues at a bench: how to put tasks in, look at them, and set rules, alike for both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from gardenos.core.clock import SystemClock
from gardenos.orchestrator import store
from gardenos.orchestrator.executor import Executor
from gardenos.orchestrator.limits import Limit, Scope, Tokens
from gardenos.orchestrator.queue import PostgresQueue, Queue
from gardenos.orchestrator.recurring import Schedule
from gardenos.orchestrator.task import AgentTask, Attempt, Done, NewTask, TaskState
from gardenos.testing.queue import InMemoryQueue, lease_next

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection


class Bench(Protocol):
    """A queue, and how to put tasks in and look at them. `by` is who does it."""

    queue: Queue

    async def enqueue(self, task: NewTask, *, by: Claims | None = None) -> TaskId: ...
    async def finish(self, task: AgentTask) -> bool: ...
    async def state(self, task_id: TaskId) -> TaskState: ...
    async def cancel(self, task_id: TaskId) -> None: ...
    async def age(self, task_id: TaskId, by: timedelta) -> None: ...
    async def limit(self, scope: Scope, limit: Limit) -> None: ...
    async def pause(self, scope: Scope) -> None: ...
    async def use_tokens(self, task: AgentTask, tokens: int) -> None: ...
    async def recur(self, schedule: Schedule) -> None: ...


class Quiet:
    agent_type: ClassVar[str] = "echo"

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        return {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        return Attempt(task, Done({}))

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None: ...
    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None: ...


class PostgresBench:
    def __init__(self, db: Database, claims: Claims, admin: AdminConnection) -> None:
        self.queue: Queue = PostgresQueue(db)
        self._db, self._claims, self._admin = db, claims, admin

    async def enqueue(self, task: NewTask, *, by: Claims | None = None) -> TaskId:
        async with self._db.session(by or self._claims) as session:
            (view,) = await store.enqueue(session, [task])
        return view.id

    async def finish(self, task: AgentTask) -> bool:
        return (await Executor(self._db, Quiet()).run_batch([task])).lost == 0

    async def state(self, task_id: TaskId) -> TaskState:
        found = await self._admin.fetchval("SELECT state FROM agent_tasks WHERE id = $1", task_id)
        return TaskState(found)

    async def cancel(self, task_id: TaskId) -> None:
        async with self._db.session(self._claims) as session:
            await session.execute(
                "UPDATE agent_tasks SET cancel_requested_at = now(), cancelled_by = $2"
                " WHERE id = $1 AND state IN ('queued', 'running')",
                task_id,
                self._claims.sub,
            )

    async def age(self, task_id: TaskId, by: timedelta) -> None:
        await self._admin.execute(
            "UPDATE agent_tasks SET run_at = run_at - $2::interval WHERE id = $1", task_id, by
        )

    async def limit(self, scope: Scope, limit: Limit) -> None:
        await self._admin.execute(
            "INSERT INTO dispatch_limits (agent_type, agency_id, weight, max_running,"
            " requests_per_minute, tokens_per_minute) VALUES ($1, $2, $3, $4, $5, $6)",
            *scope,
            limit.weight,
            limit.max_running,
            limit.requests_per_minute,
            limit.tokens_per_minute,
        )

    async def pause(self, scope: Scope) -> None:
        await self._admin.execute(
            "INSERT INTO dispatch_pauses (agent_type, agency_id) VALUES ($1, $2)", *scope
        )

    async def use_tokens(self, task: AgentTask, tokens: int) -> None:
        await self._admin.execute(
            "INSERT INTO llm_calls (agency_id, task_id, agent_type, provider, model, outcome,"
            " input_tokens, latency_ms) VALUES ($1, $2, $3, 'test', 'test', 'ok', $4, 1)",
            task.agency_id,
            task.id,
            task.agent_type,
            tokens,
        )

    async def recur(self, schedule: Schedule) -> None:
        await self._admin.execute(
            "INSERT INTO task_schedules (id, agency_id, name, agent_type, payload, cron, time_zone,"
            " next_run_at, priority, created_by) VALUES ($1, $2, 'it', $3, $4, $5, $6, $7, $8, $9)",
            schedule.id,
            schedule.agency_id,
            schedule.agent_type,
            json.dumps(schedule.payload),
            schedule.cron,
            schedule.time_zone,
            schedule.next_run_at,
            schedule.priority,
            schedule.created_by,
        )


class MemoryBench:
    def __init__(self, claims: Claims) -> None:
        self._memory = InMemoryQueue(SystemClock())
        self.queue: Queue = self._memory
        self._claims = claims

    async def enqueue(self, task: NewTask, *, by: Claims | None = None) -> TaskId:
        return self._memory.enqueue((by or self._claims).agency_id, task)

    async def finish(self, task: AgentTask) -> bool:
        return self._memory.finish(task)

    async def state(self, task_id: TaskId) -> TaskState:
        return self._memory.state(task_id)

    async def cancel(self, task_id: TaskId) -> None:
        self._memory.cancel(task_id)

    async def age(self, task_id: TaskId, by: timedelta) -> None:
        self._memory.age(task_id, by)

    async def limit(self, scope: Scope, limit: Limit) -> None:
        self._memory.limits[scope] = limit

    async def pause(self, scope: Scope) -> None:
        self._memory.paused.add(scope)

    async def use_tokens(self, task: AgentTask, tokens: int) -> None:
        self._memory.tokens[task.agent_type, task.agency_id] = Tokens(tokens, 1)

    async def recur(self, schedule: Schedule) -> None:
        self._memory.recur(schedule)


async def lease(
    bench: Bench, *, limit: int = 10, lease_s: float = 60, holder: str = "one"
) -> list[AgentTask]:
    epoch = await bench.queue.take_office(holder, ttl_s=60)
    assert epoch is not None
    return await lease_next(
        bench.queue, "echo", limit=limit, holder=holder, epoch=epoch, lease_s=lease_s
    )
