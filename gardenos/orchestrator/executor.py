"""Runs a leased batch where the agent lives: load, run, settle.

How the ends are written, and why an effect stands once, whoever dies when, is `writer`'s to say.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import structlog

from gardenos.core.claims import Claims
from gardenos.core.errors import DatabaseUnavailable
from gardenos.core.ids import AgencyId, TaskId
from gardenos.db.session import Database, Role, TenantSession
from gardenos.observability.events import RunsEnded, ZombieDropped, observe
from gardenos.orchestrator import settlement
from gardenos.orchestrator.ledger import Ledger
from gardenos.orchestrator.runs import STOPS_WITHIN_S, Run, said
from gardenos.orchestrator.store import QUERIES
from gardenos.orchestrator.task import Agent, AgentTask, Attempt, Cancel, Done, Retry, TaskState
from gardenos.orchestrator.writer import Ends, Writer, we_are_cancelled

SETTLE_EVERY_S = 0.25
"""The longest a finished run waits for others of its batch before its end is written."""
_SETTLE_SOONEST_S = 0.02
_WRITING_SHARE = 4
"""Between two writes of a batch passes so many times what the last one took."""
WATCH_EVERY_S = 1.0
"""How often it is asked whether the runs under way are still wanted, and from which age on."""
STORE_WITHIN_S = 60.0
"""What loading or storing takes longer than is given up: an agent's statement waits for something."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """How runs of a batch ended, by kind of outcome; `lost` are those whose fence no longer held."""

    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    lost: int = 0
    duration_s: float = 0.0
    """Since the batch began."""
    ended: tuple[TaskId, ...] = ()
    """The tasks this is about, lost ones too: they take up no room any more."""


Tell: TypeAlias = Callable[[BatchReport], None]
OpenSession: TypeAlias = Callable[[Claims], AbstractAsyncContextManager[TenantSession]]
"""Begins a transaction of a member."""


@runtime_checkable
class ReadsBudgets(Protocol):
    """An agent whose runs may cost money: it looks up what an agency may still spend."""

    async def read_budget(self, session: TenantSession) -> None:
        """Read it, in the transaction that loads a batch of the session's agency."""
        ...


@runtime_checkable
class SaysWhetherItReads(Protocol):
    """An agent that knows when it needs nothing from the database before its runs."""

    @property
    def reads(self) -> bool:
        """Whether a batch begins with a transaction that loads what it needs."""
        ...


@runtime_checkable
class ActsForMembers(Protocol):
    """An agent that does what members asked for as they would: under their own claims and role."""

    def act_through(self, open_session: OpenSession) -> None:
        """Take over what opens their sessions."""
        ...


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
        watch_every_s: float = WATCH_EVERY_S,
        store_within_s: float = STORE_WITHIN_S,
        stops_within_s: float = STOPS_WITHIN_S,
    ) -> None:
        self._database = database
        self._agent = agent
        if isinstance(agent, ActsForMembers):
            agent.act_through(database.session)
        self._deadline_s = deadline_s
        self._settle_every_s = settle_every_s
        self._watch_every_s = watch_every_s
        self._store_within_s = store_within_s
        self._writer = Writer(database, agent, within_s=store_within_s)
        self._stops_within_s = stops_within_s
        self._slots = asyncio.Semaphore(concurrency)
        self._runs: set[Run] = set()
        self._stuck: set[asyncio.Task[Attempt]] = set()
        self._watch: asyncio.Task[None] | None = None
        self.ledger = Ledger()

    async def run_batch(
        self, tasks: Sequence[AgentTask], *, tell: Tell | None = None
    ) -> BatchReport:
        """Run the tasks and write down how each ended, the quick ones before the slow have ended.

        `tell` hears of each group of ends once it is written; what is returned sums them up. Raises
        `DatabaseUnavailable` where ends cannot be written: their leases then run out and they run again.
        """
        batch = _Batch(tell)
        by_agency: dict[AgencyId, list[AgentTask]] = defaultdict(list)
        for task in tasks:
            by_agency[task.agency_id].append(task)
        # Whoever sent the batch gives all of it back for an error: no part may then still be at work.
        await _all(self._run_agency(batch, theirs) for theirs in by_agency.values())
        return batch.sum()

    def runs(self) -> list[Run]:
        """The runs at work now, the oldest first."""
        begun = [run for run in self._runs if run.began_at is not None]
        return sorted(begun, key=lambda run: -run.age_s)

    async def _run_agency(self, batch: _Batch, tasks: Sequence[AgentTask]) -> None:
        try:
            loaded = await self._load(tasks)
        except DatabaseUnavailable:
            raise
        except BaseException as error:
            if we_are_cancelled():
                raise
            if len(tasks) > 1:
                await _all(self._run_agency(batch, [task]) for task in tasks)
                return
            attempt = Attempt(tasks[0], Retry(f"What it needs could not be read: {said(error)}"))
            self._report(batch, await self._writer.write([attempt]), {})
        else:
            await self._run_loaded(batch, tasks, loaded)

    async def _run_loaded(
        self, batch: _Batch, tasks: Sequence[AgentTask], loaded: Mapping[TaskId, Any]
    ) -> None:
        begun = [self._begin(task, loaded.get(task.id)) for task in tasks]
        runs = {run.work: run for run in begun}
        took_s = {task.id: 0.0 for task in tasks}
        unwritten: list[Attempt] = []
        writing_s = 0.0
        try:
            while runs:
                await self._some_end(runs, after_s=writing_s * _WRITING_SHARE)
                for run in [run for run in runs.values() if run.work.done() or run.is_stuck]:
                    del runs[run.work]
                    unwritten.append(self._end(run))
                    took_s[run.task.id] = run.took_s
                if not unwritten:
                    continue
                began = time.monotonic()
                try:
                    ends = await self._writer.write(unwritten)
                except DatabaseUnavailable:
                    # Until the last run has ended, the database has time to come back.
                    if not runs:
                        raise
                    writing_s = self._settle_every_s
                    continue
                writing_s = time.monotonic() - began
                self._report(batch, ends, took_s)
                unwritten = []
        finally:
            for run in runs.values():
                run.work.cancel()
                self._runs.discard(run)

    def _begin(self, task: AgentTask, loaded: Any) -> Run:
        run = Run(
            self._agent,
            task,
            loaded,
            slots=self._slots,
            deadline_s=self._deadline_s,
            stops_within_s=self._stops_within_s,
        )
        self._runs.add(run)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._stop_unwanted())
        return run

    async def _some_end(self, runs: Mapping[asyncio.Task[Attempt], Run], *, after_s: float) -> None:
        """Wait until a run has ended, then a moment for others: writing costs the same for many."""
        within_s = self._settle_every_s
        done, _ = await asyncio.wait(runs, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if done and len(done) < len(runs):
            linger_s = min(within_s, max(_SETTLE_SOONEST_S, after_s))
            await asyncio.wait(runs, timeout=linger_s)

    def _end(self, run: Run) -> Attempt:
        self._runs.discard(run)
        if not run.work.done():
            _log.error("run_stuck", task_id=str(run.task.id), agent_type=run.task.agent_type)
            self._stuck.add(run.work)
            run.work.add_done_callback(self._stuck.discard)
        return run.end()

    async def _stop_unwanted(self) -> None:
        """While there are runs, end those a member cancelled and those another run has taken over."""
        while self._runs:
            await asyncio.sleep(self._watch_every_s)
            old = [run for run in self._runs if run.age_s >= self._watch_every_s]
            if not old:
                continue
            try:
                await self._stop_unwanted_of(old)
            except Exception as error:  # noqa: BLE001 asked again soon; what ends otherwise is fenced
                _log.warning("runs_not_watched", error=said(error))

    async def _stop_unwanted_of(self, runs: Sequence[Run]) -> None:
        # Across agencies, in one statement: as the orchestrator, who looks after the leases.
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(
                QUERIES["find_unwanted_runs"],
                [run.task.id for run in runs],
                [run.task.fence for run in runs],
            )
        unwanted = {(row["id"], row["fence"]): row["held"] for row in rows}
        for run in runs:
            held = unwanted.get((run.task.id, run.task.fence))
            if held:
                run.stop(Cancel("A member of the agency cancelled it."))
            elif held is not None:
                run.stop(Retry("Its lease has passed to another run."))

    async def _load(self, tasks: Sequence[AgentTask]) -> Mapping[TaskId, Any]:
        if isinstance(self._agent, SaysWhetherItReads) and not self._agent.reads:
            return {}
        async with (
            asyncio.timeout(self._store_within_s),
            self._database.session(tasks[0].claims, role=Role.AGENT) as session,
        ):
            if isinstance(self._agent, ReadsBudgets):
                await self._agent.read_budget(session)
            return dict(await self._agent.load(session, tasks))

    def _report(self, batch: _Batch, ends: Ends, took_s: Mapping[TaskId, float]) -> None:
        outcomes: Counter[str] = Counter()
        alike: defaultdict[tuple[str, str, str], list[tuple[TaskId, float | None]]]
        alike = defaultdict(list)
        for attempt, held in ends:
            task, took = attempt.task, took_s.get(attempt.task.id)
            self.ledger.enter(attempt, took_s=took or 0.0, held=held)
            if held:
                outcome = type(attempt.outcome).__name__.lower()
                outcomes[outcome] += 1
                alike[task.agent_type, outcome, _state(attempt)].append((task.id, took))
            else:
                observe(
                    ZombieDropped(task_id=task.id, agent_type=task.agent_type, fence=task.fence)
                )
        for (agent_type, outcome, state), runs in alike.items():
            observe(RunsEnded(agent_type, outcome, state, runs))
        batch.add(
            BatchReport(
                outcomes=dict(outcomes),
                lost=len(ends) - outcomes.total(),
                duration_s=batch.age_s,
                ended=tuple(attempt.task.id for attempt, _ in ends),
            )
        )


class _Batch:
    """The reports of one batch, told as they come."""

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell
        self._began = time.monotonic()
        self._reports: list[BatchReport] = []

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began

    def add(self, report: BatchReport) -> None:
        self._reports.append(report)
        if self._tell:
            self._tell(report)

    def sum(self) -> BatchReport:
        outcomes: Counter[str] = Counter()
        for report in self._reports:
            outcomes.update(report.outcomes)
        return BatchReport(
            outcomes=dict(outcomes),
            lost=sum(report.lost for report in self._reports),
            duration_s=self.age_s,
            ended=tuple(task_id for report in self._reports for task_id in report.ended),
        )


async def _all(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait until every part has ended, then raise what the first failed one raised."""
    ended = await asyncio.gather(*parts, return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each


def _state(attempt: Attempt) -> str:
    """Where the task is now; one marked for cancelling that was to run again counts as queued."""
    if isinstance(attempt.outcome, Done):
        return TaskState.SUCCEEDED.value
    return settlement.settle(attempt.task, attempt.outcome, delay=lambda _: 0.0).state.value
