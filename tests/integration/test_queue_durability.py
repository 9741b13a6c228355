"""The queue under failure, against real PostgreSQL: nothing lost, no effect twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from gardenos.core.errors import IdempotencyKeyReused, InvalidContent, NotFound
from gardenos.orchestrator import settlement, store
from gardenos.orchestrator.control import tasks as control
from gardenos.orchestrator.executor import Executor
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.task import AgentTask, Attempt, Done, NewTask, Retry, TaskState
from gardenos.testing.queue import lease_next

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection


class Scribe:
    """Stores one lead score per finished task: an effect that can be counted."""

    agent_type: ClassVar[str] = "scribe"

    def __init__(self, poison: frozenset[str] = frozenset()) -> None:
        self._poison = poison

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        return {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        if task.payload.get("fails"):
            return Attempt(task, Retry("not today"))
        score = 1000 if task.payload["name"] in self._poison else 50
        return Attempt(task, Done({"score": score}, effect=score))

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            assert isinstance(attempt.outcome, Done)
            await session.execute(
                "INSERT INTO lead_scores (agency_id, task_id, quality_score,"
                " conversion_probability, provider, model) VALUES ($1, $2, $3, 0.5, 'test', 'test')",
                attempt.task.agency_id,
                attempt.task.id,
                attempt.outcome.effect,
            )

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        return None


def work(name: str, **rest: Any) -> NewTask:
    return NewTask("scribe", {"name": name, **rest.pop("payload", {})}, **rest)


async def lease(
    queue: PostgresQueue, *, holder: str = "one", lease_s: float = 30
) -> list[AgentTask]:
    epoch = await queue.take_office(holder, ttl_s=60)
    assert epoch is not None
    return await lease_next(queue, "scribe", limit=50, holder=holder, epoch=epoch, lease_s=lease_s)


async def enqueue(db: Database, claims: Claims, *tasks: NewTask) -> list[store.TaskView]:
    async with db.session(claims) as session:
        return await store.enqueue(session, tasks)


async def read(db: Database, claims: Claims, task_id: TaskId) -> store.TaskView:
    async with db.session(claims) as session:
        return await store.get(session, task_id)


async def test_a_task_runs_and_its_effect_stands(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    (task,) = await enqueue(db, owner, work("a"))
    report = await Executor(db, Scribe()).run_batch(await lease(PostgresQueue(db)))
    assert report.outcomes == {"done": 1}
    done = await read(db, owner, task.id)
    assert (done.state, done.result) == (TaskState.SUCCEEDED, {"score": 50})
    assert await admin.fetchval("SELECT count(*) FROM lead_scores") == 1


async def enqueue_and_fail(db: Database, claims: Claims) -> None:
    async with db.session(claims) as session:
        await store.enqueue(session, [work("a")])
        raise RuntimeError


async def test_a_rolled_back_transaction_enqueues_nothing(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    with pytest.raises(RuntimeError):
        await enqueue_and_fail(db, owner)
    assert await admin.fetchval("SELECT count(*) FROM agent_tasks") == 0


async def test_a_crashed_worker_loses_its_lease_and_its_late_result_is_dropped(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    (task,) = await enqueue(db, owner, work("a"))
    queue = PostgresQueue(db)
    zombie = await lease(queue, lease_s=0)
    assert (await queue.rescue(limit=10)).requeued == 1
    await admin.execute("UPDATE agent_tasks SET run_at = now()")
    heir = await lease(queue)
    assert heir[0].fence == zombie[0].fence + 1
    executor = Executor(db, Scribe())
    assert (await executor.run_batch(zombie)).lost == 1
    assert (await executor.run_batch(heir)).lost == 0
    assert await admin.fetchval("SELECT count(*) FROM lead_scores") == 1
    assert (await read(db, owner, task.id)).state is TaskState.SUCCEEDED


async def test_a_poisoned_result_does_not_take_its_batch_with_it(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    names = [f"lead-{number}" for number in range(5)]
    await enqueue(db, owner, *(work(name) for name in names))
    executor = Executor(db, Scribe(poison=frozenset({"lead-3"})))
    await executor.run_batch(await lease(PostgresQueue(db)))
    states = await admin.fetch("SELECT state, count(*) AS n FROM agent_tasks GROUP BY state")
    assert {row["state"]: row["n"] for row in states} == {"succeeded": 4, "queued": 1}
    detail = await admin.fetchval(
        "SELECT error ->> 'detail' FROM agent_tasks WHERE state = 'queued'"
    )
    assert "could not be stored" in detail


async def test_a_task_out_of_retries_is_dead_and_can_be_replayed(
    db: Database, owner: Claims
) -> None:
    (task,) = await enqueue(db, owner, work("a", payload={"fails": True}, max_retries=0))
    queue = PostgresQueue(db)
    await Executor(db, Scribe()).run_batch(await lease(queue))
    dead = await read(db, owner, task.id)
    assert (dead.state, dead.error) == (TaskState.DEAD, {"code": "retry", "detail": "not today"})
    async with db.session(owner) as session:
        assert (await control.replay(session, task.id)).attempt == 0
    assert (await read(db, owner, task.id)).state is TaskState.QUEUED


async def test_two_orchestrators_never_lease_at_once(db: Database, owner: Claims) -> None:
    await enqueue(db, owner, work("a"))
    queue = PostgresQueue(db)
    first = await queue.take_office("one", ttl_s=0)
    assert first is not None
    second = await queue.take_office("two", ttl_s=60)
    assert second is not None
    assert second == first + 1
    assert await queue.take_office("one", ttl_s=60) is None
    assert await lease_next(queue, "scribe", limit=9, holder="one", epoch=first, lease_s=9) == []
    leased = await lease_next(queue, "scribe", limit=9, holder="two", epoch=second, lease_s=9)
    assert len(leased) == 1


async def test_urgent_tasks_are_leased_first(db: Database, owner: Claims) -> None:
    await enqueue(db, owner, work("late", priority=9), work("soon", priority=1), work("then"))
    leased = await lease(PostgresQueue(db))
    assert [task.payload["name"] for task in leased] == ["soon", "then", "late"]


async def test_a_key_used_again_gives_back_its_task_or_is_refused(
    db: Database, owner: Claims, stranger: Claims
) -> None:
    (first,) = await enqueue(db, owner, work("a", idempotency_key="k"))
    (again,) = await enqueue(db, owner, work("a", idempotency_key="k"))
    assert again.id == first.id
    with pytest.raises(IdempotencyKeyReused):
        await enqueue(db, owner, work("b", idempotency_key="k"))
    (other,) = await enqueue(db, stranger, work("b", idempotency_key="k"))
    assert other.id != first.id


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"priority": 0}, "/priority"),
        ({"max_retries": -1}, "/max_retries"),
        ({"idempotency_key": ""}, "/idempotency_key"),
        ({"payload": {"big": "x" * 300_000}}, "/payload"),
        ({"payload": {"nul": "\x00"}}, "/payload"),
        ({"payload": {"nul": "\\\x00"}}, "/payload"),
        ({"payload": {"nan": float("nan")}}, "/payload"),
    ],
)
async def test_a_faulty_task_is_named_and_nothing_is_enqueued(
    db: Database, owner: Claims, admin: AdminConnection, fault: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidContent) as caught:
        await enqueue(db, owner, replace(work("a"), **fault))
    assert caught.value.errors[0]["pointer"] == pointer
    assert await admin.fetchval("SELECT count(*) FROM agent_tasks") == 0


async def test_another_agency_neither_sees_nor_ends_a_task(
    db: Database, owner: Claims, stranger: Claims
) -> None:
    (task,) = await enqueue(db, owner, work("a"))
    with pytest.raises(NotFound):
        await read(db, stranger, task.id)
    (leased,) = await lease(PostgresQueue(db))
    forged = replace(leased, agency_id=stranger.agency_id)
    assert (await Executor(db, Scribe()).run_batch([forged])).lost == 1
    assert (await read(db, owner, task.id)).state is TaskState.RUNNING


async def test_a_lease_given_back_unrun_counts_no_failure(db: Database, owner: Claims) -> None:
    (task,) = await enqueue(db, owner, work("a"))
    queue = PostgresQueue(db)
    leased = await lease(queue)
    assert await queue.settle([settlement.handed_back(leased[0])]) == {task.id}
    assert (await read(db, owner, task.id)).attempt == 0
    assert len(await lease(queue)) == 1


async def test_the_text_of_an_escape_is_no_nul(db: Database, owner: Claims) -> None:
    payload = {"notes": "we write it \\u0000"}
    (task,) = await enqueue(db, owner, work("a", payload=payload))
    assert (await read(db, owner, task.id)).payload["notes"] == payload["notes"]


async def test_a_date_long_past_does_not_push_in(db: Database, owner: Claims) -> None:
    await enqueue(db, owner, work("first"))
    await enqueue(db, owner, work("pushy", run_at=datetime(1, 1, 1, tzinfo=UTC)))
    queue = PostgresQueue(db)
    epoch = await queue.take_office("one", ttl_s=60)
    assert epoch is not None
    (leased,) = await lease_next(queue, "scribe", limit=1, holder="one", epoch=epoch, lease_s=30)
    assert leased.payload["name"] == "first"


async def test_the_depth_is_known_without_a_look_at_what_has_ended(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    await admin.execute(
        "INSERT INTO agent_tasks (agency_id, agent_type, state, fence, started_at, finished_at)"
        " SELECT $1, 'scribe', 'succeeded', 1, now(), now() FROM generate_series(1, 20000)",
        owner.agency_id,
    )
    await enqueue(db, owner, *(work(str(number)) for number in range(20)))
    assert len(await lease(PostgresQueue(db))) == 20
    await enqueue(db, owner, work("waits"), work("later", run_at=datetime(2027, 6, 1, tzinfo=UTC)))
    await admin.execute("VACUUM ANALYZE agent_tasks")
    await admin.execute(f"PREPARE depth AS {store.QUERIES['depth_by_type']}")
    plan = await admin.fetch("EXPLAIN EXECUTE depth(10000)")
    assert not [row[0] for row in plan if "Seq Scan" in row[0]]
    (depth,) = (await PostgresQueue(db).depth()).values()
    assert (depth["ready"], depth["scheduled"], depth["running"]) == (1, 1, 20)
    assert depth["oldest_ready_s"] >= 0


async def test_heartbeats_and_ends_of_the_same_tasks_do_not_wait_in_a_ring(
    db: Database, owner: Claims
) -> None:
    queue, executor = PostgresQueue(db), Executor(db, Scribe())
    for _ in range(5):
        await enqueue(db, owner, *(work(str(number)) for number in range(50)))
        leased = await lease(queue)
        backwards = leased[::-1]
        batch = asyncio.create_task(executor.run_batch(leased))
        await asyncio.gather(*(queue.heartbeat(backwards, lease_s=30) for _ in range(3)))
        assert (await batch).outcomes == {"done": 50}
