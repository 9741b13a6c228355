"""What each step of a task costs: enqueue, find lanes, lease, run and settle; by batch and backlog.

One process, one connection at work, no Ray: on the embedded PostgreSQL as `up` starts it (fsync on).
The kernel counts processor time in hundredths of a second: small batches need many calls.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import psutil
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks._tasks_garden import NoopAgent
from benchmarks._tasks_system import Setting
from benchmarks._tasks_work import Work
from benchmarks.tasks import running_server
from gardenos.ai.llm.rules import RulesLLM
from gardenos.cli.problems import told
from gardenos.core.claims import Claims
from gardenos.db import migrate
from gardenos.db.pool import open_database
from gardenos.db.session import Database
from gardenos.orchestrator import settlement, store
from gardenos.orchestrator.executor import Executor
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.schedule import Allotment
from gardenos.orchestrator.task import AgentTask, NewTask
from gardenos.testing.postgres import make_member

console = Console(highlight=False)
_HOLDER, _LEASE_S = "bench", 600.0
_PAYLOAD = Work().payload()


@dataclass(frozen=True, slots=True)
class Step:
    """One step at one batch size and backlog."""

    name: str
    backlog: int
    batch: int
    ms: float
    """The median call."""
    postgres_us: float
    """Processor time of PostgreSQL's processes, per task."""

    @property
    def us_per_task(self) -> float:
        """Microseconds for each task of the batch."""
        return self.ms * 1000 / self.batch


class Bench:
    """A queue of one lane, and an executor beside it."""

    def __init__(
        self, database: Database, claims: Claims, postmaster: psutil.Process, *, calls: int
    ) -> None:
        self._database = database
        self._claims = claims
        self._postmaster = postmaster
        self._calls = calls
        self._queue = PostgresQueue(database)
        self._executor = Executor(database, NoopAgent(RulesLLM()), concurrency=1000)
        self._tasks: list[AgentTask] = []
        self.steps: list[Step] = []

    async def fill(self, backlog: int) -> None:
        """Enqueue so many tasks."""
        for start in range(0, backlog, 20_000):
            await self._enqueue(min(20_000, backlog - start))

    async def _enqueue(self, batch: int) -> None:
        tasks = [NewTask(NoopAgent.agent_type, _PAYLOAD) for _ in range(batch)]
        async with self._database.session(self._claims) as session:
            await store.enqueue(session, tasks)

    async def measure(self, backlog: int, batch: int) -> None:
        """Every step, with this backlog queued all the while."""
        epoch = await self._queue.take_office(_HOLDER, ttl_s=3600)
        assert epoch is not None
        await self._time("enqueue", backlog, batch, lambda: self._enqueue(batch))
        await self._time("find lanes", backlog, batch, self._queue.lanes)
        leased: list[Sequence[AgentTask]] = []

        async def lease() -> None:
            seen = await self._queue.lanes([NoopAgent.agent_type])
            [lane] = seen.lanes[NoopAgent.agent_type]
            allotment = Allotment(
                lane.priority, lane.agency_id, batch, lane.head, seen.at, lane.priority
            )
            leased.append(
                await self._queue.lease(
                    NoopAgent.agent_type,
                    [allotment],
                    holder=_HOLDER,
                    epoch=epoch,
                    lease_s=_LEASE_S,
                )
            )

        await self._time("find and lease", backlog, batch, lease)
        assert all(len(tasks) == batch for tasks in leased)
        extend = iter(leased)
        await self._time(
            "heartbeat",
            backlog,
            batch,
            lambda: self._queue.heartbeat(next(extend), lease_s=_LEASE_S),
        )
        half = len(leased) // 2
        ends, returns = iter(leased[:half]), iter(leased[half:])
        await self._time(
            "run and settle", backlog, batch, lambda: self._executor.run_batch(next(ends)), half
        )
        await self._time(
            "give back",
            backlog,
            batch,
            lambda: self._queue.settle([settlement.handed_back(task) for task in next(returns)]),
            len(leased) - half,
        )

    async def _time(
        self,
        name: str,
        backlog: int,
        batch: int,
        call: Callable[[], Awaitable[Any]],
        calls: int | None = None,
    ) -> None:
        took: list[float] = []
        spent = _processor_s(self._postmaster)
        for _ in range(calls or self._calls):
            began = time.perf_counter()
            await call()
            took.append((time.perf_counter() - began) * 1000)
        spent = _processor_s(self._postmaster) - spent
        per_task = spent / len(took) / batch * 1e6
        self.steps.append(Step(name, backlog, batch, statistics.median(took), per_task))


def _processor_s(postmaster: psutil.Process) -> float:
    times = [child.cpu_times() for child in postmaster.children()]
    return sum(each.user + each.system for each in times)


def show(steps: Sequence[Step], *, calls: int) -> None:
    """A table: a row for each step and batch size, a column for each backlog."""
    backlogs = sorted({step.backlog for step in steps})
    table = Table(
        title=f"Medians of {calls} calls: ms per call, µs per task, PostgreSQL's processor µs per task",
        title_justify="left",
    )
    table.add_column("Step")
    table.add_column("batch", justify="right")
    for backlog in backlogs:
        table.add_column(f"{backlog:,} queued", justify="right")
    by = {(step.name, step.batch, step.backlog): step for step in steps}
    for name in dict.fromkeys(step.name for step in steps):
        for batch in sorted({step.batch for step in steps}):
            cells = [by.get((name, batch, backlog)) for backlog in backlogs]
            said = [
                f"{c.ms:.2f} ms, {c.us_per_task:,.0f} µs, {c.postgres_us:,.0f} µs" if c else "-"
                for c in cells
            ]
            table.add_row(name, str(batch), *said)
    console.print(table)


async def run(*, backlogs: Sequence[int], batches: Sequence[int], calls: int) -> Sequence[Step]:
    """Measure on a server of its own."""
    with running_server() as server:
        dsn = server.dsn("postgres")
        admin = await asyncpg.connect(dsn)
        await admin.execute("CREATE DATABASE steps")
        await admin.close()
        setting = Setting(server.dsn("steps"), "", server.folder / "marks", server.folder)
        await migrate.migrate(setting.admin_dsn, app_password=server.password)
        admin = await asyncpg.connect(setting.admin_dsn)
        claims = await make_member(admin)
        app_dsn = server.postgres.dsn("gardenos_app", server.password, database="steps")
        database = await open_database(app_dsn, min_size=1, name="bench-steps")
        pid = server.postgres.pid()
        assert pid is not None
        bench = Bench(database, claims, psutil.Process(pid), calls=calls)
        filled = 0
        with Progress(console=console) as bar:
            shown = bar.add_task("", total=len(backlogs) * len(batches))
            for backlog in sorted(backlogs):
                bar.update(shown, description=f"Fills to {backlog:,}")
                await bench.fill(backlog - filled)
                filled = backlog
                await admin.execute("VACUUM ANALYZE agent_tasks")
                for batch in batches:
                    bar.update(shown, description=f"{backlog:,} queued, batches of {batch}")
                    await bench.measure(backlog, batch)
                    bar.advance(shown)
        await database.pool.close()
        await admin.close()
        return bench.steps


def main(
    backlog: Annotated[
        str, typer.Option(help="Tasks queued, separated by commas.")
    ] = "1000,1000000",
    batch: Annotated[str, typer.Option(help="Batch sizes, separated by commas.")] = "1,50,200",
    calls: Annotated[int, typer.Option(min=2, help="Per step.")] = 40,
) -> None:
    """Measure, and print a table."""
    with told():
        sizes = [[int(one) for one in given.split(",")] for given in (backlog, batch)]
        steps = asyncio.run(run(backlogs=sizes[0], batches=sizes[1], calls=calls))
        show(steps, calls=calls)


if __name__ == "__main__":
    typer.run(main)
