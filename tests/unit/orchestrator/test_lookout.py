"""What a hint is worth: a lane that it names is leased from without another look at the queue."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from gardenos.core.errors import DatabaseUnavailable
from gardenos.core.ids import AgencyId
from gardenos.orchestrator import store
from gardenos.orchestrator.lanes import Outlook, Seen
from gardenos.orchestrator.listener import Listener
from gardenos.orchestrator.lookout import Hint, Lookout
from gardenos.orchestrator.schedule import Lane
from gardenos.orchestrator.task import NewTask
from tests.support.dispatching import AGENCY, HINTED, Agents, WatchedQueue, dispatching, enqueue
from tests.support.local import eventually
from tests.support.tokens import TurnedClock

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import PostgresServer

A = AgencyId(UUID(int=1))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000 + 7
DUE = NOW + timedelta(microseconds=7)


def payload_of(clock: TurnedClock, priority: int) -> str:
    """The notification of a task of that priority, due now."""
    since = clock.now() - datetime.fromtimestamp(0, UTC)
    return f"echo {priority} {AGENCY} {since // timedelta(microseconds=1)}"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def queue(clock: TurnedClock) -> WatchedQueue:
    return WatchedQueue(clock)


@pytest.mark.parametrize(
    ("payload", "hint"),
    [
        ("", Hint()),
        ("echo", Hint("echo")),
        (f"echo 1 {A} {NOW_US}", Hint("echo", Lane(1, A, DUE))),
        (f"echo 0 {A} {NOW_US}", Hint("echo")),
        (f"echo 1 {A}", Hint("echo")),
        (f"echo 1 somebody {NOW_US}", Hint("echo")),
        (f"echo 1 {A} soon", Hint("echo")),
        (f"echo 1 {A} {10**30}", Hint("echo")),
        (f"echo 1 {A} {NOW_US} more", Hint("echo")),
    ],
)
def test_what_a_hint_does_not_say_plainly_it_does_not_say(payload: str, hint: Hint) -> None:
    assert Hint.read(payload) == hint


async def test_a_lane_that_a_hint_names_is_leased_from_without_a_look(
    queue: WatchedQueue, clock: TurnedClock
) -> None:
    agents = Agents()
    async with dispatching(queue, agents, tempo=HINTED) as dispatcher:
        await queue.called("lanes")
        clock.turn(timedelta(milliseconds=30))
        made = enqueue(queue, 1)
        dispatcher.wake(payload_of(clock, 1))
        assert (await agents.batch()).ids == made
    calls = [queue.calls.get_nowait() for _ in range(queue.calls.qsize())]
    assert calls.count("lanes") == 0


async def test_an_urgent_task_that_a_hint_names_goes_before_what_was_known(
    queue: WatchedQueue, clock: TurnedClock
) -> None:
    agents = Agents()
    enqueue(queue, *[9] * 6)
    async with dispatching(queue, agents, tempo=HINTED) as dispatcher:
        low = await agents.batch()
        (urgent,) = enqueue(queue, 1)
        dispatcher.wake(payload_of(clock, 1))
        low.ends(*low.tasks)
        assert (await agents.batch()).ids[0] == urgent


async def test_a_hint_from_far_ahead_is_not_believed_and_asks_for_a_look(
    queue: WatchedQueue, clock: TurnedClock
) -> None:
    outlook = Outlook()
    lookout = Lookout(queue, outlook, poll_s=3600, hint_gap_s=0)
    await lookout.update("test", ["echo"])
    clock_shown = outlook.now(0)
    far = clock.now() + timedelta(hours=1)
    lookout.hear(Hint("echo", Lane(1, AGENCY, far)))
    await lookout.update("test", ["echo"])
    assert outlook.now(0) - clock_shown < timedelta(seconds=1)
    assert outlook.heads("echo", 0, accepts=1, in_flight=0) == []
    assert lookout.look_in_s(0, ["echo"]) < inf, "it asks for a look instead"


async def test_what_was_heard_before_a_whole_look_is_what_it_saw(queue: WatchedQueue) -> None:
    outlook = Outlook()
    lookout = Lookout(queue, outlook, poll_s=0, hint_gap_s=0)
    gone = Lane(1, AGENCY, queue.clock.now())
    lookout.hear(Hint("echo", gone))
    queue.away = True
    with pytest.raises(DatabaseUnavailable):
        await lookout.update("test", ["echo"])
    queue.away = False
    enqueue(queue, 5)
    await lookout.update("test", ["echo"])
    assert [a.priority for a in outlook.plan("echo", 9, time.monotonic())] == [5]


async def test_what_is_heard_during_a_look_outlasts_it() -> None:
    class Hearing(WatchedQueue):
        async def lanes(self, agent_types: Collection[str] | None = None) -> Seen:
            seen = await super().lanes(agent_types)
            lookout.hear(Hint("echo", Lane(1, AGENCY, self.clock.now())))
            return seen

    outlook = Outlook()
    lookout = Lookout(Hearing(TurnedClock()), outlook, poll_s=0, hint_gap_s=0)
    await lookout.update("test", ["echo"])
    assert [a.priority for a in outlook.plan("echo", 9, time.monotonic())] == [1]


async def test_hints_that_come_one_by_one_are_leased_together(queue: WatchedQueue) -> None:
    lookout = Lookout(queue, Outlook(), poll_s=3600, hint_gap_s=60)
    await lookout.update("test", ["echo"])
    hint = Hint("echo", Lane(1, AGENCY, queue.clock.now()))
    assert lookout.hear(hint) <= 0
    await lookout.update("test", ["echo"])
    assert 59 < lookout.hear(hint) <= 60


async def test_nothing_is_looked_at_for_a_type_without_room(queue: WatchedQueue) -> None:
    lookout = Lookout(queue, Outlook(), poll_s=3600, hint_gap_s=0)
    await lookout.update("test", [])
    lookout.hear(Hint("echo"))
    assert lookout.look_in_s(0, ["other"]) == inf
    assert lookout.look_in_s(0, ["echo"]) < inf


def test_a_lane_heard_of_is_not_taken_for_younger_than_it_is() -> None:
    outlook = Outlook()
    early = NOW - timedelta(seconds=9)
    outlook.see(Seen(NOW, {"echo": [Lane(5, A, early)]}), 100)
    assert outlook.hear("echo", Lane(5, A, NOW), 100)
    assert outlook.plan("echo", 1, 100)[0].due_from == early
    assert outlook.hear("echo", Lane(5, A, early - timedelta(seconds=1)), 100)
    assert outlook.plan("echo", 1, 100)[0].due_from == early - timedelta(seconds=1)


def test_what_is_due_by_the_queues_clock_is_due_although_ours_is_late() -> None:
    outlook = Outlook()
    outlook.see(Seen(NOW, {}), 100)
    assert outlook.hear("echo", Lane(1, A, NOW + timedelta(milliseconds=40)), 100.01)
    assert [a.priority for a in outlook.plan("echo", 1, 100.01)] == [1]


async def test_enqueueing_names_the_lanes_whose_tasks_are_due(
    db: Database, owner: Claims, server: PostgresServer, database_name: str
) -> None:
    heard: list[str] = []
    listener = Listener(server.app(database_name), "gardenos_task_queued", heard.append)
    listener.start()
    try:
        await listener.listening.wait()
        tasks = [
            NewTask("echo", {}, priority=1),
            NewTask("echo", {}, priority=1),
            NewTask("echo", {}, priority=9, run_at=datetime.now(UTC) + timedelta(hours=1)),
        ]
        async with db.session(owner) as session:
            first, _, _ = await store.enqueue(session, tasks)
        await eventually(lambda: _now(heard), lambda payloads: len(payloads) == 2)
    finally:
        await listener.stop()
    assert {Hint.read(payload) for payload in heard} == {
        Hint("echo", Lane(1, owner.agency_id, first.run_at)),
        Hint("echo"),
    }


async def _now(heard: list[str]) -> list[str]:
    return list(heard)
