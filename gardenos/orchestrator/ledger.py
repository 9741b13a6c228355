"""What one replica of an agent has done lately: how fast, how well, at what cost."""

from __future__ import annotations

import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from gardenos.orchestrator.task import Attempt

WINDOW_S = 60.0
_RECENT_RUNS = 1000
_PERCENTILES = (50, 95, 99)


@runtime_checkable
class Metered(Protocol):
    """Something a run used that counts tokens and may know its cost, as a call to a model does."""

    @property
    def input_tokens(self) -> int | None:
        """Tokens sent; None where unknown."""
        ...

    @property
    def output_tokens(self) -> int | None:
        """Tokens received; None where unknown."""
        ...

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars; None where unknown."""
        ...


class Ledger:
    """Counts runs as they end. Sums are since the start, rates and latencies of late."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._ends: deque[tuple[float, int]] = deque()
        self._took_s: deque[float] = deque(maxlen=_RECENT_RUNS)
        self._outcomes: Counter[str] = Counter()
        self._lost = 0
        self._tokens = {"input": 0, "output": 0}
        self._cost_usd: Decimal | None = Decimal(0)

    def enter(self, attempt: Attempt, *, took_s: float, held: bool) -> None:
        """Note the end of a run; one that held its fence no more has only cost something."""
        for used in attempt.usage:
            if isinstance(used, Metered):
                self._pay(used)
        if not held:
            self._lost += 1
            return
        self._outcomes[type(attempt.outcome).__name__.lower()] += 1
        self._took_s.append(took_s)
        now = self._monotonic()
        if self._ends and self._ends[-1][0] == now:
            self._ends[-1] = (now, self._ends[-1][1] + 1)
        else:
            self._ends.append((now, 1))
        self._forget(now)

    def _pay(self, used: Metered) -> None:
        self._tokens["input"] += used.input_tokens or 0
        self._tokens["output"] += used.output_tokens or 0
        if self._cost_usd is None or used.cost_usd is None:
            self._cost_usd = None
        else:
            self._cost_usd += used.cost_usd

    def _forget(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now - WINDOW_S:
            self._ends.popleft()

    def figures(self) -> dict[str, Any]:
        """As numbers that JSON carries; the cost as text, and None where a part of it is unknown."""
        now = self._monotonic()
        self._forget(now)
        seen_s = min(WINDOW_S, max(1.0, now - self._began))
        return {
            "finished": self._outcomes.total(),
            "outcomes": dict(self._outcomes),
            "errors": self._outcomes["retry"] + self._outcomes["fail"],
            "lost": self._lost,
            "throughput_per_s": round(sum(count for _, count in self._ends) / seen_s, 3),
            "latency_s": _percentiles(self._took_s),
            "tokens": dict(self._tokens),
            "cost_usd": None if self._cost_usd is None else str(self._cost_usd),
        }


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {f"p{percent}": None for percent in _PERCENTILES}
    cuts = statistics.quantiles([*values, values[-1]], n=100, method="inclusive")
    return {f"p{percent}": round(cuts[percent - 1], 6) for percent in _PERCENTILES}
