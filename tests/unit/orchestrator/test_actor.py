"""The orchestrator's rounds: who lives, what the autoscaler is told, what operators may ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from gardenos.core.errors import InvalidContent, NotFound
from gardenos.orchestrator.actor import AIOrchestrator, PoolSpec
from gardenos.orchestrator.board import AGENT_PREFIX, POOLS, LocalBoard, decode, encode
from gardenos.orchestrator.dispatcher import Tempo
from gardenos.orchestrator.executor import BatchReport

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.orchestrator.task import AgentTask
    from gardenos.testing.postgres import PostgresServer
    from tests.unit.orchestrator.conftest import Tasks

POOL = PoolSpec(lowest=1, highest=5, concurrency=4)
SOON_S = 10.0
T = TypeVar("T")


class NoticedBoard(LocalBoard):
    """A board that says when the orchestrator told its figures; it can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.unreachable = False
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
        self._loop.call_soon_threadsafe(self.told.put_nowait, decode(note))

    def read(self, prefix: str) -> Mapping[str, bytes]:
        if self.unreachable:
            raise ConnectionError("no board")
        for name in self.renewed:
            note = decode(self.notes[AGENT_PREFIX + name])
            self.notes[AGENT_PREFIX + name] = encode(note | {"at": time.time()})
        return super().read(prefix)


async def nobody(agent_type: str, tasks: Sequence[AgentTask]) -> BatchReport:
    raise ConnectionError("there is no agent")


async def told(board: NoticedBoard, ask: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What `ask` answers after the first round from now on when it holds."""
    async with asyncio.timeout(SOON_S):
        while not holds(seen := ask()):
            await board.told.get()
    return seen


@pytest.fixture
async def board() -> NoticedBoard:
    return NoticedBoard()


@pytest.fixture
async def orchestrator(
    board: NoticedBoard, tasks: Tasks, server: PostgresServer, database_name: str
) -> AsyncGenerator[AIOrchestrator]:
    """Rounds a hundred times a second over pools without agents."""
    async with at_work(board, tasks, server.app(database_name)) as orchestrator:
        yield orchestrator


@asynccontextmanager
async def at_work(board: NoticedBoard, tasks: Tasks, dsn: str) -> AsyncGenerator[AIOrchestrator]:
    orchestrator = AIOrchestrator(
        tasks.queue,
        dsn=dsn,
        holder="test",
        send=nobody,
        board=board,
        pools={"patient": POOL, "other": POOL},
        tempo=Tempo(poll_s=0.05),
        round_s=0.01,
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
    await tasks.enqueue({}, {}, {})
    row = await orchestrator.set_replicas("patient", 3, set_by=owner.sub)
    assert (row["agent_type"], row["replicas"], row["expires_at"]) == ("patient", 3, None)
    note = decode(board.notes[POOLS])
    assert note["pools"]["patient"] == {"override": 3, "backlog": 3, "in_flight": 0}
    assert note["pools"]["other"] == {"override": None, "backlog": 0, "in_flight": 0}
    await orchestrator.set_replicas("patient", 3, set_by=owner.sub, ttl_s=0)
    assert decode(board.notes[POOLS])["pools"]["patient"]["override"] is None


async def test_a_size_outside_the_range_or_of_an_unknown_pool_is_refused(
    orchestrator: AIOrchestrator, tasks: Tasks, owner: Claims
) -> None:
    for replicas in (0, 6):
        with pytest.raises(InvalidContent, match="1 to 5"):
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
        return bool(pool.get("given_back")) and not pool["in_flight"]

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
