"""What one run does to the others of its batch: nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.errors import DatabaseUnavailable
from gardenos.core.ids import TaskId
from gardenos.db.session import TenantSession
from gardenos.observability import events
from gardenos.orchestrator.executor import Executor
from gardenos.orchestrator.task import AgentTask, Attempt, Done
from tests.support.local import eventually
from tests.unit.orchestrator.conftest import Patient, Tasks

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database


class Moody(Patient):
    """Does as its payload says: waits if slow, fails to load, to store or to account for."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: Counter[TaskId] = Counter()
        self.recorded: list[TaskId] = []
        self.away = False
        """Whether the database goes away when something is stored."""

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        for task in tasks:
            if task.payload.get("load"):
                raise LookupError(task.payload["load"])
        return {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        self.runs[task.id] += 1
        self.working.set()
        if task.payload.get("slow"):
            await self.may_end.wait()
        if task.payload.get("raises"):
            raise TimeoutError(task.payload["raises"])
        return Attempt(task, Done({}), usage=("one call",))

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        if self.away:
            raise DatabaseUnavailable
        for attempt in attempts:
            if attempt.task.payload.get("store"):
                raise AttributeError(attempt.task.payload["store"])

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            if attempt.task.payload.get("account"):
                raise OverflowError(attempt.task.payload["account"])
        self.recorded += [attempt.task.id for attempt in attempts]


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
def executor(db: Database, moody: Moody) -> Executor:
    return Executor(db, moody, settle_every_s=0.01)


async def ends(tasks: Tasks) -> list[tuple[str, str | None]]:
    """State and last error of every task, in the order they were made."""
    views = reversed(await tasks.all())
    return [(view.state.value, (view.error or {}).get("detail")) for view in views]


async def test_a_quick_run_is_written_down_while_a_slow_one_goes_on(
    executor: Executor, moody: Moody, tasks: Tasks
) -> None:
    leased = await tasks.leased({}, {"slow": True}, {})
    batch = asyncio.create_task(executor.run_batch(leased))
    seen = await eventually(tasks.states, lambda states: states.count("succeeded") == 2)
    assert seen.count("running") == 1
    moody.may_end.set()
    report = await batch
    assert (report.outcomes, report.lost) == ({"done": 3}, 0)
    assert await tasks.states() == ["succeeded"] * 3


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"load": "bad id"}, "What it needs could not be read: LookupError: bad id"),
        ({"store": "no score"}, "Its result could not be stored: AttributeError: no score"),
        ({"account": "much"}, "Its result could not be stored: OverflowError: much"),
        ({"raises": "endpoint"}, "TimeoutError: endpoint"),
    ],
)
async def test_what_breaks_one_task_leaves_the_others_of_its_batch_alone(
    executor: Executor, moody: Moody, tasks: Tasks, payload: dict[str, Any], why: str
) -> None:
    report = await executor.run_batch(await tasks.leased({}, payload, {}))
    assert report.outcomes == {"done": 2, "retry": 1}
    assert await ends(tasks) == [("succeeded", None), ("queued", why), ("succeeded", None)]
    assert max(moody.runs.values()) == 1


async def test_the_cost_of_a_result_that_cannot_be_stored_is_recorded(
    executor: Executor, moody: Moody, tasks: Tasks
) -> None:
    (spoilt,) = await tasks.leased({"store": "no score"})
    await executor.run_batch([spoilt])
    assert moody.recorded == [spoilt.id]


async def test_an_agent_that_reads_nothing_is_not_asked_to_load(db: Database, tasks: Tasks) -> None:
    class Abstinent(Patient):
        reads = False

        async def load(
            self, session: TenantSession, tasks: Sequence[AgentTask]
        ) -> Mapping[TaskId, Any]:
            raise AssertionError("there was nothing to read")

    report = await Executor(db, Abstinent()).run_batch(await tasks.leased({"quick": True}))
    assert report.outcomes == {"done": 1}
    assert await tasks.states() == ["succeeded"]


async def test_runs_that_ended_alike_are_told_of_together(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    told: list[events.Event] = []
    leased = await tasks.leased({"quick": True}, {"quick": True}, {"quick": True, "fails": True})
    forget = events.subscribe(told.append)
    try:
        await Executor(db, patient).run_batch(leased)
    finally:
        forget()
    ended = [event for event in told if isinstance(event, events.RunsEnded)]
    first, second, failed = [task.id for task in leased]
    assert {(e.outcome, e.state): {task_id for task_id, _ in e.runs} for e in ended} == {
        ("done", "succeeded"): {first, second},
        ("fail", "dead"): {failed},
    }


async def test_a_run_past_its_deadline_is_stopped(db: Database, moody: Moody, tasks: Tasks) -> None:
    executor = Executor(db, moody, deadline_s=0.01)
    await executor.run_batch(await tasks.leased({"slow": True}))
    assert await ends(tasks) == [
        ("queued", "It took longer than 0.01 s, the deadline of its agents.")
    ]


async def test_results_outlast_an_outage_while_others_of_their_batch_run(
    executor: Executor, moody: Moody, tasks: Tasks
) -> None:
    moody.away = True
    leased = await tasks.leased({}, {"slow": True})
    batch = asyncio.create_task(executor.run_batch(leased))
    await moody.working.wait()
    moody.away = False
    await eventually(tasks.states, lambda states: "succeeded" in states)
    moody.may_end.set()
    await batch
    assert await tasks.states() == ["succeeded"] * 2
    assert set(moody.runs.values()) == {1}


async def test_an_outage_at_the_end_is_an_error_of_the_batch(
    executor: Executor, moody: Moody, tasks: Tasks
) -> None:
    moody.away = True
    with pytest.raises(DatabaseUnavailable):
        await executor.run_batch(await tasks.leased({}, {}))
    assert await ends(tasks) == [("running", None)] * 2


async def test_a_batch_fails_only_when_all_agencies_in_it_have_ended(
    db: Database, tasks: Tasks, stranger: Claims
) -> None:
    class AwayForStrangers(Moody):
        async def load(
            self, session: TenantSession, tasks: Sequence[AgentTask]
        ) -> Mapping[TaskId, Any]:
            if session.claims.agency_id == stranger.agency_id:
                raise DatabaseUnavailable
            return {}

    moody = AwayForStrangers()
    theirs = Tasks(db, stranger)
    await theirs.enqueue({})
    leased = await tasks.leased({"slow": True})
    assert len(leased) == 2
    batch = asyncio.create_task(Executor(db, moody).run_batch(leased))
    await moody.working.wait()
    moody.may_end.set()
    with pytest.raises(DatabaseUnavailable):
        await batch
    assert await tasks.states() == ["succeeded"]
    assert await theirs.states() == ["running"]


async def test_two_transactions_that_wait_for_each_other_both_end_well(
    db: Database, tasks: Tasks
) -> None:
    class Crossing(Moody):
        """Locks two things, one task in one order and the other in the other."""

        def __init__(self) -> None:
            super().__init__()
            self.met = asyncio.Barrier(2)
            self.stored = 0

        async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
            (attempt,) = attempts
            first, second = attempt.task.payload["locks"]
            self.stored += 1
            crosses = self.stored <= 2
            await session.execute("SELECT pg_advisory_xact_lock($1)", first)
            if crosses:
                await self.met.wait()
            await session.execute("SELECT pg_advisory_xact_lock($1)", second)

    crossing = Crossing()
    one, two = await tasks.leased({"locks": [1, 2]}, {"locks": [2, 1]})
    executor = Executor(db, crossing)
    reports = await asyncio.gather(executor.run_batch([one]), executor.run_batch([two]))
    assert [report.outcomes for report in reports] == [{"done": 1}] * 2
    assert crossing.stored == 3
    assert set(crossing.runs.values()) == {1}
