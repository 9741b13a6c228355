"""How many agents a type needs: a pure decision over a snapshot, and patience before it counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """What the orchestrator knows of one agent type's work."""

    backlog: int
    """Tasks that are due and wait."""
    in_flight: int
    """Tasks sent to replicas and not answered."""
    override: int | None = None
    """The size an operator asked for."""

    @classmethod
    def read(cls, note: Mapping[str, Any]) -> PoolFigures | None:
        """The figures in a published note; None where it cannot be read."""
        backlog, in_flight = _count(note.get("backlog")), _count(note.get("in_flight"))
        override = _count(note.get("override"))
        unreadable = override is None and note.get("override") is not None
        if backlog is None or in_flight is None or unreadable:
            return None
        return cls(backlog, in_flight, override)


@dataclass(frozen=True, slots=True)
class Scale:
    """A number of replicas and the reason for it."""

    n: int
    why: str
    at_once: bool = False
    """Whether it should not wait for the figures to persist."""


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def decide(
    figures: PoolFigures | None, *, current: int, target: float, lowest: int, highest: int
) -> Scale:
    """The replicas for these figures, `target` tasks each, within the range.

    None stands for figures that are missing, old or unreadable: the current count stays.
    """
    if figures is None:
        return Scale(current, "the figures are missing or old: stays as it is", at_once=True)
    if figures.override is not None:
        n = min(max(figures.override, lowest), highest)
        return Scale(n, f"an operator asked for {figures.override}", at_once=True)
    load = figures.backlog + figures.in_flight
    n = min(max(math.ceil(load / max(target, 1)), lowest), highest)
    return Scale(n, f"{load} tasks due or in flight, {target:g} per replica")


@dataclass(slots=True)
class Patience:
    """Lets a change pass only once it was wanted for long enough, in one direction without a break."""

    up_after_s: float
    down_after_s: float
    _direction: int = 0
    _since: float = 0.0

    def settle(self, wanted: Scale, *, current: int, now: float) -> Scale:
        """What to do now, at `now` seconds of any steady clock."""
        direction = (wanted.n > current) - (wanted.n < current)
        if direction != self._direction:
            self._direction, self._since = direction, now
        if direction == 0 or wanted.at_once:
            return wanted
        wait_s = self.up_after_s if direction > 0 else self.down_after_s
        if now - self._since >= wait_s:
            return wanted
        return Scale(current, f"{wanted.why}; waits whether that lasts")
