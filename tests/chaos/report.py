"""What a run broke, and what became of the work, for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.chaos.judge import Verdict
from tests.chaos.plan import Kind

_COMPLAINTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault as it was done: what was hit, or why there was nothing to hit."""

    at_s: float
    kind: Kind
    what: str

    @property
    def hit(self) -> bool:
        """Whether something was there to be broken."""
        return not self.what.startswith("nothing")


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run."""

    seed: int
    minutes: float
    struck: Sequence[Struck]
    verdict: Verdict
    repeated: int
    """Requests that had to be sent again."""
    unanswered: int
    """Requests given up without an answer: nothing was promised."""
    zombies: int
    """Results that came too late and were dropped."""
    drained_s: float
    """From the last fault's end until nothing was open any more."""
    failures: Sequence[str] = ()
    """What went wrong with the clients themselves."""

    @property
    def holds(self) -> bool:
        """Whether nothing was lost or doubled, and nothing else is wrong."""
        return self.verdict.holds and not self.failures

    @property
    def command(self) -> str:
        """What repeats this run."""
        return f"./garden chaos --minutes {self.minutes:g} --seed {self.seed}"


def show(console: Console, report: Report) -> None:
    """Two tables, complaints if there are any, and the command that repeats the run."""
    console.print(_faults(report.struck))
    console.print(_work(report))
    complaints = [*report.failures, *report.verdict.complaints]
    for complaint in complaints[:_COMPLAINTS_SHOWN]:
        console.print(f"[red]✗[/] {escape(complaint)}")
    if len(complaints) > _COMPLAINTS_SHOWN:
        console.print(f"... and {len(complaints) - _COMPLAINTS_SHOWN} more")
    console.print("[green]✓[/] Every promise was kept." if report.holds else "[red]Broken.[/]")
    console.print(f"The same again: {report.command}")


def _faults(struck: Sequence[Struck]) -> Table:
    table = Table("Fault", title="Faults injected", title_justify="left")
    table.add_column("done", justify="right")
    table.add_column("nothing to hit", justify="right")
    done = Counter(each.kind for each in struck if each.hit)
    missed = Counter(each.kind for each in struck if not each.hit)
    for kind in Kind:
        table.add_row(kind.value, str(done[kind]), str(missed[kind]))
    table.add_row("all", str(done.total()), str(missed.total()), style="bold")
    return table


def _work(report: Report) -> Table:
    verdict = report.verdict
    table = Table("Work", title=f"Seed {report.seed}, {report.minutes:g} min", title_justify="left")
    table.add_column("", justify="right")
    table.add_row("tasks accepted", f"{verdict.accepted:,}")
    for state in ("succeeded", "dead", "cancelled"):
        table.add_row(f"  {state}", f"{verdict.states.get(state, 0):,}")
    table.add_row("lost", str(len(verdict.lost)), style="bold")
    table.add_row("doubled", str(len(verdict.doubled)), style="bold")
    table.add_row("never finished", str(len(verdict.unfinished)))
    table.add_row("zombies dropped", f"{report.zombies:,}")
    table.add_row("requests repeated", f"{report.repeated:,}")
    table.add_row("requests without an answer", str(report.unanswered))
    table.add_row("drained after", f"{report.drained_s:.1f} s")
    return table
