"""What is measured, the same way for every system: enqueueing, draining, starting, sharing, dying."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from benchmarks._tasks_system import Agency, Kind, System
from benchmarks._tasks_work import NAP_S, Work, read_marks

Say: TypeAlias = Callable[[str], None]
_ASKED_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    singly: int = 1_000
    bulk: int = 20_000
    call: int = 1_000
    """Tasks per call where many are enqueued."""
    drain: int = 20_000
    low: int = 10_000
    urgent: int = 100
    urgent_per_s: float = 20.0
    other: int = 50
    killed: int = 5_000
    patience_s: float = 240.0
    """After this, what has not ended is stuck."""

    def reduced(self, by: float) -> Scale:
        """A shorter run of the same kind."""
        return Scale(
            singly=int(self.singly * by),
            bulk=int(self.bulk * by),
            drain=int(self.drain * by),
            low=int(self.low * by),
            urgent=max(10, int(self.urgent * by)),
            killed=int(self.killed * by),
            patience_s=self.patience_s,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure. `unit` is `tasks/s`, `ms`, `s` or `tasks`."""

    name: str
    value: float
    unit: str


class WrongCount(AssertionError):
    """The database holds another number of completions than tasks were enqueued."""


@dataclass
class Bench:
    """A system under measurement. Its workers run only where a scenario needs them."""

    system: System
    scale: Scale
    marks: Path
    say: Say
    labels: Counter[str] = field(default_factory=Counter[str])

    def label(self, name: str) -> str:
        """A prefix for marks that no other scenario of this run has."""
        self.labels[name] += 1
        return f"{self.system.name}-{name}-{self.labels[name]}-"

    # -- without workers -------------------------------------------------------------------

    async def enqueue(self) -> AsyncGenerator[Measured]:
        """One client, one call after the other, each its own transaction."""
        self.say("enqueues singly")
        began = time.perf_counter()
        for _ in range(self.scale.singly):
            await self.system.enqueue([Work()], kind=Kind.NOOP)
        yield Measured("enqueue singly", self.scale.singly / _since(began), "tasks/s")
        self.say("enqueues in bulk")
        began = time.perf_counter()
        for _ in range(self.scale.bulk // self.scale.call):
            await self.system.enqueue([Work()] * self.scale.call, kind=Kind.NOOP)
        done = self.scale.bulk // self.scale.call * self.scale.call
        yield Measured("enqueue in bulk", done / _since(began), "tasks/s")
        await self.system.clear()

    # -- with workers ----------------------------------------------------------------------

    async def warm_up(self) -> None:
        """Compile, connect, plan: not what is measured."""
        self.say("warms up")
        for kind in (Kind.NOOP, Kind.NAP):
            await self.system.enqueue([Work()] * 500, kind=kind)
            await self._until_idle()
        await self.system.clear()

    async def drain(self) -> AsyncGenerator[Measured]:
        """No-ops, enqueued in one transaction, until each is stored as done."""
        self.say("drains")
        # The clock starts before the transaction: what it takes, the workers wait for.
        began = time.perf_counter()
        await self.system.enqueue([Work()] * self.scale.drain, kind=Kind.NOOP)
        committed = time.perf_counter()
        assert await self._until_idle(), f"{self.system.name} does not drain"
        ended = time.perf_counter()
        await self._expect(self.scale.drain)
        yield Measured("drain", self.scale.drain / (ended - committed), "tasks/s")
        yield Measured("enqueue and drain", self.scale.drain / (ended - began), "tasks/s")
        await self.system.clear()

    async def start_urgent(self) -> AsyncGenerator[Measured]:
        """Urgent tasks while low ones wait: from before the call that enqueues to the first line run."""
        self.say("starts urgent tasks behind low ones")
        label = self.label("urgent")
        await self.system.enqueue([Work(NAP_S)] * self.scale.low, kind=Kind.NAP)
        submitted: dict[str, float] = {}
        began = time.perf_counter()
        for number in range(self.scale.urgent):
            await asyncio.sleep(max(0.0, number / self.scale.urgent_per_s - _since(began)))
            name = f"{label}{number}"
            submitted[name] = time.time()
            await self.system.enqueue([Work(NAP_S, starts=name)], kind=Kind.NAP, urgent=True)
        behind = await self.system.busy()
        await self._drained(self.scale.low + self.scale.urgent)
        waits = self._waits(label, submitted)
        assert behind, "the low tasks had ended before the last urgent one was enqueued"
        yield Measured("priority start p50", _percentile(waits, 50), "ms")
        yield Measured("priority start p99", _percentile(waits, 99), "ms")
        await self.system.clear()

    async def share(self) -> AsyncGenerator[Measured]:
        """Another agency's few tasks behind one agency's many, of the same priority."""
        self.say("shares between agencies")
        label = self.label("share")
        await self.system.enqueue([Work(NAP_S)] * self.scale.low, kind=Kind.NAP)
        names = [f"{label}{number}" for number in range(self.scale.other)]
        at = time.time()
        works = [Work(NAP_S, starts=name) for name in names]
        await self.system.enqueue(works, kind=Kind.NAP, agency=Agency.B)
        await self._drained(self.scale.low + self.scale.other)
        waits = self._waits(label, dict.fromkeys(names, at))
        yield Measured("agency B start p99", _percentile(waits, 99), "ms")
        await self.system.clear()

    async def die(self) -> AsyncGenerator[Measured]:
        """SIGKILL to all workers when half is done; how long the rest takes, and what is wrong then."""
        self.say("is killed at half")
        label = self.label("killed")
        many = self.scale.killed
        works = [Work(NAP_S, ends=f"{label}{number}") for number in range(many)]
        await self.system.enqueue(works, kind=Kind.NAP)
        while await self.system.completed() < many / 2:  # noqa: ASYNC110 a database is asked
            await asyncio.sleep(_ASKED_EVERY_S)
        killed = time.perf_counter()
        await self.system.kill_and_restart()
        await self._until_idle()
        took = _since(killed)
        completed = await self.system.completed()
        runs = Counter(mark.label for mark in read_marks(self.marks, label))
        yield Measured("finish after SIGKILL", took, "s")
        yield Measured("stuck after SIGKILL", many - completed, "tasks")
        yield Measured("ran again", sum(runs.values()) - len(runs), "tasks")
        yield Measured("completed twice", await self.system.completed_twice(), "tasks")
        await self.system.clear()

    # -- waiting and counting --------------------------------------------------------------

    async def _until_idle(self) -> bool:
        """Wait until nothing waits or runs; False where that takes longer than patience."""
        give_up = time.perf_counter() + self.scale.patience_s
        while await self.system.busy():
            if time.perf_counter() > give_up:
                return False
            await asyncio.sleep(_ASKED_EVERY_S)
        return True

    async def _drained(self, tasks: int) -> None:
        assert await self._until_idle(), f"{self.system.name} does not finish"
        await self._expect(tasks)

    async def _expect(self, tasks: int) -> None:
        completed = await self.system.completed()
        if completed != tasks:
            raise WrongCount(
                f"{self.system.name}: {completed} of {tasks} tasks are stored as done."
            )

    def _waits(self, label: str, submitted: dict[str, float]) -> list[float]:
        """Milliseconds from submission to the first start, of every task."""
        started: dict[str, float] = {}
        for mark in read_marks(self.marks, label):
            started.setdefault(mark.label, mark.at)
        assert started.keys() == submitted.keys(), "a task that is stored as done was never run"
        return [(started[name] - at) * 1000 for name, at in submitted.items()]


def _since(began: float) -> float:
    return time.perf_counter() - began


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
