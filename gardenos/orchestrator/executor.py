"""Runs a leased batch where the agent lives: load, run, settle.

The effect of a task and its finish share one transaction under the task's own claims, and the
finish counts only with the current fence. So a task may run more than once, but its effect
stands once, whoever dies when.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import structlog
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random

from gardenos.core.errors import DatabaseUnavailable
from gardenos.core.ids import AgencyId, TaskId
from gardenos.db.session import Database, Role, TenantSession
from gardenos.observability.events import TaskFinished, ZombieDropped, observe
from gardenos.orchestrator import queue, settlement
from gardenos.orchestrator.store import QUERIES
from gardenos.orchestrator.task import Agent, AgentTask, Attempt, Done, Retry

SETTLE_EVERY_S = 0.25
"""How long a finished run waits for the others of its batch before its end is written."""
_TRIES = 5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """How a batch ended, by kind of outcome; `lost` are runs whose fence no longer held."""

    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    lost: int = 0
    duration_s: float = 0.0


# The database ends one of two transactions that wait for each other; nothing is wrong with either.
_unless_deadlocked = retry(
    retry=retry_if_exception_type(asyncpg.TransactionRollbackError),
    stop=stop_after_attempt(_TRIES),
    wait=wait_random(0, 0.1),
    reraise=True,
)


class Executor:
    """Works off batches for one agent, with bounded concurrency and a deadline per task."""

    def __init__(
        self,
        database: Database,
        agent: Agent,
        *,
        deadline_s: float = 120.0,
        concurrency: int = 64,
        settle_every_s: float = SETTLE_EVERY_S,
    ) -> None:
        self._database = database
        self._agent = agent
        self._deadline_s = deadline_s
        self._settle_every_s = settle_every_s
        self._slots = asyncio.Semaphore(concurrency)

    async def run_batch(self, tasks: Sequence[AgentTask]) -> BatchReport:
        """Run the tasks and write down how each ended, the quick ones before the slow have ended.

        Raises `DatabaseUnavailable` where that cannot be written: the leases then run out and the
        tasks run again.
        """
        began = time.perf_counter()
        by_agency: dict[AgencyId, list[AgentTask]] = defaultdict(list)
        for task in tasks:
            by_agency[task.agency_id].append(task)
        # Whoever sent the batch gives all of it back for an error: no part may then still be at work.
        ended = await asyncio.gather(
            *map(self._run_agency, by_agency.values()), return_exceptions=True
        )
        reports: list[BatchReport] = []
        for each in ended:
            if isinstance(each, BaseException):
                raise each
            reports.append(each)
        return _sum(reports, duration_s=time.perf_counter() - began)

    async def _run_agency(self, tasks: Sequence[AgentTask]) -> BatchReport:
        try:
            loaded = await self._load(tasks)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 whatever an agent raises is its task's failure
            if len(tasks) > 1:
                return _sum([await self._run_agency([task]) for task in tasks])
            attempt = Attempt(tasks[0], Retry(f"What it needs could not be read: {_said(error)}"))
            return _report([attempt], await self._write([attempt]))
        return await self._run_loaded(tasks, loaded)

    async def _run_loaded(
        self, tasks: Sequence[AgentTask], loaded: Mapping[TaskId, Any]
    ) -> BatchReport:
        reports: list[BatchReport] = []
        unwritten: list[Attempt] = []
        running = {asyncio.create_task(self._run(task, loaded.get(task.id))) for task in tasks}
        try:
            while running:
                done, running = await asyncio.wait(running, timeout=self._settle_every_s)
                unwritten += [run.result() for run in done]
                if not unwritten:
                    continue
                try:
                    written = await self._write(unwritten)
                except DatabaseUnavailable:
                    # Until the last run has ended, the database has time to come back.
                    if not running:
                        raise
                    continue
                reports.append(_report(unwritten, written))
                unwritten = []
        finally:
            for run in running:
                run.cancel()
        return _sum(reports)

    async def _write(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Write down how runs ended: together or, where one of them spoils that, each by itself.

        What cannot be stored is left out: first the result, then what the run used. The attempts
        as written; those whose fence no longer held are none of them.
        """
        try:
            return await self._settle(attempts)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            _log.warning("results_unstored", tasks=len(attempts), error=_said(error))
            if len(attempts) > 1:
                return [written for each in attempts for written in await self._write([each])]
            (attempt,) = attempts
            if isinstance(attempt.outcome, Done):
                return await self._write([_poisoned(attempt, error)])
            if attempt.usage:
                return await self._write([replace(attempt, usage=())])
            raise

    async def _load(self, tasks: Sequence[AgentTask]) -> Mapping[TaskId, Any]:
        async with self._database.session(tasks[0].claims, role=Role.AGENT) as session:
            return await self._agent.load(session, tasks)

    async def _run(self, task: AgentTask, loaded: Any) -> Attempt:
        async with self._slots:
            deadline = asyncio.timeout(self._deadline_s)
            try:
                async with deadline:
                    return await self._agent.run(task, loaded)
            except Exception as error:  # noqa: BLE001 whatever an agent raises is its task's failure
                if deadline.expired():
                    return Attempt(task, Retry(f"It took longer than {self._deadline_s:g} s."))
                return Attempt(task, Retry(_said(error)))

    @_unless_deadlocked
    async def _settle(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        async with self._database.session(attempts[0].task.claims, role=Role.AGENT) as session:
            written = await self._finish_done(session, attempts)
            unfinished = [
                settlement.settle(attempt.task, attempt.outcome)
                for attempt in attempts
                if not isinstance(attempt.outcome, Done)
            ]
            written |= await queue.settle(session, unfinished)
            await self._agent.record_usage(session, [a for a in attempts if a.usage])
        return [attempt for attempt in attempts if attempt.task.id in written]

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


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _poisoned(attempt: Attempt, error: Exception) -> Attempt:
    why = f"Its result could not be stored: {_said(error)}"
    return Attempt(attempt.task, Retry(why), attempt.usage)


def _sum(reports: Iterable[BatchReport], *, duration_s: float = 0.0) -> BatchReport:
    outcomes: Counter[str] = Counter()
    lost = 0
    for report in reports:
        outcomes.update(report.outcomes)
        lost += report.lost
    return BatchReport(outcomes=dict(outcomes), lost=lost, duration_s=duration_s)


def _report(attempts: Sequence[Attempt], written: Sequence[Attempt]) -> BatchReport:
    outcomes: Counter[str] = Counter()
    for attempt in written:
        task, outcome = attempt.task, type(attempt.outcome).__name__.lower()
        outcomes[outcome] += 1
        observe(TaskFinished(task_id=task.id, agent_type=task.agent_type, outcome=outcome))
    counted = {attempt.task.id for attempt in written}
    for task in (attempt.task for attempt in attempts if attempt.task.id not in counted):
        observe(ZombieDropped(task_id=task.id, agent_type=task.agent_type, fence=task.fence))
    return BatchReport(outcomes=dict(outcomes), lost=len(attempts) - len(written))
