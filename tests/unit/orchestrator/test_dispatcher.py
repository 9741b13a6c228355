"""The dispatcher over a queue in memory whose clock stands still until it is turned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gardenos.core.ids import TaskId
from gardenos.observability import events
from gardenos.orchestrator.dispatcher import Dispatcher, Tempo
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.task import AgentTask, NewTask, TaskState
from gardenos.testing.queue import lease_next
from tests.support.dispatching import (
    AGENCY,
    CALM,
    HINTED,
    QUICK,
    SOON_S,
    Agents,
    WatchedQueue,
    dispatching,
    enqueue,
    head,
    in_flight,
)
from tests.support.tokens import TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def queue(clock: TurnedClock) -> WatchedQueue:
    return WatchedQueue(clock)


@pytest.fixture
async def agents() -> Agents:
    return Agents()


# -- dispatch --------------------------------------------------------------------------------


async def test_no_more_is_sent_than_is_accepted_and_the_urgent_first(
    queue: WatchedQueue, agents: Agents
) -> None:
    low, urgent, middle = enqueue(queue, 9, 1, 5)
    async with dispatching(queue, agents) as dispatcher:
        batch = await agents.batch()
        assert batch.ids == [urgent]
        second = await agents.batch()
        assert second.ids == [middle]
        assert in_flight(dispatcher) == 2
        batch.ends(*batch.tasks)
        assert (await agents.batch()).ids == [low]


async def test_a_type_that_empties_as_fast_as_it_is_filled_does_not_starve_another(
    queue: WatchedQueue,
) -> None:
    sent: asyncio.Queue[str] = asyncio.Queue()

    class AtOnce(Agents):
        async def _all_end(self, tasks: Sequence[AgentTask]) -> AsyncIterator[BatchReport]:
            for task in tasks:
                queue.finish(task)
                enqueue(queue, 5, agent_type=task.agent_type)
                sent.put_nowait(task.agent_type)
            yield BatchReport(ended=tuple(task.id for task in tasks))

        def send(self, _agent_type: str, tasks: Sequence[AgentTask]) -> AsyncIterator[BatchReport]:
            return self._all_end(tasks)

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


async def test_an_agent_works_on_two_batches_at_least(queue: WatchedQueue, agents: Agents) -> None:
    made = enqueue(queue, *[5] * 10)
    dispatcher = Dispatcher(
        queue,
        holder="test",
        send=agents.send,
        capacity=lambda: {"echo": 16},
        concurrency={"echo": 8},
        tempo=CALM,
    )
    dispatcher.start()
    try:
        batches = [await agents.batch() for _ in range(3)]
    finally:
        await dispatcher.stop(within_s=0)
    assert [batch.ids for batch in batches] == [made[:4], made[4:8], made[8:]]


async def test_a_hint_is_enough_and_a_busy_one_is_not_kept_looking(
    queue: WatchedQueue, agents: Agents
) -> None:
    async with dispatching(queue, agents, tempo=HINTED) as dispatcher:
        await queue.called("lanes")
        first, second = enqueue(queue, 5, 5)
        dispatcher.wake("echo")
        batch = await agents.batch()
        assert batch.ids == [first, second]
        for _ in range(1000):
            dispatcher.wake("echo")
            await asyncio.sleep(0)
    calls = [queue.calls.get_nowait() for _ in range(queue.calls.qsize())]
    # The first hint made it look. Then its agents were full, and there was nothing to look for.
    assert calls.count("lanes") == 1


async def test_hints_are_looked_after_together(queue: WatchedQueue, agents: Agents) -> None:
    async with dispatching(queue, agents, tempo=HINTED, capacity={"echo": 5000}) as dispatcher:
        await queue.called("lanes")
        made: list[TaskId] = []
        for _ in range(1000):
            made += enqueue(queue, 5)
            dispatcher.wake("echo")
            await asyncio.sleep(0)
        sent: list[TaskId] = []
        while len(sent) < len(made):
            sent += (await agents.batch()).ids
    assert sent == made
    calls = [queue.calls.get_nowait() for _ in range(queue.calls.qsize())]
    assert 1 <= calls.count("lanes") < 100


async def test_what_is_known_of_the_queue_is_enough_to_go_on(
    queue: WatchedQueue, agents: Agents
) -> None:
    made = enqueue(queue, *[5] * 40)
    async with dispatching(queue, agents, tempo=HINTED):
        sent: list[TaskId] = []
        while len(sent) < len(made):
            batch = await agents.batch()
            sent += batch.ids
            batch.ends(*batch.tasks)
    assert sent == made
    calls = [queue.calls.get_nowait() for _ in range(queue.calls.qsize())]
    assert calls.count("lanes") == 1


async def test_a_task_is_dispatched_when_it_falls_due_without_a_hint(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    due = clock.now() + timedelta(milliseconds=50)
    later = clock.now() + timedelta(hours=1)
    soon = queue.enqueue(AGENCY, NewTask("echo", {}, run_at=due))
    queue.enqueue(AGENCY, NewTask("echo", {}, priority=1, run_at=later))
    async with dispatching(queue, agents, tempo=HINTED) as dispatcher:
        await queue.called("lanes")
        assert head(dispatcher)["reason"] == "not_due"
        clock.turn(timedelta(milliseconds=50))
        assert (await agents.batch()).ids == [soon]


# -- leases ----------------------------------------------------------------------------------


async def test_a_task_leased_anew_is_looked_after_when_its_first_run_ends(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    enqueue(queue, 5)
    async with dispatching(queue, agents) as dispatcher:
        batch = await agents.batch()
        (first,) = batch.tasks
        clock.turn(timedelta(minutes=1))
        await queue.called("rescue", "rescue")
        clock.turn(timedelta(minutes=1))
        (second,) = (await agents.batch()).tasks
        assert (second.id, second.fence) == (first.id, first.fence + 1)
        batch.ends(first, lost=1)
        batch.closes()
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


async def test_what_a_heartbeat_finds_ended_makes_room(queue: WatchedQueue, agents: Agents) -> None:
    ended, slow, waiting = enqueue(queue, 1, 2, 3)
    async with dispatching(queue, agents, tempo=QUICK):
        batch = await agents.batch()
        assert (batch.ids, (await agents.batch()).ids) == ([ended], [slow])
        assert queue.finish(batch.tasks[0])
        assert (await agents.batch()).ids == [waiting]
        assert queue.state(slow) is TaskState.RUNNING


async def test_what_is_reported_makes_room_at_once(queue: WatchedQueue, agents: Agents) -> None:
    made = enqueue(queue, *[5] * 6)
    async with dispatching(queue, agents, capacity={"echo": 4}) as dispatcher:
        batch = await agents.batch()
        assert batch.ids == made[:4]
        batch.ends(*batch.tasks[2:])
        assert (await agents.batch()).ids == made[4:]
        assert in_flight(dispatcher) == 4
        assert dispatcher.snapshot()["agents"]["echo"]["outcomes"] == {"done": 2}


async def test_a_task_lost_with_its_batch_is_queued_again_and_pays_only_when_it_was_alone(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    enqueue(queue, 5)
    async with dispatching(queue, agents) as dispatcher:
        seen: list[tuple[int, int]] = []
        for _ in range(4):
            batch = await agents.batch()
            seen += [(task.fence, task.attempt) for task in batch.tasks]
            batch.fails(ConnectionError("gone \ud800"))
            await queue.called("settle")
            clock.turn(timedelta(minutes=1))
        assert seen == [(1, 0), (2, 0), (3, 0), (4, 1)]
        assert dispatcher.snapshot()["agents"]["echo"]["given_back"] == 4


@pytest.mark.parametrize("how", ["breaks", "closes"])
async def test_only_what_was_not_reported_is_queued_again(
    queue: WatchedQueue, agents: Agents, how: str
) -> None:
    ended, cut = enqueue(queue, 5, 5)
    async with dispatching(queue, agents, capacity={"echo": 4}) as dispatcher:
        batch = await agents.batch()
        assert queue.finish(batch.tasks[0])
        batch.ends(batch.tasks[0])
        batch.closes() if how == "closes" else batch.fails(ConnectionError("gone"))
        await queue.called("settle")
        assert (queue.state(ended), queue.state(cut)) == (TaskState.SUCCEEDED, TaskState.QUEUED)
        assert dispatcher.snapshot()["agents"]["echo"]["given_back"] == 1


async def test_an_agent_that_falls_silent_is_taken_for_dead(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    enqueue(queue, 5)
    async with dispatching(queue, agents, tempo=replace(CALM, silent_s=0.05)) as dispatcher:
        batch = await agents.batch()
        await queue.called("settle")
        clock.turn(timedelta(minutes=1))
        (again,) = (await agents.batch()).tasks
        assert (again.attempt, again.fence) == (0, 2)
        assert not queue.finish(batch.tasks[0])
        assert dispatcher.snapshot()["agents"]["echo"]["given_back"] >= 1


async def test_a_batch_that_cannot_even_be_given_back_makes_room(
    queue: WatchedQueue, agents: Agents
) -> None:
    (task_id,) = enqueue(queue, 5)
    async with dispatching(queue, agents) as dispatcher:
        batch = await agents.batch()
        queue.away = True
        batch.fails(ConnectionError("gone"))
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
    (again,) = await lease_next(queue, "echo", limit=1, holder="next", epoch=epoch, lease_s=60)
    assert (again.id, again.attempt) == (task_id, 0)


async def test_a_successor_takes_office_while_batches_end_and_their_leases_are_kept(
    queue: WatchedQueue, agents: Agents
) -> None:
    enqueue(queue, 5)
    async with dispatching(queue, agents, tempo=QUICK) as dispatcher:
        assert dispatcher.lives
        batch = await agents.batch()
        stopping = asyncio.create_task(dispatcher.stop())
        await queue.called("leave", "heartbeat", "heartbeat")
        assert await queue.take_office("next", ttl_s=60) == 2
        assert not stopping.done()
        batch.ends(*batch.tasks)
        batch.closes()
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


# -- two at once -----------------------------------------------------------------------------


async def test_an_office_that_lapsed_unnoticed_leases_nothing_more(
    queue: WatchedQueue, clock: TurnedClock
) -> None:
    old, new = Agents(), Agents()
    first = enqueue(queue, 5)
    tempo = replace(CALM, office_ttl_s=3600)
    async with dispatching(queue, old, tempo=tempo, holder="old"):
        assert (await old.batch()).ids == first
        # The old one does not renew for hours yet, and takes itself for the holder.
        clock.turn(timedelta(hours=2))
        async with dispatching(queue, new, tempo=tempo, holder="new") as successor:
            await queue.called("lanes", "lanes")
            second = enqueue(queue, 5)
            successor.wake()
            assert (await new.batch()).ids == second
            await queue.called("lanes", "lanes", "lanes")
        assert old.batches.empty()
