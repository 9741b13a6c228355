"""What a task queue must be able to do to be measured, and the settings it is measured with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from benchmarks._tasks_work import MARKS, Work
from gardenos.cli.cluster import ROOT


class Agency(StrEnum):
    """Whose task it is. Only ours knows the difference."""

    A = "a"
    B = "b"


class Kind(StrEnum):
    """Which workers a task is for: many no-ops at a time, or a few naps."""

    NOOP = "noop"
    NAP = "nap"


@dataclass(frozen=True, slots=True)
class Tuning:
    """How many processes work, and how many tasks all of them together have at work."""

    processes: int
    concurrency: int

    @property
    def each(self) -> int:
        """Tasks at work in each process."""
        return max(1, self.concurrency // self.processes)

    def __str__(self) -> str:
        return f"{self.processes} x {self.each}"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a system is measured: its own database on the common server, and the file of marks."""

    admin_dsn: str
    app_dsn: str
    marks: Path
    folder: Path
    """For logs."""

    def environment(self) -> dict[str, str]:
        """What workers are started with."""
        return {**os.environ, MARKS: str(self.marks), "PYTHONPATH": str(ROOT)}


class System(Protocol):
    """A task queue with its workers. All counts come from its database."""

    @property
    def name(self) -> str:
        """How the table calls it."""
        ...

    @property
    def recovery(self) -> str:
        """How tasks of killed workers come back, as its documentation says."""
        ...

    async def prepare(self) -> None:
        """Make the schema in an empty database, and open what enqueues."""
        ...

    async def close(self) -> None:
        """Close what `prepare` opened."""
        ...

    async def clear(self) -> None:
        """Forget every task."""
        ...

    async def enqueue(
        self, works: Sequence[Work], *, kind: Kind, urgent: bool = False, agency: Agency = Agency.A
    ) -> None:
        """Enqueue in one call and one transaction, by what the library has for one or for many."""
        ...

    def working(self, tunings: dict[Kind, Tuning]) -> AbstractAsyncContextManager[None]:
        """Workers, ready to take tasks, until the block ends."""
        ...

    async def kill_and_restart(self) -> None:
        """SIGKILL to every worker at once; those that nobody restarts are started again."""
        ...

    async def busy(self) -> bool:
        """Whether any task waits or runs. Cheap: it is asked fifty times a second."""
        ...

    async def completed(self) -> int:
        """How many tasks ended well and are stored as such."""
        ...

    async def completed_twice(self) -> int:
        """Completions stored beyond one for each task."""
        ...


@dataclass
class Processes:
    """The worker processes of a peer, each `python -m MODULE` with arguments."""

    module: str
    setting: Setting
    dsn: str
    running: list[tuple[tuple[str, ...], subprocess.Popen[bytes]]] = field(
        default_factory=list[tuple[tuple[str, ...], subprocess.Popen[bytes]]]
    )

    def start(self, *arguments: str) -> None:
        """Start one; it says on its standard output that it is ready, then this returns."""
        log = (self.setting.folder / f"{self.module.rpartition('.')[2]}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            env=self.setting.environment() | {"BENCH_TASKS_DSN": self.dsn},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        log.close()
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", (
            f"{self.module} did not start: see {log.name}"
        )
        self.running.append((arguments, process))

    def kill_and_restart(self) -> None:
        """SIGKILL to all of them at once, then the same again."""
        before, self.running = self.running, []
        for _, process in before:
            process.send_signal(signal.SIGKILL)
        for arguments, process in before:
            process.wait()
            self.start(*arguments)

    def stop(self) -> None:
        """End all of them."""
        for _, process in self.running:
            process.terminate()
        for _, process in self.running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()
