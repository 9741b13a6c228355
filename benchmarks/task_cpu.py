"""How much processor time a no-op task takes, by process, through Ray Serve and PostgreSQL.

Unlike rates, this hardly depends on what else the machine does: it says which process would be
full first. The kernel counts in hundredths of a second, so give it some thousands of tasks.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks._tasks_garden import GardenOS
from benchmarks._tasks_scenarios import Bench, Scale
from benchmarks._tasks_system import Kind, Tuning
from benchmarks.tasks import Server, running_server
from gardenos.cli import processes
from gardenos.cli.problems import told

console = Console(highlight=False)
_SHOWN_US = 5.0


def _processes(server: Server, system: GardenOS) -> list[psutil.Process]:
    """Those of the installation and of PostgreSQL, as they are now."""
    pid = server.postgres.pid()
    assert pid is not None
    postmaster = psutil.Process(pid)
    return [*processes.marked(system.home.folder), postmaster, *postmaster.children()]


def _processor_s(process: psutil.Process) -> float | None:
    """Seconds of processor time so far; None where it has ended."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system
    return None


def _name(process: psutil.Process) -> str:
    title = " ".join(process.cmdline()) or process.name()
    if "ServeReplica" in title:
        return title.split(":")[-1]
    if title.startswith("postgres:"):
        # A backend names its user, database and what it does.
        background = re.match(
            r"postgres: (walwriter|checkpointer|background writer|autovacuum)", title
        )
        return f"PostgreSQL, {background[1]}" if background else "PostgreSQL, connections"
    if title.startswith("ray::"):
        return title.removeprefix("ray::").partition(".")[0]
    return process.name()


async def measure(tasks: int, concurrency: int) -> tuple[Mapping[str, float], float]:
    """Microseconds per task by process, and the rate of the drain they were spent in."""
    with running_server() as server:
        async with server.system(GardenOS.name) as (system, marks):
            assert isinstance(system, GardenOS)
            tunings = {Kind.NOOP: Tuning(1, concurrency), Kind.NAP: Tuning(1, 16)}
            async with system.working(tunings):
                bench = Bench(system, Scale(drain=tasks), marks, lambda _: None)
                await bench.warm_up()
                # The same processes twice: one that is only seen later would count with its whole life.
                watched = [(each, _processor_s(each)) for each in _processes(server, system)]
                rates = [m.value async for m in bench.drain() if m.name == "drain"]
                spent: defaultdict[str, float] = defaultdict(float)
                for process, before in watched:
                    after = _processor_s(process)
                    if before is not None and after is not None:
                        spent[_name(process)] += (after - before) / tasks * 1e6
    return spent, rates[0]


def main(
    tasks: Annotated[int, typer.Option(min=1000)] = 20_000,
    concurrency: Annotated[int, typer.Option(min=1, help="Of the one replica.")] = 128,
) -> None:
    """Measure, and print a table."""
    with told():
        with console.status("Measuring"):
            spent, rate = asyncio.run(measure(tasks, concurrency))
        table = Table("Process", title=f"Drained {rate:,.0f} tasks/s", title_justify="left")
        table.add_column("µs per task", justify="right")
        for name, us in sorted(spent.items(), key=lambda each: -each[1]):
            if us >= _SHOWN_US:
                table.add_row(name, f"{us:,.0f}")
        table.add_row("all", f"{sum(spent.values()):,.0f}", style="bold")
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
