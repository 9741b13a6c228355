"""Whose turn it is, held against a model that knows every task."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gardenos.core.ids import AgencyId
from gardenos.orchestrator import limits, schedule
from gardenos.orchestrator.limits import Hold, Limit, Load, Rooms, Rules, Scope
from gardenos.orchestrator.schedule import Allotment, Lane, Turns

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGE_S = 10.0
AGENCIES = [AgencyId(UUID(int=n)) for n in range(1, 5)]
FREE = limits.rooms("echo", Rules(), Load())


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@dataclass
class Backlog:
    """Every task by lane, oldest first; gives what it is asked for, as the database would."""

    lanes: dict[tuple[int, AgencyId], deque[datetime]] = field(
        default_factory=dict[tuple[int, AgencyId], "deque[datetime]"]
    )

    def put(self, priority: int, agency_id: AgencyId, due: datetime) -> None:
        tasks = self.lanes.setdefault((priority, agency_id), deque())
        tasks.append(due)

    def heads(self) -> list[Lane]:
        return [Lane(p, agency, tasks[0]) for (p, agency), tasks in self.lanes.items() if tasks]

    def give(self, allotment: Allotment) -> list[datetime]:
        tasks = self.lanes[allotment.priority, allotment.agency_id]
        given: list[datetime] = []
        while tasks and tasks[0] <= allotment.due_before and len(given) < allotment.n:
            given.append(tasks.popleft())
        return given


def one(_: AgencyId) -> int:
    return 1


def plan(
    lanes: list[Lane],
    room: int,
    *,
    rooms: Rooms = FREE,
    turns: Turns | None = None,
    weights: Mapping[AgencyId, int] | None = None,
    now: datetime = NOW,
) -> list[Allotment]:
    return schedule.plan(
        lanes,
        room=room,
        now=now,
        rooms=rooms,
        turns=turns or Turns(),
        weight=lambda agency_id: (weights or {}).get(agency_id, 1),
        age_s=AGE_S,
    )


LANES = st.dictionaries(
    st.tuples(st.integers(1, 9), st.sampled_from(AGENCIES)),
    st.floats(-50, 200).map(ago),
    max_size=20,
).map(lambda found: [Lane(p, agency, head) for (p, agency), head in found.items()])
EVERY_SCOPE: list[Scope] = [
    ("echo", None),
    *((None, agency_id) for agency_id in AGENCIES),
    *(("echo", agency_id) for agency_id in AGENCIES),
]
SCOPES = st.sampled_from(EVERY_SCOPE)
RULES = st.builds(
    Rules,
    limits=st.dictionaries(
        SCOPES,
        st.builds(
            Limit,
            max_running=st.none() | st.integers(1, 10),
            requests_per_minute=st.none() | st.integers(1, 10),
            tokens_per_minute=st.none() | st.integers(1, 10_000),
        ),
    ),
    paused=st.frozensets(SCOPES, max_size=2),
)
COUNTS = st.dictionaries(
    st.tuples(st.just("echo"), st.sampled_from(AGENCIES)), st.integers(0, 6)
).map(limits.tally)
LOADS = st.builds(Load, running=COUNTS, begun=COUNTS, unbilled=COUNTS)


# -- order -----------------------------------------------------------------------------------


@given(lanes=LANES, room=st.integers(0, 40))
def test_a_more_urgent_lane_goes_first_and_takes_what_there_is(
    lanes: list[Lane], room: int
) -> None:
    found = plan(lanes, room)
    levels = [allotment.level for allotment in found]
    assert levels == sorted(levels)
    due = [schedule.level(x.priority, x.head, NOW, age_s=AGE_S) for x in lanes if x.head <= NOW]
    assert set(levels) == ({min(due)} if due and room else set())


@given(priority=st.integers(1, 9), waited_s=st.floats(-20, 200))
def test_a_task_ages_by_whole_steps_to_the_first_priority(priority: int, waited_s: float) -> None:
    due = ago(waited_s)
    found = schedule.level(priority, due, NOW, age_s=AGE_S)
    assert 1 <= found <= priority
    for level in range(1, priority + 1):
        aged = due <= schedule.due_before(priority, level, NOW, age_s=AGE_S)
        assert aged == (found <= level and (level < priority or due <= NOW))


@given(lanes=LANES, room=st.integers(1, 40))
def test_an_aged_lane_gives_tasks_that_have_aged_that_far_and_no_others(
    lanes: list[Lane], room: int
) -> None:
    for allotment in plan(lanes, room):
        edge = allotment.due_before
        just_after = edge + timedelta(microseconds=1)
        level = allotment.level
        assert schedule.level(allotment.priority, edge, NOW, age_s=AGE_S) <= level
        assert allotment.due_from <= edge <= NOW
        if level < allotment.priority:
            assert schedule.level(allotment.priority, just_after, NOW, age_s=AGE_S) == level + 1


# -- limits ----------------------------------------------------------------------------------


@given(lanes=LANES, room=st.integers(0, 40), rules=RULES, load=LOADS)
def test_no_limit_is_passed_and_no_room_is_left_that_a_task_could_take(
    lanes: list[Lane], room: int, rules: Rules, load: Load
) -> None:
    rooms = limits.rooms("echo", rules, load)
    found = plan(lanes, room, rooms=rooms)
    given = Counter[AgencyId]()
    for allotment in found:
        assert allotment.n > 0
        given[allotment.agency_id] += allotment.n
    left = min(room, rooms.of_type.n) - given.total()
    assert left >= 0
    for agency_id in AGENCIES:
        assert given[agency_id] <= rooms.of(agency_id).n
    if left:
        due = {lane.agency_id for lane in lanes if lane.head <= NOW}
        assert all(given[agency_id] == rooms.of(agency_id).n for agency_id in due)


@given(lanes=LANES, rules=RULES, load=LOADS, accepts=st.integers(0, 5), busy=st.integers(0, 5))
def test_a_head_that_gets_nothing_is_told_why(
    lanes: list[Lane], rules: Rules, load: Load, accepts: int, busy: int
) -> None:
    rooms = limits.rooms("echo", rules, load)
    found = {(a.priority, a.agency_id) for a in plan(lanes, max(0, accepts - busy), rooms=rooms)}
    for lane in lanes:
        held = schedule.explain(lane, "echo", now=NOW, accepts=accepts, in_flight=busy, rooms=rooms)
        assert held.why
        if (lane.priority, lane.agency_id) in found:
            # It is on its way: nothing but its turn can keep it.
            assert held.hold is Hold.WAITS_TURN


@pytest.mark.parametrize(
    ("rules", "accepts", "head_s", "hold"),
    [
        (Rules(), 4, -60, Hold.NOT_DUE),
        (Rules(), 0, 1, Hold.NO_AGENTS),
        (Rules(), 3, 1, Hold.AGENTS_FULL),
        (Rules(), 4, 1, Hold.WAITS_TURN),
        (Rules(paused=frozenset({("echo", None)})), 0, 1, Hold.PAUSED_TYPE),
        (Rules(paused=frozenset({(None, AGENCIES[0])})), 4, 1, Hold.PAUSED_AGENCY),
        (Rules(paused=frozenset({("echo", AGENCIES[0])})), 4, 1, Hold.PAUSED_BOTH),
        (Rules({("echo", None): Limit(max_running=3)}), 4, 1, Hold.LIMIT_RUNNING),
    ],
)
def test_the_reasons(rules: Rules, accepts: int, head_s: float, hold: Hold) -> None:
    load = Load(running=limits.tally({("echo", AGENCIES[1]): 3}))
    held = schedule.explain(
        Lane(5, AGENCIES[0], ago(head_s)),
        "echo",
        now=NOW,
        accepts=accepts,
        in_flight=3,
        rooms=limits.rooms("echo", rules, load),
    )
    assert held.hold is hold
    assert held.why.endswith(".")


# -- fairness --------------------------------------------------------------------------------


@given(
    weights=st.dictionaries(st.sampled_from(AGENCIES), st.integers(1, 9), min_size=2),
    rooms=st.lists(st.integers(1, 7), min_size=1, max_size=40),
)
def test_agencies_get_runs_by_weight_to_within_a_round(
    weights: dict[AgencyId, int], rooms: list[int]
) -> None:
    lanes = [Lane(5, agency_id, ago(1)) for agency_id in weights]
    turns, got = Turns(), Counter[AgencyId]()
    for room in rooms:
        found = plan(lanes, room, turns=turns, weights=weights)
        turns = schedule.served(turns, found, [a.n for a in found], weight=weights.__getitem__)
        for allotment in found:
            got[allotment.agency_id] += allotment.n
        for a, weight in weights.items():
            for b, other in weights.items():
                ahead = got[a] / weight - got[b] / other
                assert ahead <= 1 / weight + 1 / other + 1e-6


def test_who_was_away_has_saved_nothing_up() -> None:
    here, away = AGENCIES[:2]
    alone = [Lane(5, here, ago(1))]
    turns = Turns()
    for _ in range(100):
        found = plan(alone, 10, turns=turns)
        turns = schedule.served(turns, found, [a.n for a in found], weight=one)
    both = [*alone, Lane(5, away, ago(1))]
    shares = {a.agency_id: a.n for a in plan(both, 10, turns=turns)}
    assert abs(shares[here] - shares[away]) <= 1


def test_what_a_lane_could_not_give_is_not_held_against_its_agency() -> None:
    short, other = AGENCIES[:2]
    lanes = [Lane(5, short, ago(1)), Lane(5, other, ago(1))]
    found = plan(lanes, 8)
    given = [0 if a.agency_id == short else a.n for a in found]
    turns = schedule.served(Turns(), found, given, weight=one)
    (next_one,) = plan(lanes, 1, turns=turns)
    assert next_one.agency_id == short


def test_the_fresh_and_the_aged_of_an_agency_take_turns() -> None:
    agency = AGENCIES[0]
    lanes = [Lane(1, agency, ago(0)), Lane(9, agency, ago(1000))]
    turns, got = Turns(), Counter[int]()
    for _ in range(6):
        (allotment,) = plan(lanes, 1, turns=turns)
        turns = schedule.served(turns, [allotment], [1], weight=one)
        got[allotment.priority] += 1
    assert got == {1: 3, 9: 3}


# -- starvation ------------------------------------------------------------------------------


@dataclass
class Second:
    """What happens in one second: arrivals, then as many runs as there are places."""

    backlog: Backlog
    weights: Mapping[AgencyId, int]
    room: int
    turns: Turns = field(default_factory=Turns)

    def pass_by(self, now: datetime) -> dict[tuple[int, AgencyId], list[datetime]]:
        """The tasks that began, by lane."""
        begun: dict[tuple[int, AgencyId], list[datetime]] = defaultdict(list)
        left = self.room
        while found := plan(
            self.backlog.heads(), left, turns=self.turns, weights=self.weights, now=now
        ):
            counts: list[int] = []
            for allotment in found:
                given = self.backlog.give(allotment)
                begun[allotment.priority, allotment.agency_id] += given
                counts.append(len(given))
            self.turns = schedule.served(self.turns, found, counts, weight=self.weights.__getitem__)
            left -= sum(counts)
        return begun


def crowd(mine: tuple[int, AgencyId], older: int) -> Backlog:
    """More urgent work of everybody's than ever runs out, and one task of `mine` due now."""
    backlog = Backlog()
    for agency_id in AGENCIES:
        for priority in {1, 2} if agency_id != mine[1] else {1, 2} - {mine[0]}:
            for _ in range(2000):
                backlog.put(priority, agency_id, NOW - timedelta(hours=1))
    for _ in range(older):
        backlog.put(*mine, NOW - timedelta(seconds=1))
    backlog.put(*mine, NOW)
    return backlog


@settings(max_examples=50, deadline=None)
@given(
    priority=st.integers(1, 9),
    older=st.integers(0, 3),
    weights=st.fixed_dictionaries({agency_id: st.integers(1, 4) for agency_id in AGENCIES}),
    arrivals=st.lists(
        st.lists(st.tuples(st.integers(1, 9), st.sampled_from(AGENCIES)), max_size=3),
        min_size=1,
        max_size=12,
    ),
    room=st.integers(1, 3),
)
def test_no_task_waits_longer_than_the_bound_whatever_arrives(
    priority: int,
    older: int,
    weights: dict[AgencyId, int],
    arrivals: list[list[tuple[int, AgencyId]]],
    room: int,
) -> None:
    mine = (priority, AGENCIES[0])
    backlog = crowd(mine, older)
    second = Second(backlog, weights, room)
    aged_s = (priority - 1) * AGE_S
    lanes_and_rounds = 9 * (older + 1) * sum(weights.values()) / weights[AGENCIES[0]]
    bound = math.ceil(lanes_and_rounds) + len(AGENCIES)
    since_aged = 0
    for n in range(int(aged_s) + bound + 1):
        now = NOW + timedelta(seconds=n)
        for arrived in arrivals[n % len(arrivals)]:
            backlog.put(*arrived, now)
        if NOW in second.pass_by(now)[mine]:
            assert since_aged <= bound
            return
        since_aged += room if n >= aged_s else 0
    pytest.fail(f"Not begun {since_aged} runs after it had aged; {bound} is the bound.")
