"""What several orchestrators, more replicas and a larger PostgreSQL would carry: a simulation.

It knows the price of each step from `task_cpu` and `task_steps`, and nothing else: no network, no disk,
no vacuum, and each process has a core to itself. What it shows is which part is full first, and how
many of the others that part keeps busy.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeAlias

import simpy
import typer
from rich.console import Console
from rich.table import Table

Steps: TypeAlias = Generator[simpy.Event, Any, None]
console = Console()
_BATCH: Final = 50
_WARM_UP_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Price:
    """Seconds of processor time for a batch: so much for each, and for each task in it."""

    batch_s: float
    task_s: float

    def of(self, tasks: int) -> float:
        """For a batch of so many."""
        return self.batch_s + tasks * self.task_s


@dataclass(frozen=True, slots=True)
class Prices:
    """What a task costs on its way; where from, docs/scaling.md says."""

    lease: Price = Price(0.0020, 0.000036)
    """PostgreSQL: find lanes and lease."""
    settle: Price = Price(0.0015, 0.000061)
    """PostgreSQL: write the ends down."""
    dispatch: Price = Price(0.0010, 0.000097)
    """The orchestrator: plan, encode, send, read the reply."""
    run: Price = Price(0.0010, 0.000098)
    """The replica: take, run, build the results."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the work is spread over."""

    orchestrators: int
    replicas: int
    postgres_cores: int
    room: int = 128
    """Tasks that a replica accepts."""


@dataclass
class Part:
    """A processor, or several alike: who waits for it, and how long it was busy."""

    env: simpy.Environment
    cores: int
    busy_s: float = 0.0
    resource: simpy.Resource = field(init=False)

    def __post_init__(self) -> None:
        self.resource = simpy.Resource(self.env, self.cores)

    def work(self, seconds: float, dice: random.Random) -> Steps:
        """Take a core for about so long."""
        with self.resource.request() as turn:
            yield turn
            took = seconds * dice.uniform(0.7, 1.3)
            yield self.env.timeout(took)
            if self.env.now > _WARM_UP_S:
                self.busy_s += took

    def share(self, until_s: float) -> float:
        """Of its time, how much it was busy."""
        return self.busy_s / (self.cores * (until_s - _WARM_UP_S))


@dataclass
class System:
    """One queue that never empties, and everything that works it off."""

    layout: Layout
    prices: Prices
    dice: random.Random
    env: simpy.Environment = field(default_factory=simpy.Environment)
    done: int = 0

    def __post_init__(self) -> None:
        self.postgres = Part(self.env, self.layout.postgres_cores)
        self.orchestrators = [Part(self.env, 1) for _ in range(self.layout.orchestrators)]
        self.replicas = [Part(self.env, 1) for _ in range(self.layout.replicas)]
        # A replica's room is divided between the orchestrators: none sends what another fills.
        share = max(1, self.layout.room * self.layout.replicas // self.layout.orchestrators)
        self.rooms = [simpy.Container(self.env, share, share) for _ in self.orchestrators]

    def run(self, seconds: float) -> None:
        """Let it work for so long, the start besides."""
        for one, room in zip(self.orchestrators, self.rooms, strict=True):
            self.env.process(self._dispatch(one, room))
        self.env.run(_WARM_UP_S + seconds)

    def _dispatch(self, me: Part, room: simpy.Container) -> Steps:
        turns = self._turns()
        while True:
            tasks = int(min(_BATCH, room.capacity))
            yield room.get(tasks)
            yield from self.postgres.work(self.prices.lease.of(tasks), self.dice)
            # Sent while the next lease is on its way.
            self.env.process(self._deliver(me, next(turns), room, tasks))

    def _turns(self) -> Iterator[Part]:
        while True:
            yield from self.dice.sample(self.replicas, len(self.replicas))

    def _deliver(self, me: Part, replica: Part, room: simpy.Container, tasks: int) -> Steps:
        yield from me.work(self.prices.dispatch.of(tasks), self.dice)
        yield from replica.work(self.prices.run.of(tasks), self.dice)
        yield from self.postgres.work(self.prices.settle.of(tasks), self.dice)
        yield room.put(tasks)
        if self.env.now > _WARM_UP_S:
            self.done += tasks


LAYOUTS: Final = (
    Layout(1, 1, 2),
    Layout(1, 2, 2),
    Layout(1, 4, 4),
    Layout(1, 8, 8),
    Layout(2, 4, 4),
    Layout(2, 8, 8),
    Layout(4, 16, 8),
    Layout(4, 16, 4),
    Layout(8, 32, 16),
    Layout(8, 32, 8),
)


def _mean(parts: list[Part], until_s: float) -> float:
    return sum(part.share(until_s) for part in parts) / len(parts)


def main(
    *,
    seconds: Annotated[float, typer.Option(min=1, help="Simulated, each layout.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 1,
) -> None:
    """Simulate larger installations, and print what each carries and which part is full."""
    table = Table(title=f"No-op tasks in batches of {_BATCH}, simulated", title_justify="left")
    for name in ("orchestrators", "replicas", "PostgreSQL cores", "tasks/s"):
        table.add_column(name, justify="right")
    for name in ("orchestrators busy", "replicas busy", "PostgreSQL busy"):
        table.add_column(name, justify="right")
    table.add_column("full first")
    for layout in LAYOUTS:
        system = System(layout, Prices(), random.Random(seed))
        system.run(seconds)
        until_s = _WARM_UP_S + seconds
        shares = {
            "orchestrators": _mean(system.orchestrators, until_s),
            "replicas": _mean(system.replicas, until_s),
            "PostgreSQL": system.postgres.share(until_s),
        }
        table.add_row(
            str(layout.orchestrators),
            str(layout.replicas),
            str(layout.postgres_cores),
            f"{system.done / seconds:,.0f}",
            *(f"{share:.0%}" for share in shares.values()),
            max(shares, key=lambda name: shares[name]),
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
