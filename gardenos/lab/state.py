"""What a lab left running: written down, so that a later command finds it and nothing else."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

_SAME_START_S = 2.0
"""How far two readings of a process's start may differ: clock corrections move the kernel's."""


class Started(BaseModel):
    """A process by its pid and the time it started, in seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    pid: int
    create_time: float

    def process(self) -> psutil.Process | None:
        """The process if it still runs; None where it ended or another one has its pid."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _SAME_START_S
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


class State(BaseModel):
    """What stands in `run/lab.json`."""

    model_config = ConfigDict(frozen=True)

    base_port: int
    to_api: bool = False
    """Whether the sidecars publish to an API server instead of into a folder."""
    started: dict[str, Started] = {}
    """By the name of the part; Patroni for a node."""

    def with_started(self, name: str, started: Started) -> State:
        """The state once this part runs."""
        return self.model_copy(update={"started": {**self.started, name: started}})


def read(run: Path) -> State | None:
    """What was last written, whether it still holds or not."""
    try:
        return State.model_validate_json((run / "lab.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def write(run: Path, state: State) -> None:
    """Write it down, whole or not at all."""
    half = run / f".lab.{secrets.token_hex(4)}"
    half.write_text(state.model_dump_json(indent=2) + "\n", "utf-8")
    half.replace(run / "lab.json")


def workers_in(folder: Path) -> list[psutil.Process]:
    """Every living process that works in `folder` or below it, whoever its parent is."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            works_there = Path(process.cwd()).is_relative_to(folder)
            if works_there and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
