"""How long to leave alone what does not answer: exponential, with jitter so that no two march in step."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Counts failures in a row and says how long to wait after each."""

    def __init__(
        self,
        *,
        base_s: float,
        cap_s: float,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._uniform = uniform
        self._failures = 0

    def failed(self) -> float:
        """Note a failure; seconds to wait: between half of what has doubled with each, and all."""
        top = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._uniform(top / 2, top)

    def ok(self) -> None:
        """Note a success: the next failure is the first again."""
        self._failures = 0
