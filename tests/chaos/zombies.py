"""How many late results were dropped: the replicas' logs have a line for each, whoever died since."""

from __future__ import annotations

from pathlib import Path

from gardenos.serve.environment import log_folder
from tests.support.garden import Garden

_LINE = '"event": "zombie_dropped"'


def count(garden: Garden) -> int:
    """The lines so far in the files of a Ray session. Ask before the installation goes down."""
    # Rotated ones are numbered at their end.
    return sum(_lines(file) for file in log_folder(garden.home.folder).glob("*.err*"))


def _lines(file: Path) -> int:
    with file.open(encoding="utf-8", errors="replace") as opened:
        return sum(_LINE in line for line in opened)
