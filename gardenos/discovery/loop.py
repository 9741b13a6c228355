"""The loop: a cycle every tick, at once when the leader key changes; a line when it says new things."""

from __future__ import annotations

import logging
import threading
import time

from gardenos.discovery.cycle import Done, Sidecar
from gardenos.discovery.figures import Figures

SOON_S = 0.2
EAGER_S = 3.0
"""How long cycles follow each other at once after the leader key has changed."""
_log = logging.getLogger("gardenos.discovery")


class Loop:
    """Runs cycles until it is stopped; `wake` may be called from any thread."""

    def __init__(self, sidecar: Sidecar, figures: Figures, *, tick_s: float) -> None:
        self._sidecar = sidecar
        self._figures = figures
        self._tick_s = tick_s
        self._woken = threading.Event()
        self._ended = False
        self._eager_until = 0.0
        self.last = Done("No cycle has ended yet.")
        self.begun = False
        """Whether a cycle has ended yet."""
        self.ended_at = time.monotonic()
        """When the last one did, or when this was made."""

    def wake(self) -> None:
        """Begin the next cycle now: the leader key has changed."""
        self._eager_until = time.monotonic() + EAGER_S
        self._figures.count("wakes_total")
        self._woken.set()

    def stop(self) -> None:
        """End after the cycle that runs."""
        self._ended = True
        self._woken.set()

    def run(self) -> None:
        """Cycle after cycle, until `stop`. A cycle that fails is told of and followed by the next."""
        while True:
            self._woken.clear()  # before the look at what `stop` says: it may come at any moment
            if self._ended:
                break
            self._say(self._cycle())
            # Patroni takes a moment from the lock to the promotion, and the sidecar too much of
            # it if it slept: so it is eager around a change.
            eager = self.last.soon or time.monotonic() < self._eager_until
            self._woken.wait(min(SOON_S, self._tick_s) if eager else self._tick_s)
        self._sidecar.close()

    def _cycle(self) -> Done:
        try:
            return self._sidecar.run()
        except Exception:  # noqa: BLE001 the next cycle looks anew
            _log.exception("A cycle failed; the slices stay as they are.")
            return Done("A cycle failed; the log says how.", warns=True)

    def _say(self, done: Done) -> None:
        self.ended_at = time.monotonic()
        self.begun = True
        if done.sentence != self.last.sentence:
            _log.log(logging.WARNING if done.warns else logging.INFO, "%s", done.sentence)
        self.last = done
