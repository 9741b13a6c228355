"""Who was heard of lately, by the hearer's own clock: the stamps others send are only compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any


@dataclass(slots=True)
class Sightings:
    """Remembers when each key's stamp last changed, so that clocks of two machines never meet.

    A stamp seen for the first time may be of any age: its key counts once the stamp has changed.
    """

    within_s: float
    _seen: dict[str, tuple[Any, float]] = field(default_factory=dict[str, tuple[Any, float]])

    def see(self, stamps: Mapping[str, Any], now: float) -> None:
        """Take down the current stamps; keys that are gone are forgotten."""
        before = self._seen
        self._seen = {key: _noted(before.get(key), stamp, now) for key, stamp in stamps.items()}

    def fresh(self, now: float) -> set[str]:
        """The keys whose stamp changed within the last `within_s` seconds."""
        return {key for key, (_, at) in self._seen.items() if now - at <= self.within_s}


def _noted(before: tuple[Any, float] | None, stamp: Any, now: float) -> tuple[Any, float]:
    if before is None:
        return stamp, -inf
    return before if before[0] == stamp else (stamp, now)
