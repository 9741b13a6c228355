"""Limits, pauses and schedules as the dispatcher keeps them, and what it says of what waits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from gardenos.observability import events
from gardenos.orchestrator.dispatcher import Tempo
from gardenos.orchestrator.limits import Limit
from gardenos.orchestrator.recurring import Schedule
from tests.support.dispatching import (
    AGENCY,
    CALM,
    OTHER,
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


# -- limits, pauses, and what is said of them ------------------------------------------------


async def test_a_limit_on_what_runs_is_kept_from_batch_to_batch(
    queue: WatchedQueue, agents: Agents
) -> None:
    queue.limits["echo", AGENCY] = Limit(max_running=3)
    mine, theirs = enqueue(queue, *[5] * 8), enqueue(queue, 6, by=OTHER)
    async with dispatching(queue, agents, capacity={"echo": 8}) as dispatcher:
        batch = await agents.batch()
        assert batch.ids == [*mine[:3], *theirs]
        await queue.called("lanes", "lanes")
        assert in_flight(dispatcher) == 4
        assert head(dispatcher)["reason"] == "limit_running"
        batch.ends(batch.tasks[0])
        assert (await agents.batch()).ids == [mine[3]]
        await queue.called("lanes", "lanes")
        assert in_flight(dispatcher) == 4


async def test_a_limit_on_what_begins_outlasts_the_orchestrator(
    queue: WatchedQueue, agents: Agents
) -> None:
    queue.limits[None, AGENCY] = Limit(requests_per_minute=3)
    made = enqueue(queue, *[5] * 5)
    for holder, ids in (("one", made[:2]), ("two", made[2:3])):
        async with dispatching(queue, agents, holder=holder) as dispatcher:
            batch = await agents.batch()
            assert batch.ids == ids
            for task in batch.tasks:
                assert queue.finish(task)
            batch.ends(*batch.tasks)
            batch.closes()
            if holder == "two":
                await queue.called("lanes", "lanes")
                assert head(dispatcher)["reason"] == "limit_requests"
    assert agents.batches.empty()


async def test_what_is_paused_waits_until_it_is_resumed(
    queue: WatchedQueue, agents: Agents
) -> None:
    queue.paused.add((None, AGENCY))
    mine, theirs = enqueue(queue, 1), enqueue(queue, 9, by=OTHER)
    async with dispatching(queue, agents) as dispatcher:
        assert (await agents.batch()).ids == theirs
        assert head(dispatcher) == {
            "agency_id": AGENCY,
            "priority": 1,
            "effective_priority": 1,
            "run_at": queue.clock.now(),
            "waited_s": pytest.approx(0, abs=SOON_S),
            "reason": "paused_agency",
            "why": "The agency is paused for every type of agent.",
        }
        queue.paused.clear()
        assert (await agents.batch()).ids == mine


async def test_a_type_without_agents_says_so(queue: WatchedQueue, agents: Agents) -> None:
    enqueue(queue, 5, agent_type="nobody")
    async with dispatching(queue, agents) as dispatcher:
        await queue.called("lanes", "lanes")
        assert head(dispatcher, "nobody")["reason"] == "no_agents"


async def test_full_agents_say_so(queue: WatchedQueue, agents: Agents) -> None:
    enqueue(queue, 5, 5, 5)
    async with dispatching(queue, agents) as dispatcher:
        await agents.batch()
        await queue.called("lanes", "lanes")
        assert head(dispatcher)["reason"] == "agents_full"


# -- schedules -------------------------------------------------------------------------------


def every_minute(queue: WatchedQueue) -> Schedule:
    now = queue.clock.now()
    return Schedule(UUID(int=3), AGENCY, "echo", {}, "* * * * *", "UTC", now)


async def test_a_schedule_becomes_tasks(
    queue: WatchedQueue, agents: Agents, clock: TurnedClock
) -> None:
    queue.recur(every_minute(queue))
    tempo = Tempo(poll_s=0.01, recur_every_s=0.01)
    async with dispatching(queue, agents, tempo=tempo):
        for _ in range(2):
            batch = await agents.batch()
            (task,) = batch.tasks
            assert queue.finish(task)
            batch.ends(task)
            clock.turn(timedelta(minutes=1))


async def test_a_schedule_that_cannot_go_on_is_told_of(queue: WatchedQueue, agents: Agents) -> None:
    stopped: asyncio.Queue[events.ScheduleStopped] = asyncio.Queue()

    def hear(event: events.Event) -> None:
        if isinstance(event, events.ScheduleStopped):
            stopped.put_nowait(event)

    gone = replace(every_minute(queue), time_zone="Gone/Away")
    queue.recur(gone)
    forget = events.subscribe(hear)
    try:
        async with dispatching(queue, agents, tempo=CALM), asyncio.timeout(SOON_S):
            event = await stopped.get()
    finally:
        forget()
    assert event.schedule_id == gone.id
    assert "no time zone" in event.reason
