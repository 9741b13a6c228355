"""The orchestrator's rounds: who lives, what the autoscaler is told, what operators may ask."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import pytest

from gardenos.core.errors import InvalidRequest, NotFound
from gardenos.orchestrator.actor import AIOrchestrator, PoolSpec
from gardenos.orchestrator.board import AGENT_PREFIX, POOLS, LocalBoard, decode, encode
from gardenos.orchestrator.dispatcher import Tempo
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.suspects import FREE_LOSSES

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.orchestrator.task import AgentTask
    from gardenos.testing.postgres import AdminConnection, PostgresServer
    from tests.unit.orchestrator.conftest import Tasks

POOL = PoolSpec(lowest=1, highest=5, concurrency=4)
SOON_S = 10.0
T = TypeVar("T")


class NoticedBoard(LocalBoard):
    """A board that says when the orchestrator told its figures; it can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.unreachable = self.says_at_length = False
        self.renewed: list[str] = []
        """Agents whose note is as fresh as can be whenever it is read."""
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def agent(self, name: str, agent_type: str = "patient", **more: Any) -> None:
        self.renewed.append(name)
        note = {"id": name, "agent_type": agent_type, "at": time.time()} | more
        super().put(AGENT_PREFIX + name, encode(note))

    def put(self, key: str, note: bytes) -> None:
        if self.unreachable:
            raise ConnectionError("no board")
        super().put(key, note)
        if self.says_at_length:
            self._loop.call_soon_threadsafe(self.told.put_nowait, {})
            raise ConnectionError("x" * 10_000)
        self._loop.call_soon_threadsafe(self.told.put_nowait, decode(note))

    def read(self, prefix: str) -> Mapping[str, bytes]:
        if self.unreachable:
            raise ConnectionError("no board")
        for name in self.renewed:
            note = decode(self.notes[AGENT_PREFIX + name])
            self.notes[AGENT_PREFIX + name] = encode(note | {"at": time.time()})
        return super().read(prefix)


async def nobody(agent_type: str, tasks: Sequence[AgentTask]) -> AsyncGenerator[BatchReport]:
    raise ConnectionError("there is no agent")
    yield


async def told(board: NoticedBoard, ask: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What `ask` answers after the first round from now on when it holds."""
    async with asyncio.timeout(SOON_S):
        while not holds(seen := ask()):
            await board.told.get()
    return seen


@pytest.fixture
async def board() -> NoticedBoard:
    return NoticedBoard()


class Routes:
    """Which agents of a type are sent to, as a router would know."""

    def __init__(self) -> None:
        self.known: dict[str, set[str]] = {}

    def __call__(self, agent_type: str) -> set[str] | None:
        return self.known.get(agent_type)


@pytest.fixture
def routes() -> Routes:
    return Routes()


@pytest.fixture
async def orchestrator(
    board: NoticedBoard, routes: Routes, tasks: Tasks, server: PostgresServer, database_name: str
) -> AsyncGenerator[AIOrchestrator]:
    """Rounds a hundred times a second over pools without agents."""
    async with at_work(board, routes, tasks, server.app(database_name)) as orchestrator:
        yield orchestrator


@asynccontextmanager
async def at_work(
    board: NoticedBoard, routes: Routes, tasks: Tasks, dsn: str
) -> AsyncGenerator[AIOrchestrator]:
    orchestrator = AIOrchestrator(
        tasks.queue,
        dsn=dsn,
        holder="test",
        send=nobody,
        board=board,
        pools={"patient": POOL, "other": POOL},
        tempo=Tempo(poll_s=0.05),
        round_s=0.01,
        routed=routes,
    )
    orchestrator.start()
    try:
        yield orchestrator
    finally:
        await orchestrator.stop()


async def test_agents_that_beat_count_and_others_do_not(
    board: NoticedBoard, orchestrator: AIOrchestrator
) -> None:
    board.agent("a")
    board.agent("b")
    board.agent("of-a-type-unknown-here", agent_type="unknown")
    board.notes[f"{AGENT_PREFIX}silent"] = encode({"agent_type": "patient", "at": time.time()})
    board.notes[f"{AGENT_PREFIX}unreadable"] = b"{"
    capacity = await told(board, orchestrator.capacity, bool)
    assert capacity == {"patient": 2 * POOL.concurrency}
    assert {note["id"] for note in orchestrator.agents()} == {"a", "b", "of-a-type-unknown-here"}
    pool = orchestrator.snapshot()["agents"]["patient"]
    assert (pool["replicas"], pool["min_replicas"], pool["max_replicas"]) == (2, 1, 5)
    assert pool["capacity"] == 8


async def test_an_agent_that_is_sent_nothing_more_does_not_count(
    board: NoticedBoard, routes: Routes, orchestrator: AIOrchestrator
) -> None:
    board.agent("a")
    board.agent("b")
    both = {"patient": 2 * POOL.concurrency}
    assert await told(board, orchestrator.capacity, lambda capacity: capacity == both) == both
    routes.known["patient"] = {"b"}
    assert orchestrator.capacity() == {"patient": POOL.concurrency}
    assert {note["id"] for note in orchestrator.agents()} == {"a", "b"}
    routes.known["patient"] = set()
    assert orchestrator.capacity() == {}


async def test_a_batch_goes_out_as_soon_as_an_agent_is_sent_to(
    board: NoticedBoard, routes: Routes, orchestrator: AIOrchestrator, tasks: Tasks
) -> None:
    routes.known["patient"] = set()
    board.agent("a")
    await tasks.enqueue({})
    await told(board, orchestrator.agents, bool)
    assert orchestrator.snapshot()["agents"]["patient"]["replicas"] == 0
    routes.known["patient"] = {"a"}

    def given_back() -> Any:
        return orchestrator.snapshot()["agents"]["patient"].get("given_back")

    await told(board, given_back, bool)


async def test_notes_of_the_long_dead_are_taken_down(
    board: NoticedBoard, orchestrator: AIOrchestrator
) -> None:
    board.agent("a")
    board.notes[f"{AGENT_PREFIX}old"] = encode({"agent_type": "patient", "at": time.time() - 600})
    board.notes[f"{AGENT_PREFIX}odd"] = encode({"agent_type": "patient", "at": "yesterday"})
    board.notes[f"{AGENT_PREFIX}late"] = encode({"agent_type": "patient", "at": time.time() - 6})
    keys = await told(
        board, lambda: set(board.notes), lambda keys: f"{AGENT_PREFIX}odd" not in keys
    )
    assert keys == {POOLS, f"{AGENT_PREFIX}a", f"{AGENT_PREFIX}late"}


async def test_the_autoscaler_is_told_the_backlog_and_the_override(
    board: NoticedBoard, orchestrator: AIOrchestrator, tasks: Tasks, owner: Claims
) -> None:
    await told(board, lambda: orchestrator.snapshot()["epoch"], bool)
    await tasks.enqueue({}, {}, {})
    row = await orchestrator.set_replicas("patient", 3, set_by=owner.sub)
    assert (row["agent_type"], row["replicas"], row["expires_at"]) == ("patient", 3, None)
    note = decode(board.notes[POOLS])
    assert note["pools"]["patient"] == {"override": 3, "backlog": 3, "in_flight": 0}
    assert note["pools"]["other"] == {"override": None, "backlog": 0, "in_flight": 0}
    assert orchestrator.snapshot()["agents"]["patient"]["wanted_replicas"] == 3
    await orchestrator.set_replicas("patient", 3, set_by=owner.sub, ttl_s=0)
    assert decode(board.notes[POOLS])["pools"]["patient"]["override"] is None
    assert orchestrator.snapshot()["agents"]["patient"]["wanted_replicas"] == 1


async def test_who_asked_for_a_size_is_kept_with_it(
    orchestrator: AIOrchestrator, admin: AdminConnection, owner: Claims
) -> None:
    first = await orchestrator.set_replicas("patient", 3, set_by=owner.sub)
    then = await orchestrator.set_replicas("patient", 4, set_by=owner.sub, ttl_s=3600)
    with pytest.raises(InvalidRequest):
        await orchestrator.set_replicas("patient", 6, set_by=owner.sub)
    noted = await admin.fetch("SELECT * FROM operator_actions ORDER BY id")
    assert [(row["actor"], row["action"], row["target"]) for row in noted] == [
        (owner.sub, "scale", "agents patient")
    ] * 2
    details = [row["detail"] for row in noted]
    assert [json.loads(detail)["replicas"] for detail in details] == [3, 4]
    assert first["expires_at"] is None
    assert then["expires_at"] == datetime.fromisoformat(json.loads(details[1])["expires_at"])


async def test_a_size_that_cannot_be_noted_is_not_asked_for(
    orchestrator: AIOrchestrator, tasks: Tasks, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute("ALTER TABLE operator_actions ADD CHECK (action <> 'scale')")
    with pytest.raises(asyncpg.CheckViolationError):
        await orchestrator.set_replicas("patient", 3, set_by=owner.sub)
    assert await tasks.queue.overrides() == {}


async def test_a_size_that_was_asked_for_outlives_the_orchestrator(
    board: NoticedBoard,
    tasks: Tasks,
    server: PostgresServer,
    database_name: str,
    owner: Claims,
) -> None:
    async with at_work(board, Routes(), tasks, server.app(database_name)) as first:
        await first.set_replicas("patient", 3, set_by=owner.sub)
    board.notes.clear()
    async with at_work(board, Routes(), tasks, server.app(database_name)) as second:

        def override() -> Any:
            return second.snapshot()["agents"]["patient"]["override"]

        def noted() -> Any:
            pools = decode(board.notes[POOLS]).get("pools", {}) if POOLS in board.notes else {}
            return pools.get("patient", {}).get("override")

        assert await told(board, override, bool) == 3
        assert await told(board, noted, bool) == 3


async def test_it_says_why_the_head_of_a_lane_waits_and_no_more_than_a_few(
    board: NoticedBoard, orchestrator: AIOrchestrator, tasks: Tasks, admin: AdminConnection
) -> None:
    await admin.execute(
        "WITH many AS (INSERT INTO agencies (name) SELECT 'a' FROM generate_series(1, 30) RETURNING id)"
        " INSERT INTO agent_tasks (agency_id, agent_type, priority, run_at)"
        " SELECT id, 'patient', 1, now() - interval '1 min' FROM many"
    )

    def lanes() -> list[dict[str, Any]]:
        return orchestrator.snapshot()["agents"]["patient"]["lanes"]

    seen = await told(board, lanes, bool)
    assert len(seen) == 20
    assert {(lane["priority"], lane["hold"], lane["why"]) for lane in seen} == {
        (1, "no_agents", "No patient agent runs.")
    }
    assert all(lane["due"] for lane in seen)


async def test_what_an_error_said_at_length_is_told_in_short(
    board: NoticedBoard, orchestrator: AIOrchestrator
) -> None:
    board.says_at_length = True
    sentence = await told(
        board, lambda: orchestrator.snapshot()["doing"]["rounds"], lambda said: "x" in said
    )
    assert sentence.startswith("failed and goes on: ConnectionError: xxx")
    assert len(sentence) == 500


async def test_a_size_outside_the_range_or_of_an_unknown_pool_is_refused(
    orchestrator: AIOrchestrator, tasks: Tasks, owner: Claims
) -> None:
    for replicas in (-1, 0, 6, 10**30):
        with pytest.raises(InvalidRequest, match="1 to 5"):
            await orchestrator.set_replicas("patient", replicas, set_by=owner.sub)
    with pytest.raises(NotFound, match="patient"):
        await orchestrator.set_replicas("painter", 1, set_by=owner.sub)
    assert await tasks.queue.overrides() == {}


async def test_a_board_out_of_reach_costs_knowledge_and_nothing_else(
    board: NoticedBoard, orchestrator: AIOrchestrator, tasks: Tasks, owner: Claims
) -> None:
    await told(board, lambda: POOLS in board.notes, bool)
    board.unreachable = True
    await orchestrator.set_replicas("patient", 2, set_by=owner.sub)
    assert await tasks.queue.overrides() == {"patient": 2}
    assert orchestrator.lives
    board.unreachable = False

    def override() -> Any:
        return decode(board.notes[POOLS])["pools"]["patient"]["override"]

    assert await told(board, override, lambda size: size == 2) == 2


async def test_tasks_that_no_agent_took_go_back_to_the_queue(
    board: NoticedBoard, orchestrator: AIOrchestrator, tasks: Tasks
) -> None:
    board.agent("a")
    await tasks.enqueue({})

    def given_back() -> bool:
        pool = orchestrator.snapshot()["agents"]["patient"]
        # The first two losses cost no attempt: they may be anybody's fault.
        return pool.get("given_back", 0) > FREE_LOSSES and not pool["in_flight"]

    await told(board, given_back, bool)
    (task,) = await tasks.all()
    assert task.attempt >= 1
    assert task.error == {"code": "crashed", "detail": "ConnectionError: there is no agent"}


async def test_whoever_comes_second_stands_by_until_the_first_has_left(
    board: NoticedBoard,
    orchestrator: AIOrchestrator,
    tasks: Tasks,
    server: PostgresServer,
    database_name: str,
) -> None:
    def epoch(of: AIOrchestrator) -> Callable[[], int | None]:
        return lambda: of.snapshot()["epoch"]

    first = await told(board, epoch(orchestrator), bool)
    second = AIOrchestrator(
        tasks.queue,
        dsn=server.app(database_name),
        holder="second",
        send=nobody,
        board=board,
        pools={"patient": POOL},
        tempo=Tempo(poll_s=0.05),
        round_s=0.01,
    )
    second.start()
    try:
        sentence = await told(
            board, lambda: second.snapshot()["doing"].get("dispatch"), lambda said: said is not None
        )
        assert sentence == "waits for another orchestrator to leave office"
        assert second.snapshot()["epoch"] is None
        await orchestrator.stop()
        assert not orchestrator.lives
        then = await told(board, epoch(second), bool)
    finally:
        await second.stop()
    assert first is not None
    assert then is not None
    assert then > first
