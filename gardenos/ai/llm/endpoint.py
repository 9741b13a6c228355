"""What is remembered of an endpoint between requests: the rung that works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gardenos.ai.llm.protocol import Mode

LADDER = (Mode.JSON_SCHEMA, Mode.JSON_OBJECT)
_REMEMBERED_S = 3600.0
"""Then the ladder is climbed from its top again: endpoints learn, and a bad minute is no verdict."""


@dataclass(slots=True)
class _Known:
    mode: Mode
    until: float


class RungMemory:
    """The rung that worked last, per endpoint and model."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: dict[tuple[str, str], _Known] = {}

    def working(self, endpoint: str, model: str) -> Mode | None:
        """The rung known to work, or None."""
        known = self._known.get((endpoint, model))
        if known is None or known.until < self._monotonic():
            return None
        return known.mode

    def remember(self, endpoint: str, model: str, mode: Mode) -> None:
        """Begin with `mode` from now on. What already works is not put off by working again."""
        known = self._known.get((endpoint, model))
        if known is None or known.mode is not mode or known.until < self._monotonic():
            until = self._monotonic() + _REMEMBERED_S
            self._known[(endpoint, model)] = _Known(mode, until)

    def forget(self, endpoint: str, model: str) -> None:
        """Begin at the top again: the endpoint has changed."""
        self._known.pop((endpoint, model), None)

    def ladder(self, endpoint: str, model: str) -> tuple[Mode, ...]:
        """The rungs to try, from the one known to work downwards."""
        working = self.working(endpoint, model)
        return LADDER if working is None else LADDER[LADDER.index(working) :]
