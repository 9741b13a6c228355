"""Two orchestrators alive at once, over real PostgreSQL: nothing is leased or fired twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from gardenos.orchestrator import store
from gardenos.orchestrator.dispatcher import Dispatcher, Tempo
from gardenos.orchestrator.executor import BatchReport, Executor
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.task import AgentTask, Attempt, Done, NewTask

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection

SOON_S = 20.0
FOREVER_S = 3600.0


class Quiet:
    agent_type: ClassVar[str] = "quiet"

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        return {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        return Attempt(task, Done({}))

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None: ...
    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None: ...


class House:
    """Orchestrators over one database, and agents that note who sent them what."""

    def __init__(self, db: Database, claims: Claims) -> None:
        self.sent: list[tuple[str, AgentTask]] = []
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self._db, self._claims = db, claims
        self._executor = Executor(db, Quiet())

    @asynccontextmanager
    async def orchestrator(self, holder: str) -> AsyncGenerator[Dispatcher]:
        """One that believes in its office for an hour, whatever the database says."""

        async def send(_agent_type: str, tasks: Sequence[AgentTask]) -> AsyncIterator[BatchReport]:
            self.sent += [(holder, task) for task in tasks]
            report = await self._executor.run_batch(tasks)
            yield report
            for _ in tasks:
                self.ended.put_nowait(holder)

        dispatcher = Dispatcher(
            PostgresQueue(self._db),
            holder=holder,
            send=send,
            capacity=lambda: {"quiet": 32},
            tempo=Tempo(poll_s=0.02, office_ttl_s=FOREVER_S, rescue_every_s=0.02),
        )
        dispatcher.start()
        try:
            yield dispatcher
        finally:
            await dispatcher.stop()

    async def enqueue(self, tasks: int) -> None:
        async with self._db.session(self._claims) as session:
            await store.enqueue(session, [NewTask("quiet", {}) for _ in range(tasks)])

    async def end_by(self, holder: str) -> None:
        """Wait until a task of this one has ended."""
        async with asyncio.timeout(SOON_S):
            while await self.ended.get() != holder:
                pass


async def test_two_orchestrators_that_both_believe_in_office_lease_no_task_twice(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    house = House(db, owner)
    async with house.orchestrator("old") as old, house.orchestrator("new") as new:
        await house.enqueue(200)
        await asyncio.wait({asyncio.create_task(house.ended.get())}, timeout=SOON_S)
        first, second = ("old", "new") if old.snapshot()["epoch"] else ("new", "old")
        # The office lapses behind the back of its holder, who goes on in the middle of its work.
        await admin.execute("UPDATE orchestrator_lease SET expires_at = now() - interval '1 s'")
        await house.enqueue(200)
        await house.end_by(second)
        believed = {old.snapshot()["epoch"], new.snapshot()["epoch"]}
        assert believed == {1, 2}
        taken = len(house.sent)
        await house.enqueue(200)
        async with asyncio.timeout(SOON_S):
            while len(house.sent) < 600:
                await house.ended.get()
        assert {holder for holder, _ in house.sent[taken:]} == {second}
    assert {holder for holder, _ in house.sent} == {first, second}
    runs = Counter(task.id for _, task in house.sent)
    assert (len(runs), set(runs.values())) == (600, {1})
    assert {task.fence for _, task in house.sent} == {1}
    states = await admin.fetch("SELECT state, fence, count(*) FROM agent_tasks GROUP BY 1, 2")
    assert [tuple(row) for row in states] == [("succeeded", 1, 600)]


async def test_a_successor_goes_on_as_soon_as_its_predecessor_stops(
    db: Database, owner: Claims
) -> None:
    house = House(db, owner)
    async with AsyncExitStack() as stack:
        async with house.orchestrator("old"):
            await house.enqueue(1)
            await house.end_by("old")
            new = await stack.enter_async_context(house.orchestrator("new"))
        # The old one had an hour of its office left.
        await house.enqueue(1)
        await house.end_by("new")
        assert new.snapshot()["epoch"] == 2


# -- schedules -------------------------------------------------------------------------------


async def schedules(admin: AdminConnection, by: Claims, count: int, *, due: datetime) -> None:
    await admin.execute(
        "INSERT INTO task_schedules (agency_id, name, agent_type, cron, next_run_at, created_by)"
        " SELECT $1, 'no. ' || n, 'quiet', '0 * * * *', $2, $3 FROM generate_series(1, $4) n",
        by.agency_id,
        due,
        by.sub,
        count,
    )


async def test_orchestrators_that_look_at_once_fire_each_due_time_once(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    due = datetime.now(UTC) - timedelta(minutes=90)
    await schedules(admin, owner, 30, due=due)
    looks = [PostgresQueue(db).fire(limit=7) for _ in range(12)]
    fired = [task_id for look in await asyncio.gather(*looks) for task_id in look.tasks]
    fired += (await PostgresQueue(db).fire(limit=100)).tasks
    assert len(set(fired)) == len(fired) == 30
    rows = await admin.fetch("SELECT * FROM task_schedules")
    assert {row["last_task_id"] for row in rows} == set(fired)
    assert all(row["next_run_at"] > datetime.now(UTC) for row in rows)
    # Nobody changed them: what a member read of them is still what there is.
    assert {row["version"] for row in rows} == {1}
    keys = await admin.fetch("SELECT idempotency_key, created_by FROM agent_tasks")
    assert {row["idempotency_key"] for row in keys} == {
        f"schedule:{row['id']}:{due.isoformat()}" for row in rows
    }
    assert {row["created_by"] for row in keys} == {owner.sub}


async def test_a_due_time_whose_task_is_there_fires_no_other(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    due = datetime.now(UTC) - timedelta(minutes=1)
    await schedules(admin, owner, 1, due=due)
    queue = PostgresQueue(db)
    (task_id,) = (await queue.fire(limit=10)).tasks
    # As if all were restored to just before it was moved on, but for the task.
    await admin.execute("UPDATE task_schedules SET next_run_at = $1", due)
    assert (await queue.fire(limit=10)).tasks == ()
    row = await admin.fetchrow("SELECT last_task_id, next_run_at FROM task_schedules")
    assert row is not None
    assert row["last_task_id"] == task_id
    assert row["next_run_at"] > datetime.now(UTC)


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_task_of_a_schedule_is_dispatched(
    db: Database, owner: Claims, admin: AdminConnection, enabled: bool
) -> None:
    house = House(db, owner)
    await schedules(admin, owner, 1, due=datetime.now(UTC) - timedelta(minutes=1))
    await admin.execute("UPDATE task_schedules SET enabled = $1", enabled)
    async with house.orchestrator("one"):
        if enabled:
            await house.end_by("one")
        else:
            await house.enqueue(1)
            await house.end_by("one")
            assert len(house.sent) == 1
