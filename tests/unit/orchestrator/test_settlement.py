from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from uuid import UUID

import pytest

from gardenos.core.ids import AgencyId, TaskId
from gardenos.orchestrator import settlement
from gardenos.orchestrator.settlement import MAX_ERROR_CHARS
from gardenos.orchestrator.task import AgentTask, Cancel, Fail, Retry, Snooze, TaskState

ID = TaskId(UUID(int=1))


def task(attempt: int = 0, max_retries: int = 3) -> AgentTask:
    return AgentTask(ID, 5, {}, max_retries, AgencyId(UUID(int=2)), "quiet", attempt, fence=7)


@pytest.mark.parametrize(
    ("attempt", "max_retries", "state"),
    [
        (0, 3, TaskState.QUEUED),
        (2, 3, TaskState.QUEUED),
        (3, 3, TaskState.DEAD),
        (0, 0, TaskState.DEAD),
    ],
)
def test_a_failure_is_retried_until_the_retries_are_used_up(
    attempt: int, max_retries: int, state: TaskState
) -> None:
    settled = settlement.settle(task(attempt, max_retries), Retry("no"), delay=lambda _: 9.0)
    assert (settled.state, settled.attempt, settled.fence) == (state, attempt + 1, 7)
    assert settled.error == {"code": "retry", "detail": "no"}
    assert settled.delay_s == (9.0 if state is TaskState.QUEUED else 0)


def test_the_delay_grows_with_the_failures() -> None:
    settled = settlement.settle(task(attempt=2), Retry("no"), delay=float)
    assert settled.delay_s == 3


@pytest.mark.parametrize(
    ("after_s", "delay_s"), [(0.0, 0), (30.0, 30), (-5.0, 0), (1e12, 86_400), (inf, 86_400)]
)
def test_a_retry_may_say_when(after_s: float, delay_s: float) -> None:
    assert settlement.settle(task(), Retry("later", after_s)).delay_s == delay_s


def test_what_can_never_work_is_dead_at_once() -> None:
    settled = settlement.settle(task(), Fail("wrong"))
    assert (settled.state, settled.attempt) == (TaskState.DEAD, 0)
    assert settled.error == {"code": "failed", "detail": "wrong"}


def test_a_snooze_counts_no_failure() -> None:
    until = datetime(2026, 1, 1, tzinfo=UTC)
    settled = settlement.settle(task(attempt=3), Snooze(until))
    assert (settled.state, settled.attempt, settled.run_at) == (TaskState.QUEUED, 3, until)
    assert settled.row()["run_at"] == "2026-01-01T00:00:00+00:00"


def test_pointless_work_is_cancelled_with_the_reason() -> None:
    settled = settlement.settle(task(), Cancel("gone"))
    assert (settled.state, settled.error) == (
        TaskState.CANCELLED,
        {"code": "cancelled", "detail": "gone"},
    )


def test_a_lost_replica_costs_a_retry_and_a_batch_never_begun_does_not() -> None:
    assert settlement.crashed(task(), "gone").attempt == 1
    assert settlement.crashed(task(attempt=3), "gone").state is TaskState.DEAD
    back = settlement.handed_back(task(attempt=3))
    assert (back.state, back.attempt, back.delay_s) == (TaskState.QUEUED, 3, 0)


def test_an_error_fits_its_column() -> None:
    settled = settlement.settle(task(), Fail("a\x00b\ud800" + "x" * 5000))
    assert settled.error is not None
    assert settled.error["detail"].startswith("ab?x")
    assert len(settled.error["detail"]) < MAX_ERROR_CHARS
