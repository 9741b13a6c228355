"""One run of one task: it ends as an `Attempt`, whatever the agent does, and can be stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from gardenos.orchestrator.task import (
    Agent,
    AgentTask,
    Attempt,
    Cancel,
    Done,
    Fail,
    Outcome,
    Retry,
    Snooze,
)

STOPS_WITHIN_S = 5.0
"""How long a stopped run may take to end before it is given up on."""
_OUTCOMES = (Done, Retry, Fail, Snooze, Cancel)


class Interrupted(Exception):
    """A run was cut short. An agent raises it from what cut it, so that what it used is recorded."""

    def __init__(self, usage: Sequence[Any]) -> None:
        super().__init__()
        self.usage = tuple(usage)


class Run:
    """One run of one task, waiting for a slot or at work.

    Nothing an agent raises leaves here, not even what would end the process or its event loop.
    """

    def __init__(
        self,
        agent: Agent,
        task: AgentTask,
        loaded: Any,
        *,
        slots: asyncio.Semaphore,
        deadline_s: float,
        stops_within_s: float = STOPS_WITHIN_S,
    ) -> None:
        self.task = task
        self.began_at: float | None = None
        """By `time.monotonic`; None while it waits for a slot."""
        self.took_s = 0.0
        self._agent = agent
        self._loaded = loaded
        self._slots = slots
        self._deadline_s = deadline_s
        self._stops_within_s = stops_within_s
        self._holds_slot = False
        self._stopped: Outcome | None = None
        self._stopped_at = 0.0
        self.work = asyncio.create_task(self._work())

    @property
    def age_s(self) -> float:
        """Seconds since it began; 0 while it waits for a slot."""
        return 0.0 if self.began_at is None else time.monotonic() - self.began_at

    def stop(self, outcome: Outcome) -> None:
        """Cut the run short: it ends with this outcome, unless it has ended by itself."""
        if self._stopped is None and not self.work.done():
            self._stopped = outcome
            self._stopped_at = time.monotonic()
            self.work.cancel()

    @property
    def is_stuck(self) -> bool:
        """Whether it was stopped and goes on all the same."""
        late = time.monotonic() - self._stopped_at > self._stops_within_s
        return self._stopped is not None and late and not self.work.done()

    def end(self) -> Attempt:
        """How it ended; for one that is stuck, what it was stopped with."""
        self._free()
        self.took_s = self.age_s
        if self.work.done() and not self.work.cancelled():
            return self.work.result()
        return Attempt(self.task, self._stopped or Retry("It was stopped before it began."))

    async def _work(self) -> Attempt:
        try:
            await self._slots.acquire()
            self._holds_slot = True
            self.began_at = time.monotonic()
            late = Retry(f"It took longer than {self._deadline_s:g} s, the deadline of its agents.")
            deadline = asyncio.get_running_loop().call_later(self._deadline_s, self.stop, late)
            try:
                return self._checked(await self._agent.run(self.task, self._loaded))
            finally:
                deadline.cancel()
                self._free()
        except BaseException as error:  # noqa: BLE001 an agent that exits must not take others along
            usage = error.usage if isinstance(error, Interrupted) else ()
            return Attempt(self.task, self._stopped or Retry(_said(error)), usage)

    def _checked(self, made: object) -> Attempt:
        outcome: object = made.outcome if isinstance(made, Attempt) else made
        if isinstance(made, Attempt) and isinstance(outcome, _OUTCOMES):
            return Attempt(self.task, made.outcome, made.usage)
        named = type(outcome).__name__
        return Attempt(self.task, Retry(f"Its agent returned {named}, which is no outcome."))

    def _free(self) -> None:
        if self._holds_slot:
            self._holds_slot = False
            self._slots.release()


def said(error: BaseException) -> str:
    """What an exception says, with its name."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _said(error: BaseException) -> str:
    if isinstance(error, Interrupted) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, asyncio.CancelledError):
        return "It cancelled itself."
    return said(error)
