"""What the dispatcher knows of one agent type's replicas: what they have, and how it went."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gardenos.core.ids import TaskId
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.task import DEFAULT_PRIORITY, AgentTask

_LITTLE = 8
"""Room is little where less than one part in so many is free."""


@dataclass(slots=True)
class Pool:
    """What is in flight to agents of one type, and what became of the rest."""

    in_flight: dict[TaskId, AgentTask] = field(default_factory=dict[TaskId, AgentTask])
    leased: int = 0
    outcomes: defaultdict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    lost: int = 0
    given_back: int = 0
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one suspect that runs."""
    _lingers_since: float | None = None

    def take(self, tasks: Sequence[AgentTask]) -> list[AgentTask]:
        """Note that these are in flight now; the runs that have lapsed, of those that already were."""
        lapsed = [self.in_flight[task.id] for task in tasks if task.id in self.in_flight]
        self.in_flight |= {task.id: task for task in tasks}
        self.leased += len(tasks)
        return lapsed

    def release(self, tasks: Iterable[AgentTask]) -> list[AgentTask]:
        """Note that these are in flight no more; those of them that were.

        Under a later fence one is in flight anew, and that lease is still to be looked after.
        """
        gone = [task for task in tasks if self.in_flight.get(task.id) is task]
        for task in gone:
            del self.in_flight[task.id]
        return gone

    def count(self, report: BatchReport) -> None:
        """Add up what an agent reports."""
        for outcome, count in report.outcomes.items():
            self.outcomes[outcome] += count
        self.lost += report.lost

    def lingers(self, *, free: int, accepts: int, level: int, linger_s: float, now: float) -> bool:
        """Whether to wait a moment for more room: a lease and a call cost the same for many tasks.

        Only where little room is free, and never where what is next, of priority `level`, is urgent.
        """
        if free * _LITTLE >= accepts or level < DEFAULT_PRIORITY:
            self._lingers_since = None
            return False
        if self._lingers_since is None:
            self._lingers_since = now
        if now - self._lingers_since < linger_s:
            return True
        self._lingers_since = None
        return False

    def lingers_for_s(self, linger_s: float, now: float) -> float:
        """Seconds until it lingers no more; infinite where it does not."""
        if self._lingers_since is None or now - self._lingers_since >= linger_s:
            return math.inf
        return self._lingers_since + linger_s - now

    def doing(self) -> dict[str, Any]:
        """Its numbers."""
        return {
            "in_flight": len(self.in_flight),
            "leased": self.leased,
            "outcomes": dict(self.outcomes),
            "lost": self.lost,
            "given_back": self.given_back,
        }
