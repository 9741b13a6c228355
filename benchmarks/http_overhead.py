"""What Serve, tokens and row-level security cost a request, against plain uvicorn and asyncpg.

Brings up an installation of its own, with one gateway, and beside it, on the same database, one
process of uvicorn each for `same` (GardenOS's own application) and `plain` (the query alone, no
token, no session, no policies). Every round loads each of them in turn; ratios are taken within a
round, and their median is what counts.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks._load import Figures, Target, measure, median, require_wrk
from gardenos.cli.problems import told
from tests.support.garden import Garden, free_ports, new_garden
from tests.support.waiting import until

console = Console()


@dataclass(frozen=True)
class Contest:
    """The same request to several servers; the first is ours, the others are what it is held to."""

    route: str
    targets: Sequence[Target]
    alone: dict[str, list[Figures]] = field(default_factory=dict[str, list[Figures]])
    """By target, per round: one request after the other."""
    loaded: dict[str, list[Figures]] = field(default_factory=dict[str, list[Figures]])
    """By target, per round: many at a time."""

    def play(self, *, connections: int, seconds: int) -> None:
        """One round."""
        for target in self.targets:
            self.alone.setdefault(target.name, []).append(
                measure(target, connections=1, seconds=seconds)
            )
            self.loaded.setdefault(target.name, []).append(
                measure(target, connections=connections, seconds=seconds)
            )

    def ratios(self, other: str) -> list[float]:
        """Our throughput by that of another, per round."""
        ours = self.loaded[self.targets[0].name]
        pairs = zip(ours, self.loaded[other], strict=True)
        return [one.requests_per_s / two.requests_per_s for one, two in pairs]

    def added_ms(self, other: str) -> float:
        """What our median latency has more than that of another, one request at a time."""
        ours = self.alone[self.targets[0].name]
        pairs = zip(ours, self.alone[other], strict=True)
        return statistics.median(one.p50_ms - two.p50_ms for one, two in pairs)


@contextmanager
def beside(garden: Garden, kind: str) -> Generator[str]:
    """One of the servers to compare with; its address."""
    port = free_ports()["GARDENOS_HTTP_PORT"]
    command = [sys.executable, "-m", "benchmarks._uvicorn", kind, "--port", port]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=garden.env) as server:
        try:
            until(lambda: _answers(url), bool, within_s=30)
            yield url
        finally:
            server.terminate()


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.TransportError:
        return False
    return True


def contests(garden: Garden, same: str, plain: str) -> list[Contest]:
    """The requests, with a lead to ask for."""
    bearer = {"Authorization": f"Bearer {garden.token}"}
    lead = {"first_name": "Ines", "last_name": "Bau", "email": "ines@example.org", "city": "Bonn"}
    made = httpx.post(f"{garden.url}/v1/leads", json=lead, headers=bearer, timeout=10)
    path = f"/v1/leads/{made.raise_for_status().json()['id']}"
    return [
        Contest(
            "GET /healthz",
            (
                Target("Serve", f"{garden.url}/healthz", {}),
                Target("uvicorn, same app", f"{same}/healthz", {}),
            ),
        ),
        Contest(
            "GET /v1/leads/{id}",
            (
                Target("Serve, token, RLS", garden.url + path, bearer),
                Target("uvicorn, same app", same + path, bearer),
                Target("uvicorn + asyncpg, no RLS", plain + path, {}),
            ),
        ),
    ]


def show(played: Sequence[Contest], *, connections: int, rounds: int) -> None:
    """Two tables: what was measured, and how we compare."""
    table = Table(title=f"Medians of {rounds} rounds", title_justify="left")
    for name in ("Route", "Server"):
        table.add_column(name)
    for name in (f"req/s ({connections})", f"p50 ms ({connections})", f"p99 ms ({connections})"):
        table.add_column(name, justify="right")
    table.add_column("p50 ms (1)", justify="right")
    compared = Table(title="Serve against", title_justify="left")
    for name in ("Route", "Server"):
        compared.add_column(name)
    for name in ("throughput", "lowest-highest", "p50 added"):
        compared.add_column(name, justify="right")
    for contest in played:
        for target in contest.targets:
            loaded, alone = median(contest.loaded[target.name]), median(contest.alone[target.name])
            table.add_row(
                contest.route,
                target.name,
                f"{loaded.requests_per_s:,.0f}",
                f"{loaded.p50_ms:.2f}",
                f"{loaded.p99_ms:.2f}",
                f"{alone.p50_ms:.2f}",
            )
        for target in contest.targets[1:]:
            ratios = contest.ratios(target.name)
            compared.add_row(
                contest.route,
                target.name,
                f"{statistics.median(ratios):.2f}",
                f"{min(ratios):.2f}-{max(ratios):.2f}",
                f"{contest.added_ms(target.name):+.2f} ms",
            )
    console.print(table)
    console.print(compared)
    console.print(
        "Connections in brackets. Targets: /healthz 0.40 and +0.50 ms; leads 0.50 of no RLS."
    )


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="Per measurement.")] = 3,
    connections: Annotated[int, typer.Option(min=1)] = 32,
) -> None:
    """Measure, and print two tables."""
    with told(), ExitStack() as stack:
        require_wrk()
        with console.status("Bringing an installation up"):
            garden = stack.enter_context(contextmanager(new_garden)())
            garden.ok("up")
            same = stack.enter_context(beside(garden, "same"))
            plain = stack.enter_context(beside(garden, "plain"))
            played = contests(garden, same, plain)
        for contest in played:  # compile, connect, plan: not what is measured
            contest.play(connections=connections, seconds=1)
            contest.alone.clear()
            contest.loaded.clear()
        for _ in track(range(rounds), "Measuring", console=console):
            for contest in played:
                contest.play(connections=connections, seconds=seconds)
        show(played, connections=connections, rounds=rounds)


if __name__ == "__main__":
    typer.run(main)
