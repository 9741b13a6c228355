"""The work that every queue is given: the same function, wherever it is called from."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

MARKS = "BENCH_TASKS_MARKS"
"""The environment variable that names the file of marks. All workers run on this machine."""
NAP_S = 0.01


@dataclass(frozen=True, slots=True)
class Work:
    """One task: to sleep, or nothing at all; with a label, it leaves a mark when it starts or ends."""

    sleep_s: float = 0.0
    starts: str = ""
    ends: str = ""

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Mark:
    """A run was at the place its label names, at this time (seconds since the epoch)."""

    label: str
    at: float


async def work(sleep_s: float, starts: str, ends: str) -> None:
    """What each task does."""
    if starts:
        _leave(starts)
    if sleep_s:
        await asyncio.sleep(sleep_s)
    if ends:
        _leave(ends)


@cache
def _file() -> int:
    return os.open(os.environ[MARKS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def _leave(label: str) -> None:
    # One write of a short line to a file opened for appending: lines of several writers stay whole.
    os.write(_file(), f"{label} {time.time():.6f}\n".encode())


def read_marks(file: Path, prefix: str) -> Iterable[Mark]:
    """The marks whose label begins so, in the order they were left."""
    for line in file.read_text("utf-8").splitlines() if file.exists() else ():
        label, _, at = line.partition(" ")
        if label.startswith(prefix):
            yield Mark(label, float(at))
