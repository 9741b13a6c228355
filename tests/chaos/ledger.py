"""What clients were promised: a file of the ids of accepted tasks, one line each, written at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Accepted:
    """A task that the API said it has taken, and the key it was sent under."""

    task_id: UUID
    agency_id: UUID
    agent_type: str
    key: str


class Ledger:
    """Appends to a file; several threads may."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")
        self._path = file
        self._lock = threading.Lock()

    def accept(self, accepted: Accepted) -> None:
        """Write down a promise, and hand it to the disk."""
        line = json.dumps({name: str(value) for name, value in asdict(accepted).items()})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Nothing is promised any more."""
        self._file.close()

    def entries(self) -> Iterable[Accepted]:
        """Every promise, in the order they were made."""
        return read(self._path)


def read(file: Path) -> Iterable[Accepted]:
    """The promises in a file."""
    for line in file.read_text("utf-8").splitlines():
        said = json.loads(line)
        yield Accepted(
            UUID(said["task_id"]), UUID(said["agency_id"]), said["agent_type"], said["key"]
        )
