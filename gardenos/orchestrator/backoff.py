"""How long a failed task waits: exponential with full jitter, so that failures never march in step."""

from __future__ import annotations

import random
from collections.abc import Callable

BASE_S = 2.0
CAP_S = 900.0


def ceiling(attempt: int, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """The longest wait after the `attempt`-th failure (1 is the first), in seconds."""
    return min(cap_s, base_s * 2.0 ** min(attempt - 1, 32))


def delay(attempt: int, *, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """A wait between a tenth of the ceiling and the ceiling, in seconds."""
    top = ceiling(attempt)
    return uniform(top / 10, top)
