"""Processes we started: named so that a reused pid is never taken for one, found even when orphaned."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

MARK = "GARDENOS_STARTED_FOR"
"""The variable that `up` puts into the environment of what it starts: the installation's home.

Children inherit it, so that an HAProxy whose whole family was killed can still be told from others.
"""
_SAME_START_S = 2.0
"""How far two readings of one process's start may differ: the kernel counts from a boot time that
clock corrections move."""


class ProcessRecord(BaseModel):
    """A process by its pid and the time it started, in seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    pid: int
    create_time: float

    @classmethod
    def of(cls, pid: int) -> ProcessRecord | None:
        """The process that has this pid now."""
        with contextlib.suppress(psutil.Error):
            return cls(pid=pid, create_time=psutil.Process(pid).create_time())
        return None

    def process(self) -> psutil.Process | None:
        """The process if it still runs; None where it ended or another one has its pid."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _SAME_START_S
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def mark_of(home: Path) -> str:
    """The mark of an installation: its folder, by whatever links it is reached."""
    return str(home.resolve())


def marked(home: Path) -> list[psutil.Process]:
    """Every living process that was started for this installation, whoever its parent is."""
    mark = mark_of(home)
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and _lives(process):
                found.append(process)
    return found


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all its descendants; collect them before signalling, orphans lose their parent."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return [process]


def end(
    first: Iterable[psutil.Process], rest: Iterable[psutil.Process] = (), *, grace_s: float
) -> list[psutil.Process]:
    """Ask the first to end, wait, then kill whoever of all is left; those that would not die."""
    asked = list(first)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    everyone = list(dict.fromkeys([*asked, *rest]))
    _gone, alive = psutil.wait_procs(everyone, timeout=grace_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _gone, alive = psutil.wait_procs(alive, timeout=5)
    return [process for process in alive if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
