"""How the highly available PostgreSQL fails over: each fault several times, writes counted one by one.

Eight writers go through HAProxy, a ninth talks straight to the leader that is about to be broken.
Each run is appended to a file, so that a long matrix can be run in pieces and printed at any time.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks._failover_faults import Fault, every
from benchmarks._failover_run import Result, once
from benchmarks._failover_stage import staged
from gardenos.cli.problems import CommandFailed, told
from gardenos.cli.screen import step
from gardenos.lab.errors import LabError

REPOINT_TARGET_S = 1.5
API_BACK_S = 6.5
"""Where the API server was away: the sidecar's longest wait before it asks again, and the target."""
_RUNS = Path("failover.jsonl")
console = Console()


def read_runs(path: Path) -> list[Result]:
    """The runs that a file holds."""
    if not path.exists():
        return []
    return [Result.model_validate_json(line) for line in path.read_text("utf-8").splitlines()]


def verdict(fault: Fault, runs: Sequence[Result]) -> str:
    """What the runs miss of what is wanted of this fault; empty where nothing."""
    missed: list[str] = []
    if fault.loses:
        caught = any(run.lost + run.stale for run in runs)
        return "" if caught else "lost nothing: the detector is broken"
    if fault.target_s is not None and max(run.gap_s for run in runs) > fault.target_s:
        missed.append(f"gap > {fault.target_s:g} s")
    counted = ("lost", "stale", "denied")
    missed += [name for name in counted if any(getattr(run, name) for run in runs)]
    if any(run.two_primaries_s > 0 for run in runs):
        missed.append("two primaries")
    if not fault.brief and any(_points_late(run) for run in runs):
        missed.append("slice late")
    if any(run.astray_s > 0 for run in runs):
        missed.append("slice astray")
    return ", ".join(missed)


def _points_late(run: Result) -> bool:
    wanted = API_BACK_S if every()[run.fault].api_away else REPOINT_TARGET_S
    late = run.repoint_s is None or run.repoint_s > wanted
    return late and run.new_leader != run.old_leader


def _spread(figures: Sequence[float | None]) -> str:
    known = [one for one in figures if one is not None]
    if not known:
        return ""
    return f"{statistics.median(known):.1f} / {max(known):.1f}"


def _total(figures: Sequence[int]) -> str:
    return f"{statistics.median(figures):.0f} / {max(figures)}"


def table_of(runs: Sequence[Result]) -> Table:
    """Median and worst of each column, a row per fault."""
    table = Table(title="Failover, median / worst", title_justify="left")
    table.add_column("Fault", overflow="fold")
    columns = (
        "n",
        "gap s",
        "slowest s",
        "target",
        "lost",
        "stale",
        "unclear",
        "slice s",
        "astray s",
        "2 prim. s",
        "rejoin s",
    )
    for name in columns:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("Misses", overflow="fold")
    for name, fault in every().items():
        mine = [run for run in runs if run.fault == name]
        if not mine:
            continue
        table.add_row(
            fault.what,
            str(len(mine)),
            _spread([run.gap_s for run in mine]),
            _spread([run.slowest_s for run in mine]),
            "" if fault.target_s is None else f"{fault.target_s:g}",
            _total([run.lost for run in mine]),
            _total([run.stale for run in mine]),
            _total([run.indeterminate for run in mine]),
            _spread([run.repoint_s for run in mine]),
            _spread([run.astray_s for run in mine]),
            _spread([run.two_primaries_s for run in mine]),
            _spread([run.rejoin_s for run in mine]),
            verdict(fault, mine),
        )
    return table


def _chosen(names: str) -> list[Fault]:
    known = every()
    if not names:
        return list(known.values())
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise CommandFailed(
            f"There is no fault {', '.join(unknown)}.", todo=f"There are: {', '.join(known)}."
        )
    return [known[name] for name in names.split(",")]


def todo(chosen: Sequence[Fault], repeat: int, done: Sequence[Result]) -> Iterator[Fault]:
    """Each fault as often as is missing, one round after another."""
    had = {fault.name: sum(run.fault == fault.name for run in done) for fault in chosen}
    for number in range(1, repeat + 1):
        yield from (fault for fault in chosen if had[fault.name] < number)


def _run(todo: Sequence[Fault], folder: Path, port: int, keep: Callable[[Result], None]) -> None:
    with staged(folder, base_port=port, step=step) as stage:
        logs = folder / "journals"
        logs.mkdir(exist_ok=True)
        for number, fault in enumerate(todo, 1):
            began = time.monotonic()
            with console.status("") as status:

                def say(what: str, fault: Fault = fault, number: int = number) -> None:
                    status.update(f"{number} of {len(todo)}, {fault.name}: {what}")

                try:
                    result = once(stage, fault, logs, say)
                except (LabError, AssertionError, OSError) as error:
                    console.print(f"[red]✗[/] {fault.name}: {type(error).__name__}: {error}")
                    continue
            keep(result)
            took = time.monotonic() - began
            missed = verdict(fault, [result])
            console.print(
                f"{'[red]✗[/]' if missed else '[green]✓[/]'} {fault.name}: gap {result.gap_s:.1f} s, "
                f"{result.lost} lost, {result.stale} stale, {result.indeterminate} unclear"
                f"{f'; misses {missed}' if missed else ''} [dim]{took:.0f} s[/]"
            )


def main(
    *,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each fault.")] = 5,
    faults: Annotated[str, typer.Option(help="Names with commas between; all by default.")] = "",
    runs: Annotated[Path, typer.Option(help="Where each run is kept, and taken up from.")] = _RUNS,
    out: Annotated[Path | None, typer.Option("--json", help="All runs as one document.")] = None,
    home: Annotated[Path | None, typer.Option(help="The lab's folder; a new one else.")] = None,
    port: Annotated[int, typer.Option(min=1024, max=65_500, help="Its first port.")] = 18_000,
    show: Annotated[bool, typer.Option("--show", help="Only print what was kept.")] = False,
) -> None:
    """Break the lab again and again, and print the table."""
    with told():
        chosen = _chosen(faults)
        wanted = [] if show else list(todo(chosen, repeat, read_runs(runs)))
        if wanted:

            def keep(result: Result) -> None:
                with runs.open("a", encoding="utf-8") as file:
                    file.write(result.model_dump_json() + "\n")

            with tempfile.TemporaryDirectory(prefix="gos-lab-") as made:
                Path(made).chmod(0o711)
                _run(wanted, (home or Path(made) / "lab").absolute(), port, keep)
        names = {fault.name for fault in chosen}
        kept = [run for run in read_runs(runs) if run.fault in names]
        console.print(table_of(kept))
        if out is not None:
            out.write_text(json.dumps([run.model_dump() for run in kept], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
