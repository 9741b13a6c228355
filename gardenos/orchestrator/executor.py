"""Runs a leased batch where the agent lives: load, run, settle.

The effect of a task and its finish share one transaction under the task's own claims, and the
finish counts only with the current fence. So a task may run more than once, but its effect
stands once, whoever dies when.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from gardenos.core.errors import GardenOSError
from gardenos.core.ids import AgencyId, TaskId
from gardenos.db.session import Database, Role, TenantSession
from gardenos.observability.events import TaskFinished, ZombieDropped, observe
from gardenos.orchestrator import queue, settlement
from gardenos.orchestrator.store import QUERIES
from gardenos.orchestrator.task import Agent, AgentTask, Attempt, Done, Retry


@dataclass(frozen=True, slots=True)
class BatchReport:
    """How a batch ended, by kind of outcome; `lost` are runs whose fence no longer held."""

    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    lost: int = 0
    duration_s: float = 0.0

    @property
    def settled(self) -> int:
        """Tasks whose end was written."""
        return sum(self.outcomes.values())


_POISON = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.InsufficientPrivilegeError,
    GardenOSError,
    TypeError,
    ValueError,
    KeyError,
)
"""What one bad result can do to a batch's transaction; an unreachable database is not among them."""


class Executor:
    """Works off batches for one agent, with bounded concurrency and a deadline per task."""

    def __init__(
        self, database: Database, agent: Agent, *, deadline_s: float = 120.0, concurrency: int = 64
    ) -> None:
        self._database = database
        self._agent = agent
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(concurrency)

    async def run_batch(self, tasks: Sequence[AgentTask]) -> BatchReport:
        """Run the tasks and write down how each ended.

        Raises `DatabaseUnavailable` where that cannot be written: the leases then run out and the
        tasks run again.
        """
        began = time.perf_counter()
        by_agency: dict[AgencyId, list[AgentTask]] = defaultdict(list)
        for task in tasks:
            by_agency[task.agency_id].append(task)
        reports = await asyncio.gather(*map(self._run_agency, by_agency.values()))
        outcomes: Counter[str] = Counter()
        for report in reports:
            outcomes.update(report.outcomes)
        return BatchReport(
            outcomes=dict(outcomes),
            lost=sum(report.lost for report in reports),
            duration_s=time.perf_counter() - began,
        )

    async def _run_agency(self, tasks: Sequence[AgentTask]) -> BatchReport:
        loaded = await self._load(tasks)
        attempts = await asyncio.gather(*(self._run(task, loaded.get(task.id)) for task in tasks))
        try:
            written = await self._settle(attempts)
        except _POISON as error:
            if len(attempts) == 1:
                written = await self._settle([_poisoned(attempts[0], error)])
            else:
                written = set[TaskId]()
                for attempt in attempts:
                    written |= await self._settle_alone(attempt)
        return _report(attempts, written)

    async def _settle_alone(self, attempt: Attempt) -> set[TaskId]:
        try:
            return await self._settle([attempt])
        except _POISON as error:
            return await self._settle([_poisoned(attempt, error)])

    async def _load(self, tasks: Sequence[AgentTask]) -> Mapping[TaskId, Any]:
        async with self._database.session(tasks[0].claims, role=Role.AGENT) as session:
            return await self._agent.load(session, tasks)

    async def _run(self, task: AgentTask, loaded: Any) -> Attempt:
        async with self._slots:
            try:
                async with asyncio.timeout(self._deadline_s):
                    return await self._agent.run(task, loaded)
            except TimeoutError:
                return Attempt(task, Retry(f"It took longer than {self._deadline_s:g} s."))
            except Exception as error:  # noqa: BLE001 whatever an agent raises is its task's failure
                return Attempt(task, Retry(f"{type(error).__name__}: {error}"))

    async def _settle(self, attempts: Sequence[Attempt]) -> set[TaskId]:
        async with self._database.session(attempts[0].task.claims, role=Role.AGENT) as session:
            written = await self._finish_done(session, attempts)
            unfinished = [
                settlement.settle(attempt.task, attempt.outcome)
                for attempt in attempts
                if not isinstance(attempt.outcome, Done)
            ]
            written |= await queue.settle(session, unfinished)
            await self._agent.record_usage(session, [a for a in attempts if a.usage])
        return written

    async def _finish_done(
        self, session: TenantSession, attempts: Sequence[Attempt]
    ) -> set[TaskId]:
        done = {a.task.id: a for a in attempts if isinstance(a.outcome, Done)}
        if not done:
            return set()
        rows = await session.fetch(
            QUERIES["finish_batch"],
            [
                {"id": str(a.task.id), "fence": a.task.fence, "result": dict(a.outcome.result)}
                for a in done.values()
                if isinstance(a.outcome, Done)
            ],
        )
        written = {row["id"] for row in rows}
        await self._agent.persist(session, [done[task_id] for task_id in written])
        await queue.hint_finished(session, [row["id"] for row in rows if row["awaited"]])
        return written


def _poisoned(attempt: Attempt, error: Exception) -> Attempt:
    why = f"Its result could not be stored: {type(error).__name__}: {error}"
    return Attempt(attempt.task, Retry(why), attempt.usage)


def _report(attempts: Sequence[Attempt], written: set[TaskId]) -> BatchReport:
    outcomes: Counter[str] = Counter()
    for attempt in attempts:
        task = attempt.task
        if task.id not in written:
            observe(ZombieDropped(task_id=task.id, agent_type=task.agent_type, fence=task.fence))
            continue
        outcome = type(attempt.outcome).__name__.lower()
        outcomes[outcome] += 1
        observe(TaskFinished(task_id=task.id, agent_type=task.agent_type, outcome=outcome))
    return BatchReport(outcomes=dict(outcomes), lost=len(attempts) - len(written))
