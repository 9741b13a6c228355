"""The dispatcher over a queue in memory whose clock stands still until it is turned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from gardenos.core.errors import DatabaseUnavailable
from gardenos.core.ids import AgencyId, TaskId
from gardenos.observability import events
from gardenos.orchestrator.dispatcher import Dispatcher, Tempo
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.queue import Rescue
from gardenos.orchestrator.task import AgentTask, NewTask, TaskState
from gardenos.testing.queue import InMemoryQueue
from tests.support.tokens import TurnedClock

if TYPE_CHECKING:
    from gardenos.orchestrator.settlement import Settlement

AGENCY = AgencyId(UUID(int=8))
SOON_S = 10.0
QUICK = Tempo(lease_s=0.03, poll_s=0.01, rescue_every_s=0.01)
CALM = Tempo(poll_s=0.01, rescue_every_s=0.01)
"""Heartbeats come every ten seconds: none while a test runs."""


class WatchedQueue(InMemoryQueue):
    """A queue that says what is asked of it, and can be out of reach or hold an answer back."""

    def __init__(self, clock: TurnedClock) -> None:
        super().__init__(clock)
        self.away = False
        self.calls: asyncio.Queue[str] = asyncio.Queue()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def _noted(self, call: str) -> None:
        self.calls.put_nowait(call)
        if self.away:
            raise DatabaseUnavailable

    async def called(self, *calls: str) -> None:
        """Wait until these were asked of it, in this order, from now on."""
        while not self.calls.empty():
            self.calls.get_nowait()
        async with asyncio.timeout(SOON_S):
            for call in calls:
                while await self.calls.get() != call:
                    pass

    async def lease(
        self, agent_type: str, *, limit: int, holder: str, epoch: int, lease_s: float
    ) -> list[AgentTask]:
        leased = await super().lease(
            agent_type, limit=limit, holder=holder, epoch=epoch, lease_s=lease_s
        )
        self._noted("lease")
        # A turn of the loop, as any real answer takes: batches end meanwhile.
        await asyncio.sleep(0)
        await self.may_answer.wait()
        return leased

    async def heartbeat(self, tasks: Sequence[AgentTask], *, lease_s: float) -> set[TaskId]:
        self._noted("heartbeat")
        return await super().heartbeat(tasks, lease_s=lease_s)

    async def rescue(self, *, limit: int) -> Rescue:
        self._noted("rescue")
        return await super().rescue(limit=limit)

    async def settle(self, settlements: Sequence[Settlement]) -> set[TaskId]:
        self._noted("settle")
        return await super().settle(settlements)

    async def leave_office(self, holder: str) -> None:
        self._noted("leave")
        await super().leave_office(holder)


class Agents:
    """Takes batches, and ends each when it is told how."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[tuple[list[AgentTask], asyncio.Future[BatchReport]]] = (
            asyncio.Queue()
        )

    async def send(self, _agent_type: str, tasks: Sequence[AgentTask]) -> BatchReport:
        ends: asyncio.Future[BatchReport] = asyncio.get_running_loop().create_future()
        self.batches.put_nowait((list(tasks), ends))
        return await ends

    async def batch(self) -> tuple[list[AgentTask], asyncio.Future[BatchReport]]:
        """The next batch sent."""
        async with asyncio.timeout(SOON_S):
            return await self.batches.get()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def queue(clock: TurnedClock) -> WatchedQueue:
    return WatchedQueue(clock)


@pytest.fixture
async def agents() -> Agents:
    return Agents()


@asynccontextmanager
async def dispatching(
    queue: WatchedQueue,
    agents: Agents,
    *,
    tempo: Tempo = CALM,
    capacity: Mapping[str, int] | None = None,
) -> AsyncGenerator[Dispatcher]:
    accepts = capacity or {"echo": 2}
    dispatcher = Dispatcher(
        queue, holder="test", send=agents.send, capacity=lambda: accepts, tempo=tempo
    )
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        queue.may_answer.set()
        await dispatcher.stop(within_s=0)


def in_flight(dispatcher: Dispatcher, agent_type: str = "echo") -> int:
    count: int = dispatcher.snapshot()["agents"][agent_type]["in_flight"]
    return count


def enqueue(queue: WatchedQueue, *priorities: int, agent_type: str = "echo") -> list[TaskId]:
    return [queue.enqueue(AGENCY, NewTask(agent_type, {}, priority=p)) for p in priorities]


async def test_no_more_is_sent_than_is_accepted_and_the_urgent_first(
    queue: WatchedQueue, agents: Agents
) -> None:
    low, urgent, middle = enqueue(queue, 9, 1, 5)
    async with dispatching(queue, agents) as dispatcher:
        tasks, ends = await agents.batch()
        assert [task.id for task in tasks] == [urgent, middle]
        assert in_flight(dispatcher) == 2
        ends.set_result(BatchReport({"done": 2}))
        tasks, _ = await agents.batch()
        assert [task.id for task in tasks] == [low]


async def test_a_type_that_empties_as_fast_as_it_is_filled_does_not_starve_another(
    queue: WatchedQueue,
) -> None:
    sent: asyncio.Queue[str] = asyncio.Queue()

    class AtOnce(Agents):
        async def send(self, _agent_type: str, tasks: Sequence[AgentTask]) -> BatchReport:
            for task in tasks:
                queue.finish(task)
                enqueue(queue, 5, agent_type=task.agent_type)
                sent.put_nowait(task.agent_type)
            return BatchReport()

    enqueue(queue, *[5] * 20, agent_type="quick")
    enqueue(queue, 5, agent_type="other")
    capacity = {"quick": 2, "other": 1}
    tempo = Tempo(poll_s=0.01, batch=1)
    async with (
        dispatching(queue, AtOnce(), tempo=tempo, capacity=capacity),
        asyncio.timeout(SOON_S),
    ):
        while await sent.get() != "other":
            pass


async def test_a_task_leased_anew_is_looked_after_when_its_first_run_ends(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    enqueue(queue, 5)
    async with dispatching(queue, agents) as dispatcher:
        (first,), first_ends = await agents.batch()
        clock.turn(timedelta(minutes=1))
        await queue.called("rescue", "rescue")
        clock.turn(timedelta(minutes=1))
        (second,), _ = await agents.batch()
        assert (second.id, second.fence) == (first.id, first.fence + 1)
        first_ends.set_result(BatchReport(lost=1))
        await queue.called("rescue")
        assert in_flight(dispatcher) == 1


async def test_own_leases_that_lapsed_in_an_outage_are_extended_before_any_is_rescued(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    (task_id,) = enqueue(queue, 5)
    # A lease is extended each third of its time; what follows a failed one is the rescuer's turn.
    tempo = Tempo(lease_s=0.9, poll_s=0.01, rescue_every_s=0.01)
    async with dispatching(queue, agents, tempo=tempo):
        await agents.batch()
        queue.away = True
        await queue.called("heartbeat", "heartbeat")
        clock.turn(timedelta(minutes=1))
        queue.away = False
        await queue.called("rescue", "rescue")
        assert queue.state(task_id) is TaskState.RUNNING


async def test_what_has_ended_makes_room_while_others_of_its_batch_go_on(
    queue: WatchedQueue, agents: Agents
) -> None:
    ended, slow, waiting = enqueue(queue, 1, 2, 3)
    async with dispatching(queue, agents, tempo=QUICK):
        tasks, _ = await agents.batch()
        assert [task.id for task in tasks] == [ended, slow]
        assert queue.finish(tasks[0])
        (then,), _ = await agents.batch()
        assert then.id == waiting
        assert queue.state(slow) is TaskState.RUNNING


async def test_a_batch_that_fails_is_queued_again_as_a_failure(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    enqueue(queue, 5)
    async with dispatching(queue, agents) as dispatcher:
        _, ends = await agents.batch()
        ends.set_exception(ConnectionError("gone \ud800"))
        await queue.called("rescue")
        assert in_flight(dispatcher) == 0
        clock.turn(timedelta(minutes=1))
        (again,), _ = await agents.batch()
        assert again.attempt == 1


async def test_a_batch_that_cannot_even_be_given_back_makes_room(
    queue: WatchedQueue, agents: Agents
) -> None:
    (task_id,) = enqueue(queue, 5)
    async with dispatching(queue, agents) as dispatcher:
        _, ends = await agents.batch()
        queue.away = True
        ends.set_exception(ConnectionError("gone"))
        await queue.called("rescue")
        assert in_flight(dispatcher) == 0
        assert queue.state(task_id) is TaskState.RUNNING
        queue.away = False


async def test_what_is_leased_while_it_stops_goes_back_and_counts_no_failure(
    queue: WatchedQueue, agents: Agents
) -> None:
    (task_id,) = enqueue(queue, 5)
    queue.may_answer.clear()
    async with dispatching(queue, agents) as dispatcher:
        await queue.called("lease")
        assert queue.state(task_id) is TaskState.RUNNING
        stopping = asyncio.create_task(dispatcher.stop())
        await asyncio.sleep(0)
        assert dispatcher.snapshot()["stopping"]
        queue.may_answer.set()
        await stopping
        assert agents.batches.empty()
    epoch = await queue.take_office("next", ttl_s=60)
    assert epoch is not None
    (again,) = await queue.lease("echo", limit=1, holder="next", epoch=epoch, lease_s=60)
    assert (again.id, again.attempt) == (task_id, 0)


async def test_a_successor_takes_office_while_batches_end_and_their_leases_are_kept(
    queue: WatchedQueue, agents: Agents
) -> None:
    enqueue(queue, 5)
    async with dispatching(queue, agents, tempo=QUICK) as dispatcher:
        assert dispatcher.lives
        _, ends = await agents.batch()
        stopping = asyncio.create_task(dispatcher.stop())
        await queue.called("leave", "heartbeat", "heartbeat")
        assert await queue.take_office("next", ttl_s=60) == 2
        assert not stopping.done()
        ends.set_result(BatchReport({"done": 1}))
        await stopping
        assert not dispatcher.lives
        assert in_flight(dispatcher) == 0


async def test_a_subscriber_that_fails_stops_nobody(
    queue: WatchedQueue, agents: Agents, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_event: events.Event) -> None:
        raise BrokenPipeError("no log")

    enqueue(queue, 5)
    forget = events.subscribe(fail)
    try:
        async with dispatching(queue, agents) as dispatcher:
            await agents.batch()
            await queue.called("rescue")
            assert dispatcher.lives
    finally:
        forget()
    assert "BrokenPipeError: no log" in caplog.text
