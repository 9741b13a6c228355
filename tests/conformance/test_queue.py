"""What every queue promises, held against PostgreSQL's and against the fake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gardenos.orchestrator import settlement
from gardenos.orchestrator.task import NewTask, Retry, TaskState
from tests.support.queues import Bench, lease


async def test_a_leased_task_is_leased_once(bench: Bench) -> None:
    await bench.enqueue(NewTask("echo", {}))
    assert len(await lease(bench)) == 1
    assert await lease(bench) == []


async def test_a_finished_task_has_succeeded_and_finishes_once(bench: Bench) -> None:
    task_id = await bench.enqueue(NewTask("echo", {}))
    (task,) = await lease(bench)
    assert await bench.finish(task)
    assert not await bench.finish(task)
    assert await bench.state(task_id) is TaskState.SUCCEEDED


async def test_other_types_and_later_tasks_stay(bench: Bench) -> None:
    await bench.enqueue(NewTask("other", {}))
    await bench.enqueue(NewTask("echo", {}, run_at=datetime.now(UTC) + timedelta(hours=1)))
    assert await lease(bench) == []
    depth = await bench.queue.depth()
    assert (depth["other"]["ready"], depth["echo"]["scheduled"]) == (1, 1)


async def test_a_time_long_past_is_no_way_to_the_front(bench: Bench) -> None:
    first = await bench.enqueue(NewTask("echo", {}))
    second = await bench.enqueue(NewTask("echo", {}, run_at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert [task.id for task in await lease(bench)] == [first, second]


async def test_order_is_by_priority_and_then_by_age(bench: Bench) -> None:
    made = [await bench.enqueue(NewTask("echo", {}, priority=p)) for p in (9, 1, 5, 1)]
    assert [task.id for task in await lease(bench)] == [made[1], made[3], made[2], made[0]]


async def test_an_expired_lease_is_rescued_as_a_failure(bench: Bench) -> None:
    task_id = await bench.enqueue(NewTask("echo", {}, max_retries=0))
    (task,) = await lease(bench, lease_s=-1)
    rescue = await bench.queue.rescue(limit=10)
    assert (rescue.requeued, rescue.dead) == (0, 1)
    assert await bench.state(task_id) is TaskState.DEAD
    assert not await bench.finish(task)


async def test_a_heartbeat_keeps_a_lease(bench: Bench) -> None:
    await bench.enqueue(NewTask("echo", {}))
    (task,) = await lease(bench, lease_s=-1)
    assert await bench.queue.heartbeat([task], lease_s=60) == {task.id}
    rescue = await bench.queue.rescue(limit=10)
    assert (rescue.requeued, rescue.dead) == (0, 0)


async def test_a_retry_waits_and_then_counts(bench: Bench) -> None:
    await bench.enqueue(NewTask("echo", {}))
    (task,) = await lease(bench)
    settled = settlement.settle(task, Retry("later", after_s=0))
    assert await bench.queue.settle([settled]) == {task.id}
    (again,) = await lease(bench)
    assert (again.attempt, again.fence) == (1, task.fence + 1)
    assert await bench.queue.settle([settled]) == set()


async def test_one_holder_at_a_time(bench: Bench) -> None:
    first = await bench.queue.take_office("one", ttl_s=60)
    assert await bench.queue.take_office("two", ttl_s=60) is None
    await bench.queue.leave_office("one")
    second = await bench.queue.take_office("two", ttl_s=60)
    assert first is not None
    assert second == first + 1


async def test_finished_tasks_are_pruned_and_waiting_ones_are_not(bench: Bench) -> None:
    await bench.enqueue(NewTask("echo", {}))
    (task,) = await lease(bench)
    assert await bench.finish(task)
    waiting = await bench.enqueue(NewTask("echo", {}))
    assert await bench.queue.prune(keep=timedelta(seconds=-1), limit=10) == 1
    assert await bench.state(waiting) is TaskState.QUEUED
