"""What is remembered of an endpoint between requests: the rung that works, and whether it rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gardenos.ai.llm.protocol import Mode

LADDER = (Mode.JSON_SCHEMA, Mode.JSON_OBJECT)
_REMEMBERED_S = 3600.0
"""Then the ladder is climbed from its top again: endpoints learn, and a bad minute is no verdict."""
_FAILURES_BEFORE_REST = 3
_REST_S = 30.0
_LONGEST_REST_S = 300.0


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


class Breaker:
    """Lets an endpoint rest that failed several requests in a row, so that none waits for it in vain."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._rests_until = 0.0

    def rest_left_s(self) -> float:
        """Seconds until the endpoint may be asked again; 0 now."""
        return max(0.0, self._rests_until - self._monotonic())

    def failed(self, *, retry_after_s: float | None = None) -> None:
        """A whole request failed, retries and all; `retry_after_s` is what the endpoint asked for."""
        self._failures += 1
        rest = 0.0
        if self._failures >= _FAILURES_BEFORE_REST:
            rest = _REST_S
        if retry_after_s is not None:
            rest = max(rest, min(retry_after_s, _LONGEST_REST_S))
        self._rests_until = max(self._rests_until, self._monotonic() + rest)

    def worked(self) -> None:
        """The endpoint answered. A rest stands: what was asked before it began says nothing of it."""
        self._failures = 0
