"""Runs that are cut short: cancelled by a member, or taken over by another run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.observability import events
from gardenos.orchestrator.executor import Executor
from gardenos.orchestrator.runs import Interrupted
from gardenos.orchestrator.task import AgentTask, Attempt, Done
from tests.unit.orchestrator.conftest import Patient, Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection


class Paying(Patient):
    """Pays before it waits, and knows what it paid when it is cut short."""

    def __init__(self) -> None:
        super().__init__()
        self.cut: list[TaskId] = []
        self.recorded: dict[TaskId, Sequence[Any]] = {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        self.working.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError as error:
            self.cut.append(task.id)
            raise Interrupted(["one call"]) from error
        return Attempt(task, Done({}))

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        self.recorded |= {attempt.task.id: attempt.usage for attempt in attempts}


@pytest.fixture
def paying() -> Paying:
    return Paying()


@pytest.fixture
def executor(db: Database, paying: Paying) -> Executor:
    return Executor(db, paying, settle_every_s=0.01, watch_every_s=0.01)


async def cancel(db: Database, claims: Claims, task: AgentTask) -> None:
    async with db.session(claims) as session:
        await session.execute(
            "UPDATE agent_tasks SET cancel_requested_at = now(), cancelled_by = $2 WHERE id = $1",
            task.id,
            claims.sub,
        )


async def test_a_run_that_a_member_cancels_is_cut_short_and_what_it_used_recorded(
    db: Database, owner: Claims, executor: Executor, paying: Paying, tasks: Tasks
) -> None:
    wanted, unwanted = await tasks.leased({}, {})
    batch = asyncio.create_task(executor.run_batch([wanted, unwanted]))
    await paying.working.wait()
    await cancel(db, owner, unwanted)
    while not paying.recorded:
        await asyncio.wait([batch], timeout=0.01)
    assert paying.cut == [unwanted.id]
    paying.may_end.set()
    assert (await batch).outcomes == {"cancel": 1, "done": 1}
    done, cancelled = reversed(await tasks.all())
    assert (done.state.value, cancelled.state.value) == ("succeeded", "cancelled")
    assert cancelled.error == {
        "code": "cancelled",
        "detail": "A member of the agency cancelled it.",
    }
    assert (cancelled.attempt, paying.recorded) == (0, {unwanted.id: ("one call",)})


async def test_a_run_that_ends_before_anybody_looks_stays_succeeded(
    db: Database, owner: Claims, paying: Paying, tasks: Tasks
) -> None:
    (task,) = await tasks.leased({})
    batch = asyncio.create_task(Executor(db, paying, watch_every_s=60).run_batch([task]))
    await paying.working.wait()
    await cancel(db, owner, task)
    paying.may_end.set()
    assert (await batch).outcomes == {"done": 1}
    assert await tasks.states() == ["succeeded"]


async def test_a_run_whose_lease_has_passed_on_is_cut_short_and_counted_as_lost(
    admin: AdminConnection, executor: Executor, paying: Paying, tasks: Tasks
) -> None:
    told: list[events.Event] = []
    forget = events.subscribe(told.append)
    (task,) = await tasks.leased({})
    batch = asyncio.create_task(executor.run_batch([task]))
    await paying.working.wait()
    await admin.execute("UPDATE agent_tasks SET fence = fence + 1")
    report = await batch
    forget()
    assert (report.outcomes, report.lost, report.ended) == ({}, 1, (task.id,))
    assert paying.cut == [task.id]
    assert paying.recorded == {task.id: ("one call",)}
    assert events.ZombieDropped(task.id, "patient", task.fence) in told
    assert executor.ledger.figures()["lost"] == 1
    assert await tasks.states() == ["running"]


async def test_a_run_whose_task_was_deleted_is_cut_short_too(
    admin: AdminConnection, executor: Executor, paying: Paying, tasks: Tasks
) -> None:
    (task,) = await tasks.leased({})
    batch = asyncio.create_task(executor.run_batch([task]))
    await paying.working.wait()
    await admin.execute("DELETE FROM agent_tasks")
    assert (await batch).lost == 1
    assert paying.cut == [task.id]


async def test_runs_of_several_agencies_are_looked_after_together(
    db: Database, owner: Claims, stranger: Claims, paying: Paying, tasks: Tasks
) -> None:
    executor = Executor(db, paying, watch_every_s=0.01)
    theirs = Tasks(db, stranger)
    await theirs.enqueue({})
    leased = await tasks.leased({})
    batch = asyncio.create_task(executor.run_batch(leased))
    await paying.working.wait()
    for task in leased:
        await cancel(db, owner if task.agency_id == owner.agency_id else stranger, task)
    assert (await batch).outcomes == {"cancel": 2}
    assert [await tasks.states(), await theirs.states()] == [["cancelled"], ["cancelled"]]


async def test_a_run_stopped_by_its_deadline_keeps_the_record_of_what_it_used(
    db: Database, paying: Paying, tasks: Tasks
) -> None:
    (task,) = await tasks.leased({})
    report = await Executor(db, paying, deadline_s=0.01).run_batch([task])
    assert report.outcomes == {"retry": 1}
    assert paying.recorded == {task.id: ("one call",)}
    (view,) = await tasks.all()
    assert (view.error or {})["detail"] == "It took longer than 0.01 s, the deadline of its agents."
