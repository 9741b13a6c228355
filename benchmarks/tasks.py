"""Durable tasks against procrastinate and pgqueuer, on the same embedded PostgreSQL.

Every system gets its own database on one server (fsync on, synchronous_commit on), the same work,
and as many tasks at work in total; how many processes serve a peer best is tried out first. While
one is measured, no other runs. Completions are counted in the database. Each round measures all
systems in an order drawn from the seed; results are JSON lines, so that rounds can be run in pieces
and `--show` prints the table of all of them.
"""

from __future__ import annotations

import asyncio
import os
import platform
import random
import secrets
import shutil
import statistics
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import _tasks_report as report
from benchmarks._tasks_garden import GardenOS
from benchmarks._tasks_pgqueuer import PgQueuerSystem
from benchmarks._tasks_procrastinate import Procrastinate
from benchmarks._tasks_scenarios import Bench, Measured, Scale
from benchmarks._tasks_system import Kind, Setting, System, Tuning
from gardenos.cli.problems import told
from gardenos.db.embedded import EmbeddedPostgres

console = Console(highlight=False)
_SYSTEMS: Mapping[str, Callable[[Setting], System]] = {
    GardenOS.name: GardenOS,
    Procrastinate.name: Procrastinate,
    PgQueuerSystem.name: PgQueuerSystem,
}
_AT_WORK = {Kind.NOOP: 128, Kind.NAP: 16}
"""Tasks at work in total. Naps: so few that ten thousand of them outlast the urgent ones."""
_PROCESSES: Mapping[str, Sequence[int]] = {
    GardenOS.name: (1, 2),
    Procrastinate.name: (1, 2, 4),
    PgQueuerSystem.name: (1, 2, 4),
}
_TRIED_WITH = 3_000


@dataclass(frozen=True, slots=True)
class Server:
    """The server that all share, and where logs and marks go."""

    postgres: EmbeddedPostgres
    password: str
    folder: Path

    def dsn(self, database: str) -> str:
        """The superuser's connection string."""
        return self.postgres.dsn("postgres", self.password, database=database)

    @asynccontextmanager
    async def system(self, name: str) -> AsyncGenerator[tuple[System, Path]]:
        """A system in a database of its own, gone at the end."""
        database = f"bench_{name.lower()}_{secrets.token_hex(4)}"
        admin = await asyncpg.connect(self.dsn("postgres"))
        folder = self.folder / database
        folder.mkdir(mode=0o711)
        app_dsn = self.postgres.dsn("gardenos_app", "PASSWORD", database=database)
        setting = Setting(self.dsn(database), app_dsn, folder / "marks", folder)
        try:
            await admin.execute(f"CREATE DATABASE {database}")
            system = _SYSTEMS[name](setting)
            await system.prepare()
            yield system, setting.marks
            await system.close()
        finally:
            await admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            await admin.close()

    async def about(self) -> str:
        """What is measured, in a line or two."""
        conn = await asyncpg.connect(self.dsn("postgres"))
        try:
            fsync, commit, of = [
                await conn.fetchval(f"SHOW {name}")
                for name in ("fsync", "synchronous_commit", "server_version")
            ]
        finally:
            await conn.close()
        peers = ", ".join(f"{name} {version(name)}" for name in ("procrastinate", "pgqueuer"))
        return (
            f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL {of}, "
            f"fsync {fsync}, synchronous_commit {commit}, {peers}"
        )


@contextmanager
def running_server() -> Generator[Server]:
    """An embedded server as `up` starts it: durable."""
    folder = Path(tempfile.mkdtemp(prefix="gos-bench-"))
    folder.chmod(0o711)
    server = Server(EmbeddedPostgres(folder / "pg"), secrets.token_hex(16), folder)
    try:
        server.postgres.initialise(server.password)
        server.postgres.start()
        yield server
    finally:
        server.postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def tunings(processes: int) -> dict[Kind, Tuning]:
    """The workers for both kinds of tasks."""
    return {kind: Tuning(processes, at_work) for kind, at_work in _AT_WORK.items()}


async def tune(server: Server, name: str, say: Callable[[str], None]) -> int:
    """How many processes drain fastest on this machine."""
    speeds: dict[int, float] = {}
    for processes in _PROCESSES[name]:
        async with server.system(name) as (system, marks), system.working(tunings(processes)):
            bench = Bench(system, Scale(drain=_TRIED_WITH), marks, lambda _: None)
            await bench.warm_up()
            say(f"tries {processes} processes")
            tried = [m.value async for m in bench.drain() if m.name == "drain"]
            speeds[processes] = statistics.median(tried)
    return max(speeds, key=lambda processes: speeds[processes])


async def measure(
    server: Server, name: str, scale: Scale, processes: int, say: Callable[[str], None]
) -> AsyncGenerator[Measured]:
    """All of a system's figures, once."""
    async with server.system(name) as (system, marks):
        bench = Bench(system, scale, marks, say)
        async for figure in bench.enqueue():
            yield figure
        say("starts its workers")
        async with system.working(tunings(processes)):
            await bench.warm_up()
            for scenario in (bench.drain, bench.start_urgent, bench.share, bench.die):
                async for figure in scenario():
                    yield figure


async def run(systems: Sequence[str], scale: Scale, *, repeat: int, seed: int, out: Path) -> None:
    """Tune what is not tuned yet, then measure in rounds."""
    # What shuffles must be repeatable, not secret.
    shuffled = random.Random(seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        running_server() as server,
        Progress(*columns, TimeElapsedColumn(), console=console) as bar,
    ):
        if not report.read(out, "about"):
            report.append(out, "about", text=await server.about())
        shown = bar.add_task("Begins", total=repeat * len(systems))
        tuned = {line["system"]: line["processes"] for line in report.read(out, "tuning")}
        for name in systems:
            if name not in tuned:
                say = _teller(bar, shown, name)
                tuned[name] = await tune(server, name, say)
                text = ", ".join(f"{k} {t}" for k, t in tunings(tuned[name]).items())
                report.append(out, "tuning", system=name, processes=tuned[name], text=text)
        for number in range(1, repeat + 1):
            for name in shuffled.sample(systems, len(systems)):
                say = _teller(bar, shown, f"Round {number}: {name}")
                async for figure in measure(server, name, scale, tuned[name], say):
                    line = {"seed": seed, "round": number, "system": name, **asdict(figure)}
                    report.append(out, "measured", **line)
                bar.advance(shown)


def _teller(bar: Progress, shown: object, who: str) -> Callable[[str], None]:
    return lambda what: bar.update(shown, description=f"{who} {what}")  # pyright: ignore[reportArgumentType] a TaskID is its own type


def main(  # noqa: PLR0917 options, none of them positional
    repeat: Annotated[int, typer.Option(min=1, help="Rounds.")] = 5,
    seed: Annotated[int | None, typer.Option(help="Of the order; drawn where not given.")] = None,
    systems: Annotated[str, typer.Option(help="Only these, separated by commas.")] = ",".join(
        _SYSTEMS
    ),
    scale: Annotated[float, typer.Option(min=0.05, max=1, help="For a shorter run.")] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Add the results to this file.")] = None,
    show: Annotated[Path | None, typer.Option(help="Only print the table of this file.")] = None,
) -> None:
    """Measure, and print a table."""
    with told():
        if show is not None:
            report.show(console, show)
            return
        chosen = [name for name in _SYSTEMS if name in systems.split(",")]
        if not chosen:
            raise typer.BadParameter(f"none of {systems} is among {', '.join(_SYSTEMS)}")
        seed = secrets.randbelow(100_000) if seed is None else seed
        file = out or Path(tempfile.mkstemp(prefix="gos-tasks-", suffix=".jsonl")[1])
        console.print(f"Seed {seed}; results go to {file}")
        asyncio.run(run(chosen, Scale().reduced(scale), repeat=repeat, seed=seed, out=file))
        report.show(console, file)


if __name__ == "__main__":
    typer.run(main)
