"""What the dispatcher knows of the queue between two looks at it: lanes, turns, and what limits count.

In memory, and without I/O: losing it costs a look. Times are those of any steady clock, in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf
from typing import Any

from gardenos.core.ids import AgencyId
from gardenos.orchestrator import limits, schedule
from gardenos.orchestrator.limits import Load, Pair, Rules, Scope, Window
from gardenos.orchestrator.schedule import Allotment, Lane, Turns
from gardenos.orchestrator.task import AgentTask

HEADS_SHOWN = 20
_INSTANT = timedelta(microseconds=1)
"""PostgreSQL's smallest step of time."""
_CLOCK_LAG = timedelta(seconds=5)
"""What a look takes at the most, by which the clock may be late."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The heads of lanes by agent type, as they stood at `at` by the queue's clock."""

    at: datetime
    lanes: Mapping[str, Sequence[Lane]]


@dataclass(frozen=True, slots=True)
class Begun:
    """Runs that began `ago_s` seconds ago, under whatever holder."""

    pair: Pair
    runs: int
    ago_s: float


@dataclass(slots=True)
class _Kept:
    lanes: dict[tuple[int, AgencyId], Lane] = field(
        default_factory=dict[tuple[int, AgencyId], Lane]
    )
    turns: Turns = field(default_factory=Turns)


class Outlook:
    """Knows enough to say what to lease next, and why the rest waits."""

    def __init__(self, *, age_s: float = schedule.AGE_S) -> None:
        self._age_s = age_s
        self._types: dict[str, _Kept] = {}
        self._rules = Rules()
        self._window = Window()
        self._running: Counter[Scope] = Counter()
        self._elsewhere: Counter[Scope] = Counter()
        self._tokens: Counter[Scope] = Counter()
        self._unbilled: Counter[Scope] = Counter()
        self._tokens_per_run: dict[str, float] = {}
        self._clock: tuple[datetime, float] | None = None

    # -- what was seen ---------------------------------------------------------------------

    def see(self, seen: Seen, at: float, *, only: Collection[str] | None = None) -> None:
        """Replace what is known of lanes: of all types, or of those in `only`."""
        self._clock = (seen.at, at)
        for agent_type in set(self._types) | set(seen.lanes) if only is None else only:
            lanes = seen.lanes.get(agent_type, ())
            kept = self._types.setdefault(agent_type, _Kept())
            kept.lanes = {(lane.priority, lane.agency_id): lane for lane in lanes}

    def hear(self, agent_type: str, lane: Lane, at: float) -> bool:
        """Take a hint's word that a lane has a task that is due; False where it cannot be believed."""
        if self._clock is None:
            return False
        ahead = lane.head - self.now(at)
        if ahead > _CLOCK_LAG:
            return False
        if ahead > timedelta(0):
            # Our clock is that of the last look's begin; by the queue's own it is as late as this.
            self._clock = (lane.head, at)
        lanes = self._types.setdefault(agent_type, _Kept()).lanes
        key = (lane.priority, lane.agency_id)
        known = lanes.get(key)
        if known is None or lane.head < known.head:
            lanes[key] = lane
        return True

    def learn(self, rules: Rules) -> None:
        """Take over limits and pauses, and what others count."""
        self._rules = rules
        self._elsewhere = limits.tally(rules.elsewhere)
        self._tokens = limits.tally({pair: tokens.used for pair, tokens in rules.tokens.items()})
        # What ended before this is in the figures; what runs now is not, and is promised.
        self._unbilled = self._running + self._elsewhere
        used: Counter[str] = Counter()
        runs: Counter[str] = Counter()
        for (agent_type, _), tokens in rules.tokens.items():
            used[agent_type] += tokens.used
            runs[agent_type] += tokens.runs
        self._tokens_per_run |= {each: used[each] / n for each, n in runs.items() if n}

    def remember(self, begun: Iterable[Begun], at: float) -> None:
        """Count what began under predecessors, so that a restart does not forget it."""
        for each in sorted(begun, key=lambda each: -each.ago_s):
            self._window.add(each.pair, each.runs, at - each.ago_s)

    # -- what is done ----------------------------------------------------------------------

    def plan(self, agent_type: str, room: int, at: float) -> list[Allotment]:
        """What to lease next of a type."""
        kept = self._types.get(agent_type)
        if kept is None or not kept.lanes:
            return []
        return schedule.plan(
            kept.lanes.values(),
            room=room,
            now=self.now(at),
            rooms=limits.rooms(agent_type, self._rules, self._load(at)),
            turns=kept.turns,
            weight=self._rules.weight,
            age_s=self._age_s,
        )

    def leased(
        self,
        agent_type: str,
        allotments: Sequence[Allotment],
        tasks: Sequence[AgentTask],
        at: float,
    ) -> None:
        """Note down what the lanes gave. One that came back short is forgotten until seen again."""
        kept = self._types[agent_type]
        given: Counter[tuple[int, AgencyId]] = Counter()
        last: dict[tuple[int, AgencyId], datetime] = {}
        for task in tasks:
            key = (task.priority, task.agency_id)
            given[key] += 1
            if task.run_at is not None:
                last[key] = max(task.run_at, last.get(key, task.run_at))
            self._count((agent_type, task.agency_id), 1)
        for allotment in allotments:
            key = (allotment.priority, allotment.agency_id)
            if allotment.n <= given[key]:
                lane = kept.lanes[key]
                kept.lanes[key] = replace(lane, head=max(lane.head, last.get(key, lane.head)))
            elif allotment.level < allotment.priority:
                # Its aged tasks are all leased; the next one was due after them.
                head = allotment.due_before + _INSTANT
                kept.lanes[key] = Lane(allotment.priority, allotment.agency_id, head)
            else:
                del kept.lanes[key]
        counts = [given[a.priority, a.agency_id] for a in allotments]
        kept.turns = schedule.served(kept.turns, allotments, counts, weight=self._rules.weight)
        for pair, runs in Counter((agent_type, task.agency_id) for task in tasks).items():
            self._window.add(pair, runs, at)
            for scope in limits.scopes(pair):
                self._unbilled[scope] += runs

    def ended(self, tasks: Iterable[AgentTask]) -> None:
        """Note down that these are in flight no more."""
        for task in tasks:
            self._count((task.agent_type, task.agency_id), -1)

    def _count(self, pair: Pair, by: int) -> None:
        for scope in limits.scopes(pair):
            self._running[scope] += by
            if not self._running[scope]:
                del self._running[scope]

    # -- what it knows ---------------------------------------------------------------------

    def now(self, at: float) -> datetime:
        """The time by the queue's clock, as far as it was seen."""
        if self._clock is None:
            raise ValueError("The queue was not looked at yet.")
        seen, then = self._clock
        return seen + timedelta(seconds=max(0.0, at - then))

    def due_in_s(self, at: float) -> float:
        """Seconds until the next task falls due that is not due yet; infinite where there is none."""
        if self._clock is None:
            return inf
        now = self.now(at)
        heads = (lane.head for kept in self._types.values() for lane in kept.lanes.values())
        return min(((head - now).total_seconds() for head in heads if head > now), default=inf)

    def heads(
        self, agent_type: str, at: float, *, accepts: int, in_flight: int
    ) -> list[dict[str, Any]]:
        """The heads of a type's lanes, the next first, each with the reason why it waits."""
        kept = self._types.get(agent_type)
        if kept is None or self._clock is None:
            return []
        now = self.now(at)
        rooms = limits.rooms(agent_type, self._rules, self._load(at))
        by_turn: list[tuple[bool, int, datetime, Lane]] = [
            (lane.head > now, self._level(lane, now), lane.head, lane)
            for lane in kept.lanes.values()
        ]
        by_turn.sort(key=lambda placed: placed[:3])
        found: list[dict[str, Any]] = []
        for _, effective, _, lane in by_turn[:HEADS_SHOWN]:
            held = schedule.explain(
                lane, agent_type, now=now, accepts=accepts, in_flight=in_flight, rooms=rooms
            )
            found.append(
                {
                    "agency_id": lane.agency_id,
                    "priority": lane.priority,
                    "effective_priority": effective,
                    "run_at": lane.head,
                    "waited_s": max(0.0, (now - lane.head).total_seconds()),
                    "reason": held.hold.value,
                    "why": held.why,
                }
            )
        return found

    def _level(self, lane: Lane, now: datetime) -> int:
        return schedule.level(lane.priority, lane.head, now, age_s=self._age_s)

    @property
    def types(self) -> Collection[str]:
        """The agent types of which lanes were ever seen."""
        return self._types.keys()

    def _load(self, at: float) -> Load:
        return Load(
            running=self._running + self._elsewhere if self._elsewhere else self._running,
            begun=self._window.counts(at),
            tokens=self._tokens,
            unbilled=self._unbilled,
            tokens_per_run=self._tokens_per_run,
        )
