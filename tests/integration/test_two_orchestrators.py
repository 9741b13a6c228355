"""Two orchestrators alive at once, as in every update: one dispatches, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from gardenos.db.session import Role
from gardenos.db.sql import Queries
from gardenos.orchestrator import store, verify
from gardenos.orchestrator.actor import AIOrchestrator, PoolSpec
from gardenos.orchestrator.board import STANDBY, LocalBoard, decode
from gardenos.orchestrator.dispatcher import Tempo
from gardenos.orchestrator.executor import BatchReport, Executor
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.task import AgentTask, Attempt, Done, NewTask
from gardenos.orchestrator.worker import Worker
from tests.support.local import eventually

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection, PostgresServer

QUICK = Tempo(lease_s=1.0, office_ttl_s=1.0, poll_s=0.05, rescue_every_s=0.1)
UPDATE_GAP_S = 10.0
MARKS = Queries(
    "marks",
    """
-- name: mark
INSERT INTO marks SELECT * FROM unnest($1::uuid[], $2::bigint[])

-- name: marks_stand_once
-- Every task that has succeeded left one mark, and no other task left any.
SELECT t.id || ' is ' || t.state || ' and left ' || count(m) || ' marks' AS example,
       count(*) OVER () AS total
  FROM agent_tasks t
  LEFT JOIN marks m ON m.task_id = t.id
 GROUP BY t.id
HAVING count(m) <> (t.state = 'succeeded')::int
 LIMIT 5
""",
)
_owner: ContextVar[str] = ContextVar("owner")


class Marker:
    """Leaves a mark for every run whose end counts; first runs of `held` tasks wait to be let go."""

    agent_type: ClassVar[str] = "marker"

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.held: set[TaskId] = set()

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        return {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        if task.payload.get("held") and task.fence == 1:
            self.held.add(task.id)
            await self.let_go.wait()
        return Attempt(task, Done({}))

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        tasks = [attempt.task for attempt in attempts]
        await session.execute(MARKS["mark"], [t.id for t in tasks], [t.fence for t in tasks])

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None: ...


class StoppedQueue(PostgresQueue):
    """A queue whose caller can be stopped in the middle of a lease, as by SIGSTOP, and continued."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.stop = False
        self.stopped = asyncio.Event()
        self.runs_on = asyncio.Event()
        self.leased_late: list[AgentTask] | None = None

    async def lease(self, *args: Any, **named: Any) -> list[AgentTask]:
        if not self.stop or self.leased_late is not None:
            return await super().lease(*args, **named)
        self.stopped.set()
        await self.runs_on.wait()
        self.leased_late = await super().lease(*args, **named)
        return self.leased_late

    async def heartbeat(self, tasks: Sequence[AgentTask], *, lease_s: float) -> set[TaskId]:
        if self.stopped.is_set():
            await self.runs_on.wait()
        return await super().heartbeat(tasks, lease_s=lease_s)


class Stage:
    """A database, one agent, and orchestrators that come and go."""

    def __init__(self, database: Database, dsn: str, claims: Claims) -> None:
        self.marker = Marker()
        self.board = LocalBoard()
        self._database, self._dsn, self._claims = database, dsn, claims
        self._worker = Worker(
            "marker-1", "marker", Executor(database, self.marker), self.board, beat_s=0.1
        )
        self._tasks: defaultdict[str, set[asyncio.Task[Any]]] = defaultdict(set)
        asyncio.get_running_loop().set_task_factory(self._make)
        self._worker.start()

    def _make(self, loop: asyncio.AbstractEventLoop, coro: Any, **named: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **named)
        self._tasks[_owner.get("nobody")].add(task)
        return task

    async def stop(self) -> None:
        self.marker.let_go.set()
        await self._worker.stop()
        asyncio.get_running_loop().set_task_factory(None)

    async def enqueue(self, n: int, **payload: Any) -> None:
        async with self._database.session(self._claims) as session:
            await store.enqueue(session, [NewTask("marker", payload) for _ in range(n)])

    async def states(self) -> Mapping[str, int]:
        async with self._database.session(self._claims) as session:
            return (await store.counts(session)).get("marker", {})

    async def verified(self) -> str:
        extra = {"marks_stand_once": MARKS["marks_stand_once"]}
        return str(await verify.run(self._database, lease_s=QUICK.lease_s, extra=extra))

    async def epoch(self) -> int:
        async with self._database.system(Role.WORKER) as session:
            return await session.fetchval("SELECT epoch FROM orchestrator_lease")

    @asynccontextmanager
    async def orchestrator(
        self, name: str, *, tempo: Tempo, queue: PostgresQueue | None = None
    ) -> AsyncGenerator[AIOrchestrator]:
        made = AIOrchestrator(
            queue or PostgresQueue(self._database),
            dsn=self._dsn,
            holder=name,
            send=self._send,
            board=self.board,
            pools={"marker": PoolSpec(lowest=1, highest=3, concurrency=8)},
            tempo=tempo,
            round_s=0.05,
        )
        context = copy_context()
        context.run(_owner.set, name)
        context.run(made.start)
        try:
            yield made
        finally:
            await made.stop()

    async def kill(self, name: str) -> None:
        """What SIGKILL leaves of an orchestrator: its agents at work, its office, its leases."""
        for task in self._tasks[name]:
            task.cancel()
        await asyncio.gather(*self._tasks[name], return_exceptions=True)

    async def _send(
        self, agent_type: str, tasks: Sequence[AgentTask]
    ) -> AsyncIterator[BatchReport]:
        _owner.set("agents")
        async for report in self._worker.run_batch(tasks):
            yield report


def holds_office(orchestrator: AIOrchestrator) -> Callable[[], Any]:
    async def ask() -> int | None:
        return orchestrator.snapshot()["epoch"]

    return ask


@pytest.fixture
async def stage(
    db: Database,
    server: PostgresServer,
    database_name: str,
    admin: AdminConnection,
    owner: Claims,
) -> AsyncGenerator[Stage]:
    await admin.execute(
        "CREATE TABLE marks (task_id uuid NOT NULL, fence bigint NOT NULL);"
        "GRANT INSERT ON marks TO gardenos_agent; GRANT SELECT ON marks TO gardenos_worker"
    )
    stage = Stage(db, server.app(database_name), owner)
    yield stage
    await stage.stop()


async def test_of_two_at_once_one_dispatches_and_the_other_takes_over_in_order(
    stage: Stage,
) -> None:
    async with stage.orchestrator("first", tempo=QUICK) as first:
        await eventually(holds_office(first), bool)
        async with stage.orchestrator("second", tempo=QUICK) as second:
            await stage.enqueue(100)
            await eventually(stage.states, lambda states: states == {"succeeded": 100})
            assert second.snapshot()["epoch"] is None
            assert decode(stage.board.notes[STANDBY])["holder"] == "second"
            assert not second.snapshot()["agents"]["marker"].get("leased")
            await stage.enqueue(100)
            await first.stop()
            await stage.enqueue(100)
            await eventually(stage.states, lambda states: states == {"succeeded": 300})
            assert second.snapshot()["epoch"] == await stage.epoch() == 2
    assert "invariants hold" in await stage.verified()


async def test_one_that_is_replaced_dispatches_until_its_successor_stands_by(stage: Stage) -> None:
    async with stage.orchestrator("first", tempo=QUICK) as first:
        await eventually(holds_office(first), bool)
        leaving = asyncio.create_task(first.stop(hand_over_s=60))
        await stage.enqueue(100)
        await eventually(stage.states, lambda states: states == {"succeeded": 100})
        assert not leaving.done()
        assert await stage.epoch() == 1
        async with stage.orchestrator("second", tempo=QUICK) as second:
            await asyncio.wait_for(leaving, 10)
            await eventually(holds_office(second), bool)
            # Nobody is there to succeed it, and it has been given no time to wait.
            await asyncio.wait_for(second.stop(), 10)
    assert "invariants hold" in await stage.verified()


async def test_when_the_first_dies_without_leaving_the_second_dispatches_within_ten_seconds(
    stage: Stage, admin: AdminConnection
) -> None:
    usual = Tempo()
    async with (
        stage.orchestrator("first", tempo=usual) as first,
        stage.orchestrator("second", tempo=usual) as second,
    ):
        await eventually(holds_office(first), bool)
        await stage.enqueue(4, held=True)
        await stage.enqueue(200)
        await eventually(stage.states, lambda states: states.get("succeeded", 0) > 50)
        await stage.kill("first")
        died_at = await admin.fetchval("SELECT clock_timestamp()")
        assert not first.lives
        await stage.enqueue(50)
        stage.marker.let_go.set()
        await eventually(holds_office(second), bool)
        # A batch that the first had leased and not sent when it died waits for its lease to run out.
        await eventually(
            stage.states,
            lambda states: (
                states.keys() <= {"succeeded", "running"} and states.get("succeeded", 0) >= 250
            ),
        )
    gap_s = await admin.fetchval(
        "SELECT extract(epoch FROM min(started_at) - $1)::float8 FROM agent_tasks WHERE started_at > $1",
        died_at,
    )
    assert gap_s <= UPDATE_GAP_S
    assert "invariants hold" in await stage.verified()
    # What the first had sent was finished by the agent, under the first's fences.
    assert await admin.fetchval("SELECT max(fence) FROM marks") == 1


async def test_one_that_was_stopped_past_its_office_leases_nothing_and_its_runs_do_not_count(
    stage: Stage, db: Database, admin: AdminConnection
) -> None:
    queue = StoppedQueue(db)
    async with (
        stage.orchestrator("first", tempo=QUICK, queue=queue) as first,
        stage.orchestrator("second", tempo=QUICK) as second,
    ):
        await eventually(holds_office(first), bool)
        await stage.enqueue(2, held=True)
        await eventually(lambda: _of(stage.marker.held), lambda held: len(held) == 2)
        queue.stop = True
        await stage.enqueue(20)
        await asyncio.wait_for(queue.stopped.wait(), 10)
        await eventually(holds_office(second), bool)
        # The second takes back what the first had sent, too: its leases have run out.
        await eventually(stage.states, lambda states: states == {"succeeded": 22})
        queue.runs_on.set()
        await eventually(
            lambda: _of(first.snapshot()["doing"]),
            lambda doing: doing["dispatch"] == "waits for another orchestrator to leave office",
        )
        assert queue.leased_late == []
        stage.marker.let_go.set()
        await eventually(
            lambda: _of(first.snapshot()["agents"]["marker"]), lambda pool: not pool["in_flight"]
        )
    assert "invariants hold" in await stage.verified()
    zombies = await admin.fetch(
        "SELECT fence FROM marks WHERE task_id = ANY ($1)", stage.marker.held
    )
    assert [row["fence"] for row in zombies] == [2, 2]


async def _of(value: Any) -> Any:
    return value
