"""Lanes, limits, pauses, cancelling and schedules: alike in PostgreSQL's queue and in the fake."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from gardenos.core.ids import UserId
from gardenos.orchestrator import settlement
from gardenos.orchestrator.limits import Limit, Rules, Scope, Tokens
from gardenos.orchestrator.recurring import Schedule
from gardenos.orchestrator.schedule import AGE_S, Allotment
from gardenos.orchestrator.task import Fail, NewTask, Retry, TaskState
from gardenos.testing.queue import lease_next

if TYPE_CHECKING:
    from gardenos.core.claims import Claims

from tests.support.queues import Bench, lease

HOUR = timedelta(hours=1)


# -- lanes -----------------------------------------------------------------------------------


async def test_the_heads_of_lanes_are_seen_and_nothing_else(
    bench: Bench, owner: Claims, stranger: Claims
) -> None:
    first = await bench.enqueue(NewTask("echo", {}, priority=3))
    await bench.enqueue(NewTask("echo", {}, priority=3))
    await bench.enqueue(NewTask("echo", {}, priority=3), by=stranger)
    await bench.enqueue(NewTask("echo", {}, priority=1))
    await bench.enqueue(NewTask("other", {}))
    ended = await bench.enqueue(NewTask("gone", {}))
    await bench.cancel(ended)
    await bench.age(first, HOUR)
    seen = await bench.queue.lanes()
    lanes = {(lane.priority, lane.agency_id): lane.head for lane in seen.lanes["echo"]}
    mine = (3, owner.agency_id)
    assert lanes.keys() == {mine, (3, stranger.agency_id), (1, owner.agency_id)}
    assert HOUR - timedelta(minutes=1) < seen.at - lanes[mine] < HOUR + timedelta(minutes=1)
    assert set(seen.lanes) == {"echo", "other"}
    assert set((await bench.queue.lanes(["other", "none"])).lanes) == {"other"}


async def test_a_lane_gives_what_it_was_allotted(
    bench: Bench, owner: Claims, stranger: Claims
) -> None:
    mine = [await bench.enqueue(NewTask("echo", {})) for _ in range(3)]
    theirs = await bench.enqueue(NewTask("echo", {}), by=stranger)
    urgent = await bench.enqueue(NewTask("echo", {}, priority=1))
    epoch = await bench.queue.take_office("one", ttl_s=60)
    assert epoch is not None
    at = (await bench.queue.lanes()).at
    long_ago = at - HOUR
    allotments = [
        Allotment(5, stranger.agency_id, 7, long_ago, at, 5),
        Allotment(5, owner.agency_id, 2, long_ago, at, 5),
    ]
    leased = await bench.queue.lease("echo", allotments, holder="one", epoch=epoch, lease_s=60)
    assert [task.id for task in leased] == [theirs, *mine[:2]]
    assert {await bench.state(task_id) for task_id in (mine[2], urgent)} == {TaskState.QUEUED}


async def test_an_aged_lane_gives_its_aged_tasks_only(bench: Bench, owner: Claims) -> None:
    young, old, older = [await bench.enqueue(NewTask("echo", {}, priority=9)) for _ in range(3)]
    await bench.age(old, HOUR)
    await bench.age(older, 2 * HOUR)
    epoch = await bench.queue.take_office("one", ttl_s=60)
    assert epoch is not None
    at = (await bench.queue.lanes()).at
    aged = Allotment(9, owner.agency_id, 9, at - 3 * HOUR, at - HOUR / 2, 1)
    leased = await bench.queue.lease("echo", [aged], holder="one", epoch=epoch, lease_s=60)
    assert [task.id for task in leased] == [older, old]
    assert await bench.state(young) is TaskState.QUEUED


async def test_a_task_that_has_waited_long_goes_before_more_urgent_ones(bench: Bench) -> None:
    patient = await bench.enqueue(NewTask("echo", {}, priority=9))
    urgent = [await bench.enqueue(NewTask("echo", {}, priority=2)) for _ in range(2)]
    assert [task.id for task in await lease(bench, limit=1)] == [urgent[0]]
    await bench.age(patient, timedelta(seconds=8 * AGE_S))
    assert [task.id for task in await lease(bench, limit=1)] == [patient]


async def test_agencies_take_turns_whoever_came_first(
    bench: Bench, owner: Claims, stranger: Claims
) -> None:
    for _ in range(10):
        await bench.enqueue(NewTask("echo", {}))
    for _ in range(4):
        await bench.enqueue(NewTask("echo", {}), by=stranger)
    got = Counter(task.agency_id for task in await lease(bench, limit=8))
    assert got == {owner.agency_id: 4, stranger.agency_id: 4}


async def test_weights_share_a_priority(bench: Bench, owner: Claims, stranger: Claims) -> None:
    await bench.limit((None, stranger.agency_id), Limit(weight=3))
    for _ in range(8):
        await bench.enqueue(NewTask("echo", {}))
        await bench.enqueue(NewTask("echo", {}), by=stranger)
    got = Counter(task.agency_id for task in await lease(bench, limit=8))
    assert got == {owner.agency_id: 2, stranger.agency_id: 6}


# -- limits and pauses -----------------------------------------------------------------------


@pytest.mark.parametrize("which", ["type", "agency", "both"])
async def test_no_more_run_than_a_limit_allows(
    bench: Bench, owner: Claims, stranger: Claims, which: str
) -> None:
    scopes: dict[str, Scope] = {
        "type": ("echo", None),
        "agency": (None, owner.agency_id),
        "both": ("echo", owner.agency_id),
    }
    await bench.limit(scopes[which], Limit(max_running=2))
    for _ in range(4):
        await bench.enqueue(NewTask("echo", {}))
    await bench.enqueue(NewTask("echo", {}, priority=6), by=stranger)
    first = await lease(bench)
    got = Counter(task.agency_id for task in first)
    bound = {owner.agency_id: 2}
    assert got == (bound if which == "type" else bound | {stranger.agency_id: 1})
    rules = await bench.queue.rules("another")
    assert rules.elsewhere == {("echo", agency_id): n for agency_id, n in got.items()}
    assert (await bench.queue.rules("one")).elsewhere == {}


@pytest.mark.parametrize("which", ["type", "agency", "both"])
async def test_what_is_paused_waits_and_nothing_else(
    bench: Bench, owner: Claims, stranger: Claims, which: str
) -> None:
    mine = await bench.enqueue(NewTask("echo", {}))
    theirs = await bench.enqueue(NewTask("echo", {}), by=stranger)
    scopes: dict[str, Scope] = {
        "type": ("echo", None),
        "agency": (None, owner.agency_id),
        "both": ("echo", owner.agency_id),
    }
    await bench.pause(scopes[which])
    leased = [task.id for task in await lease(bench)]
    assert leased == ([] if which == "type" else [theirs])
    assert await bench.state(mine) is TaskState.QUEUED


async def test_rules_are_known_as_they_were_set(bench: Bench, owner: Claims) -> None:
    limit = Limit(4, 3, 20, 1000)
    await bench.limit((None, owner.agency_id), limit)
    await bench.limit(("echo", None), Limit(max_running=9))
    await bench.pause(("echo", owner.agency_id))
    assert await bench.queue.rules("one") == Rules(
        {(None, owner.agency_id): limit, ("echo", None): Limit(max_running=9)},
        frozenset({("echo", owner.agency_id)}),
    )


async def test_tokens_are_known_where_they_are_limited(bench: Bench, owner: Claims) -> None:
    await bench.limit((None, owner.agency_id), Limit(tokens_per_minute=1000))
    await bench.enqueue(NewTask("echo", {}))
    (task,) = await lease(bench)
    await bench.use_tokens(task, 700)
    rules = await bench.queue.rules("one")
    assert rules.tokens == {("echo", owner.agency_id): Tokens(700, 1)}


async def test_runs_of_the_last_minute_are_remembered_however_they_ended(
    bench: Bench, owner: Claims
) -> None:
    for _ in range(4):
        await bench.enqueue(NewTask("echo", {}))
    done, retried, died, _running = await lease(bench)
    assert await bench.finish(done)
    ends = [settlement.settle(retried, Retry("later")), settlement.settle(died, Fail("no"))]
    assert len(await bench.queue.settle(ends)) == 2
    assert await bench.queue.begun() == []
    await bench.limit((None, owner.agency_id), Limit(requests_per_minute=9))
    begun = await bench.queue.begun()
    assert sum(each.runs for each in begun) == 4
    assert {each.pair for each in begun} == {("echo", owner.agency_id)}
    assert all(0 <= each.ago_s < 30 for each in begun)


# -- cancelling ------------------------------------------------------------------------------


async def test_a_waiting_task_is_cancelled_at_once(bench: Bench) -> None:
    task_id = await bench.enqueue(NewTask("echo", {}))
    await bench.cancel(task_id)
    assert await bench.state(task_id) is TaskState.CANCELLED
    assert await lease(bench) == []


async def test_a_marked_task_that_would_be_queued_again_is_cancelled(bench: Bench) -> None:
    for _ in range(3):
        await bench.enqueue(NewTask("echo", {}))
    retried, back, finished = await lease(bench)
    for task in (retried, back, finished):
        await bench.cancel(task.id)
        assert await bench.state(task.id) is TaskState.RUNNING
    ends = [settlement.settle(retried, Retry("later", after_s=0)), settlement.handed_back(back)]
    assert len(await bench.queue.settle(ends)) == 2
    assert await bench.finish(finished)
    assert await bench.state(retried.id) is TaskState.CANCELLED
    assert await bench.state(back.id) is TaskState.CANCELLED
    assert await bench.state(finished.id) is TaskState.SUCCEEDED


async def test_a_marked_task_whose_worker_fell_silent_is_cancelled(bench: Bench) -> None:
    await bench.enqueue(NewTask("echo", {}))
    (task,) = await lease(bench, lease_s=-1)
    await bench.cancel(task.id)
    rescue = await bench.queue.rescue(limit=10)
    assert (rescue.requeued, rescue.dead, rescue.cancelled) == (0, 0, 1)
    assert rescue
    assert await bench.state(task.id) is TaskState.CANCELLED
    assert not await bench.queue.rescue(limit=10)


# -- schedules -------------------------------------------------------------------------------


def schedule(by: Claims, **changes: Any) -> Schedule:
    return replace(
        Schedule(
            id=UUID(int=7),
            agency_id=by.agency_id,
            agent_type="echo",
            payload={"from": "a schedule"},
            cron="0 0 * * *",
            time_zone="Europe/Berlin",
            next_run_at=datetime.now(UTC) - HOUR,
            priority=2,
            created_by=UserId(by.sub),
        ),
        **changes,
    )


async def test_a_due_schedule_becomes_one_task_however_long_it_was_missed(
    bench: Bench, owner: Claims
) -> None:
    await bench.recur(schedule(owner, next_run_at=datetime.now(UTC) - 50 * 24 * HOUR))
    fired = await bench.queue.fire(limit=10)
    (task,) = await lease(bench)
    assert fired.tasks == (task.id,)
    assert (task.payload, task.priority) == ({"from": "a schedule"}, 2)
    assert (await bench.queue.fire(limit=10)).tasks == ()


async def test_a_schedule_not_yet_due_waits(bench: Bench, owner: Claims) -> None:
    await bench.recur(schedule(owner, next_run_at=datetime.now(UTC) + HOUR))
    assert (await bench.queue.fire(limit=10)).tasks == ()


async def test_a_schedule_that_cannot_go_on_fires_once_more_and_stops(
    bench: Bench, owner: Claims
) -> None:
    await bench.recur(schedule(owner, time_zone="Atlantis/Centre"))
    fired = await bench.queue.fire(limit=10)
    assert len(fired.tasks) == 1
    assert "no time zone 'Atlantis/Centre'" in fired.stopped[UUID(int=7)]
    assert (await bench.queue.fire(limit=10)).stopped == {}


# -- depth and pruning -----------------------------------------------------------------------


async def test_the_depth_says_when_it_stopped_counting(bench: Bench) -> None:
    made = [await bench.enqueue(NewTask("echo", {}, priority=p)) for p in (2, 5, 5, 9)]
    await bench.age(made[3], HOUR)
    depth = (await bench.queue.depth(counted=3))["echo"]
    assert (depth["ready"], depth["scheduled"], depth["at_least"]) == (3, 0, True)
    assert depth["oldest_ready_s"] > 3000
    for counted in (100, None):
        depth = (await bench.queue.depth(counted=counted))["echo"]
        assert (depth["ready"], depth["running"], depth["at_least"]) == (4, 0, False)


async def test_the_dead_are_kept_and_the_oldest_go_first(bench: Bench) -> None:
    for _ in range(4):
        await bench.enqueue(NewTask("echo", {}))
    first, second, died, third = await lease(bench)
    for task in (first, second):
        assert await bench.finish(task)
    await bench.queue.settle([settlement.settle(died, Fail("no"))])
    assert await bench.finish(third)
    assert await bench.queue.prune(keep=HOUR, limit=10) == 0
    assert await bench.queue.prune(keep=timedelta(seconds=-1), limit=2) == 2
    assert await bench.state(third.id) is TaskState.SUCCEEDED
    assert await bench.queue.prune(keep=timedelta(seconds=-1), limit=2) == 1
    assert await bench.queue.prune(keep=timedelta(seconds=-1), limit=2) == 0
    assert await bench.state(died.id) is TaskState.DEAD


async def test_a_past_epoch_leases_nothing(bench: Bench, owner: Claims) -> None:
    await bench.enqueue(NewTask("echo", {}))
    first = await bench.queue.take_office("one", ttl_s=60)
    assert first is not None
    await bench.queue.leave_office("one")
    second = await bench.queue.take_office("two", ttl_s=60)
    assert second is not None
    everything = {"limit": 9, "lease_s": 60}
    assert await lease_next(bench.queue, "echo", holder="one", epoch=first, **everything) == []
    assert await lease_next(bench.queue, "echo", holder="one", epoch=second, **everything) == []
    assert await lease_next(bench.queue, "echo", holder="two", epoch=first, **everything) == []
    assert len(await lease_next(bench.queue, "echo", holder="two", epoch=second, **everything)) == 1
