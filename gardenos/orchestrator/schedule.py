"""Whose turn it is: pure decisions over the heads of lanes, never over the backlog.

A lane is what one agency has queued for one agent type at one priority, oldest first. Between
lanes the order is:

1. By effective priority. A task that has waited gains one priority, up to the first, for every
   `age_s` seconds since it was due: effective = max(1, priority - floor(waited / age_s)).
2. Inside an effective priority, weighted round-robin over the agencies.
3. Inside an agency there, round-robin over its lanes; inside a lane, by time due.

Starvation bound. A task of priority p is of effective priority 1 at the latest (p - 1) * age_s
seconds after it was due. From then on it waits for at most

    ceil(9 * (B + 1) * W / w) + A

runs to begin, whatever arrives: B tasks older than it in its own lane, w the weight of its agency,
W the weights of all agencies with work of that effective priority, A their number; 9 is how many
lanes an agency can have. Provided that agents run and neither a pause nor a limit holds it.

A turn (`Turns`) is a value carried from call to call: how far ahead of the others each agency is,
in runs by weight (start-time fair queuing; Goyal, Vin and Cheng, 1996). Between two agencies that
both have work all the time, runs divided by weights never differ by more than 1/w + 1/w'. Who has
no work saves nothing up.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from gardenos.core.ids import AgencyId
from gardenos.orchestrator.limits import Hold, Rooms
from gardenos.orchestrator.task import HIGHEST_PRIORITY

AGE_S = 300.0
Weight: TypeAlias = Callable[[AgencyId], int]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Lane:
    """What is known of a lane: none of its tasks was due before `head`."""

    priority: int
    agency_id: AgencyId
    head: datetime


@dataclass(frozen=True, slots=True)
class Allotment:
    """Up to `n` tasks of a lane, of those due from `due_from` to `due_before`.

    `due_before` is the instant by which a task must have been due to be of effective priority
    `level` now: an aged lane gives its aged tasks and keeps the rest.
    """

    priority: int
    agency_id: AgencyId
    n: int
    due_from: datetime
    due_before: datetime
    level: int


@dataclass(frozen=True, slots=True)
class Turns:
    """How far ahead of those that wait each agency is, and each lane of an agency; by level."""

    agencies: Mapping[int, Mapping[AgencyId, float]] = field(
        default_factory=dict[int, Mapping[AgencyId, float]]
    )
    lanes: Mapping[tuple[int, AgencyId], Mapping[int, float]] = field(
        default_factory=dict[tuple[int, AgencyId], Mapping[int, float]]
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Why the head of a lane does not run, in a word and in a sentence."""

    hold: Hold
    why: str


def level(priority: int, due: datetime, now: datetime, *, age_s: float = AGE_S) -> int:
    """The effective priority of a task, by what it was enqueued with and how long it has waited."""
    # Whole microseconds, as PostgreSQL counts: so that `due_before` draws the very same line.
    return max(HIGHEST_PRIORITY, priority - max(0, (now - due) // timedelta(seconds=age_s)))


def due_before(priority: int, at_level: int, now: datetime, *, age_s: float = AGE_S) -> datetime:
    """The instant by which a task must have been due to be of effective priority `at_level` now."""
    return now - (priority - at_level) * timedelta(seconds=age_s)


def plan(
    lanes: Iterable[Lane],
    *,
    room: int,
    now: datetime,
    rooms: Rooms,
    turns: Turns,
    weight: Weight,
    age_s: float = AGE_S,
) -> list[Allotment]:
    """How many tasks each lane gives, at most `room` together, in the order in which to run them.

    How long a lane is nobody knows: what one cannot give is planned anew, without it. `turns` is
    not moved on here but by `served`, with what the lanes gave.
    """
    ready: dict[int, dict[AgencyId, dict[int, Lane]]] = defaultdict(lambda: defaultdict(dict))
    for lane in lanes:
        if lane.head <= now:
            at_level = level(lane.priority, lane.head, now, age_s=age_s)
            ready[at_level][lane.agency_id][lane.priority] = lane
    found: list[Allotment] = []
    room = min(room, rooms.of_type.n)
    given: Counter[AgencyId] = Counter()
    for at_level in sorted(ready):
        if room <= 0:
            break
        # What a level leaves over is what limits keep from its lanes: none of them gives more below.
        left = {a: rooms.of(a).n - given[a] for a in ready[at_level]}
        shares = _share(ready[at_level], at_level, room=room, left=left, turns=turns, weight=weight)
        for (agency_id, priority), n in shares.items():
            until = due_before(priority, at_level, now, age_s=age_s)
            head = ready[at_level][agency_id][priority].head
            found.append(Allotment(priority, agency_id, n, head, until, at_level))
            given[agency_id] += n
            room -= n
    return found


def _share(
    ready: Mapping[AgencyId, Mapping[int, Lane]],
    at_level: int,
    *,
    room: int,
    left: Mapping[AgencyId, int],
    turns: Turns,
    weight: Weight,
) -> dict[tuple[AgencyId, int], int]:
    """One run after the other to the agency that is least ahead, and there to its lane that is."""
    ahead = turns.agencies.get(at_level, {})
    queue = [(ahead.get(agency_id, 0.0), agency_id) for agency_id in ready if left[agency_id] > 0]
    heapq.heapify(queue)
    within = {a: dict(turns.lanes.get((at_level, a), {})) for a in ready}
    shares: Counter[tuple[AgencyId, int]] = Counter()
    given: Counter[AgencyId] = Counter()
    while queue and room > 0:
        lead, agency_id = queue[0]
        lanes = within[agency_id]
        priority = min(ready[agency_id], key=lambda p: (lanes.get(p, 0.0), p))
        lanes[priority] = lanes.get(priority, 0.0) + 1
        shares[agency_id, priority] += 1
        given[agency_id] += 1
        room -= 1
        if given[agency_id] < left[agency_id]:
            heapq.heapreplace(queue, (lead + 1 / weight(agency_id), agency_id))
        else:
            heapq.heappop(queue)
    return dict(shares)


def served(
    turns: Turns, allotments: Sequence[Allotment], given: Sequence[int], *, weight: Weight
) -> Turns:
    """The turns after the lanes gave `given` tasks, one number for each allotment."""
    agencies, lanes = dict(turns.agencies), dict(turns.lanes)
    of_agency: dict[int, Counter[AgencyId]] = defaultdict(Counter)
    of_lane: dict[tuple[int, AgencyId], Counter[int]] = defaultdict(Counter)
    for allotment, n in zip(allotments, given, strict=True):
        if n:
            of_agency[allotment.level][allotment.agency_id] += n
            of_lane[allotment.level, allotment.agency_id][allotment.priority] += n
    for at_level, counts in of_agency.items():
        agencies[at_level] = _ahead(agencies.get(at_level, {}), counts, weight)
    for key, counts in of_lane.items():
        lanes[key] = _ahead(lanes.get(key, {}), counts, lambda _: 1)
    return Turns(agencies, lanes)


def _ahead(
    before: Mapping[K, float], counts: Mapping[K, int], weight: Callable[[K], int]
) -> dict[K, float]:
    """How far ahead each is, seen from where the last run began: nobody is behind that."""
    after = dict(before)
    line = 0.0
    for key, n in counts.items():
        after[key] = before.get(key, 0.0) + n / weight(key)
        line = max(line, after[key] - 1 / weight(key))
    return {key: lead - line for key, lead in after.items() if lead > line}


def explain(
    lane: Lane, agent_type: str, *, now: datetime, accepts: int, in_flight: int, rooms: Rooms
) -> Held:
    """Why the head of a lane does not run at this moment."""
    if lane.head > now:
        return Held(Hold.NOT_DUE, f"It is not due until {lane.head:%Y-%m-%d %H:%M:%S} UTC.")
    room = rooms.of(lane.agency_id)
    paused = room.hold in (Hold.PAUSED_TYPE, Hold.PAUSED_AGENCY, Hold.PAUSED_BOTH)
    if not accepts and not paused:
        return Held(Hold.NO_AGENTS, f"No {agent_type} agent runs.")
    if room.n <= 0 and room.hold:
        return Held(room.hold, room.why)
    if in_flight >= accepts:
        why = f"The {agent_type} agents are full: {in_flight} tasks in flight, {accepts} accepted."
        return Held(Hold.AGENTS_FULL, why)
    return Held(Hold.WAITS_TURN, "Waits its turn: others go first, or it has just come.")
