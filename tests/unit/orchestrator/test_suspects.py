"""A replica takes what it runs with it when it dies; only the task to blame pays for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from gardenos.core.ids import AgencyId, TaskId
from gardenos.orchestrator.suspects import FREE_LOSSES, Suspects
from gardenos.orchestrator.task import AgentTask, TaskState

AGENCY = AgencyId(uuid4())


def new(count: int) -> list[AgentTask]:
    return [AgentTask(TaskId(uuid4()), 5, {}, 3, AGENCY, "patient") for _ in range(count)]


def test_the_first_losses_of_a_task_cost_it_nothing() -> None:
    suspects, tasks = Suspects(), new(3)
    for _ in range(FREE_LOSSES):
        assert suspects.part(tasks) == [tasks]
        given_back = suspects.lost(tasks, "gone")
        assert [(s.state, s.attempt, s.delay_s) for s in given_back] == [
            (TaskState.QUEUED, 0, 0.0)
        ] * 3


def test_what_is_lost_again_and_again_runs_alone_and_pays() -> None:
    suspects, (task, other) = Suspects(), new(2)
    for _ in range(FREE_LOSSES):
        suspects.lost([task], "gone")
    assert suspects.part([other, task]) == [[other], [task]]
    assert suspects.part([task]) == [[task]]
    (settled,) = suspects.lost([task], "gone")
    assert (settled.attempt, settled.error) == (1, {"code": "crashed", "detail": "gone"})


def test_a_suspect_that_ends_is_none_any_more() -> None:
    suspects, tasks = Suspects(), new(1)
    for _ in range(FREE_LOSSES):
        suspects.lost(tasks, "gone")
    suspects.ended([tasks[0].id])
    assert suspects.part(tasks) == [tasks]


@given(
    innocent=st.integers(1, 30),
    size=st.integers(1, 8),
    max_retries=st.integers(0, 4),
    place=st.integers(0, 29),
)
def test_a_poison_task_dies_and_no_other_pays(
    innocent: int, size: int, max_retries: int, place: int
) -> None:
    suspects, tasks = Suspects(), [replace(t, max_retries=max_retries) for t in new(innocent)]
    (poison,) = new(1)
    poison = replace(poison, max_retries=max_retries)
    waiting: list[AgentTask] = [*tasks[:place], poison, *tasks[place:]]
    done: dict[TaskId, int] = {}
    died = 0
    while waiting and died < 100:
        leased, waiting = waiting[:size], waiting[size:]
        for batch in suspects.part(leased):
            if poison.id in {task.id for task in batch}:
                died += 1
                waiting += _again(batch, suspects)
            else:
                suspects.ended(task.id for task in batch)
                done |= {task.id: task.attempt for task in batch}
    assert done == {task.id: 0 for task in tasks}
    assert died == FREE_LOSSES + max_retries + 1


def _again(batch: Sequence[AgentTask], suspects: Suspects) -> list[AgentTask]:
    """The tasks of a lost batch that are queued again, as they are leased next."""
    settled = zip(batch, suspects.lost(batch, "gone"), strict=True)
    return [replace(t, attempt=s.attempt) for t, s in settled if s.state is TaskState.QUEUED]
