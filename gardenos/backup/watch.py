"""Whom to tell how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Bytes done, bytes in all."""


def _nobody(*_: object) -> None:
    return


@dataclass(frozen=True, slots=True)
class Watch:
    """One who watches."""

    doing: Callable[[str], None] = _nobody
    """Called with what begins now, such as `Copying the data`."""
    progress: Progress = _nobody


SILENT = Watch()
