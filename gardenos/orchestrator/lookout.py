"""When the orchestrator looks at the queue, and what it makes of hints in between.

A hint that names a lane is taken at its word: what it names can be leased without a look. One that
names less asks for a look. Both are only hints; the look at every poll is what counts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from gardenos.core.ids import AgencyId
from gardenos.orchestrator.lanes import Outlook
from gardenos.orchestrator.queue import Queue
from gardenos.orchestrator.schedule import Lane
from gardenos.orchestrator.task import HIGHEST_PRIORITY, LOWEST_PRIORITY

LOOK_SHARE = 10
"""Hints make it look at the queue again after so many times what the last look took."""
_HEARD_AT_ONCE = 5000
"""Lanes that are remembered until they take effect; beyond, hints ask for a look."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_LaneKey: TypeAlias = tuple[str, int, AgencyId]


@dataclass(frozen=True, slots=True)
class Hint:
    """There may be work: of this type if one is named, in this lane if one is known."""

    agent_type: str = ""
    lane: Lane | None = None

    @classmethod
    def read(cls, payload: str) -> Hint:
        """What a notification says: a type or, with it, priority, agency and microsecond of one due."""
        agent_type, *named = payload.split(" ")
        try:
            priority, agency_id, due_us = named
            due = _EPOCH + timedelta(microseconds=int(due_us))
            lane = Lane(int(priority), AgencyId(UUID(agency_id)), due)
        except (ValueError, OverflowError):
            return cls(agent_type)
        known = HIGHEST_PRIORITY <= lane.priority <= LOWEST_PRIORITY
        return cls(agent_type, lane if known else None)


class Lookout:
    """Keeps an `Outlook` up to date."""

    def __init__(self, queue: Queue, outlook: Outlook, *, poll_s: float, hint_gap_s: float) -> None:
        self._queue = queue
        self._outlook = outlook
        self._poll_s = poll_s
        self._hint_gap_s = hint_gap_s
        self._asked: set[str] = set()
        """Types to look at; an empty one stands for all."""
        self._heard: dict[_LaneKey, Lane] = {}
        self._looked = self._learned = self._listened = -math.inf
        self._look_took_s = 0.0

    def hear(self, hint: Hint) -> float:
        """Note a hint down, to take effect between two leases; seconds until it is worth waking up for.

        What comes one by one is leased together so. Whatever else wakes the loop gives it effect, too.
        """
        if hint.lane is None or len(self._heard) >= _HEARD_AT_ONCE:
            self._asked.add(hint.agent_type)
            return 0.0
        key = (hint.agent_type, hint.lane.priority, hint.lane.agency_id)
        before = self._heard.get(key)
        if before is None or hint.lane.head < before.head:
            self._heard[key] = hint.lane
        return self._listened + self._hint_gap_s - time.monotonic()

    async def enter_office(self) -> None:
        """Know what a predecessor did, and nothing that was true before."""
        self._looked = self._learned = -math.inf
        self._outlook.remember(await self._queue.begun(), time.monotonic())

    async def update(self, holder: str, roomy: Collection[str]) -> None:
        """Read rules and heads of lanes where what is known is old, or heads where a hint asks for it.

        `roomy` are the types that could take a task now.
        """
        began = time.monotonic()
        if began - self._learned >= self._poll_s:
            self._outlook.learn(await self._queue.rules(holder))
            self._learned = began
        old = began - self._looked >= self._poll_s
        if old or self.look_in_s(began, roomy) <= 0:
            await self._look(began, everything=old)
        # After the look: what was heard meanwhile it may have been too early to see.
        self._listen()

    def _listen(self) -> None:
        if not self._heard:
            return
        heard, self._heard, self._listened = self._heard, {}, time.monotonic()
        for (agent_type, _, _), lane in heard.items():
            if not self._outlook.hear(agent_type, lane, self._listened):
                self._asked.add(agent_type)

    async def _look(self, began: float, *, everything: bool) -> None:
        asked, self._asked = self._asked, set()
        only = None if everything or "" in asked else asked
        heard = self._heard
        if only is None:
            # Whatever was heard of until now it sees, if it is still there.
            self._heard = {}
        try:
            seen = await self._queue.lanes(only)
        except BaseException:
            self._asked |= asked
            self._heard = self._heard | heard
            raise
        self._looked = time.monotonic()
        self._look_took_s = self._looked - began
        self._outlook.see(seen, self._looked, only=only)

    def look_in_s(self, now: float, roomy: Collection[str]) -> float:
        """Seconds until it looks for a hint's sake: at once, but looking is not to fill its time.

        Never where there is no room: whoever ends a task wakes it.
        """
        if not roomy or not ("" in self._asked or self._asked.intersection(roomy)):
            return math.inf
        return self._looked + max(self._hint_gap_s, LOOK_SHARE * self._look_took_s) - now
