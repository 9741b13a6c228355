from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from uuid import UUID

import pytest

from gardenos.core.ids import AgencyId, TaskId
from gardenos.orchestrator.lanes import Begun, Outlook, Seen
from gardenos.orchestrator.limits import Limit, Rules, Tokens
from gardenos.orchestrator.schedule import Lane
from gardenos.orchestrator.task import AgentTask

A, B = AgencyId(UUID(int=1)), AgencyId(UUID(int=2))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGE_S = 60.0


def task(number: int, *, due: datetime, priority: int = 5, agency_id: AgencyId = A) -> AgentTask:
    return AgentTask(TaskId(UUID(int=number)), priority, {}, 3, agency_id, "echo", run_at=due)


def outlook(*lanes: Lane) -> Outlook:
    """What was seen at second 100 of the steady clock."""
    made = Outlook(age_s=AGE_S)
    made.see(Seen(NOW, {"echo": lanes}), 100)
    return made


def test_a_lane_that_gave_all_it_was_asked_for_goes_on_where_it_stands() -> None:
    known = outlook(Lane(5, A, NOW - timedelta(seconds=9)))
    allotments = known.plan("echo", 2, 100)
    last = NOW - timedelta(seconds=3)
    known.leased("echo", allotments, [task(1, due=allotments[0].due_from), task(2, due=last)], 100)
    (then,) = known.plan("echo", 2, 100)
    assert (then.n, then.due_from) == (2, last)


def test_a_lane_that_came_back_short_is_forgotten_until_it_is_seen_again() -> None:
    lane = Lane(5, A, NOW)
    known = outlook(lane, Lane(6, A, NOW))
    allotments = known.plan("echo", 2, 100)
    known.leased("echo", allotments, [task(1, due=NOW)], 100)
    assert [a.priority for a in known.plan("echo", 2, 100)] == [6]
    known.see(Seen(NOW, {"echo": [lane]}), 101)
    assert [a.priority for a in known.plan("echo", 2, 101)] == [5]


def test_a_lane_out_of_aged_tasks_still_has_the_others() -> None:
    known = outlook(Lane(9, A, NOW - timedelta(seconds=8 * AGE_S)), Lane(8, A, NOW))
    (aged,) = known.plan("echo", 5, 100)
    assert (aged.priority, aged.level, aged.n) == (9, 1, 5)
    known.leased("echo", [aged], [task(1, due=aged.due_from, priority=9)], 100)
    (rest,) = known.plan("echo", 5, 100)
    assert (rest.priority, rest.level) == (9, 2)
    assert rest.due_from == aged.due_before + timedelta(microseconds=1)


def test_a_look_at_one_type_leaves_the_others_as_they_were() -> None:
    known = outlook(Lane(5, A, NOW))
    known.see(Seen(NOW, {"other": [Lane(5, A, NOW)]}), 101, only={"other"})
    assert known.plan("echo", 1, 101)
    known.see(Seen(NOW, {"other": [Lane(5, A, NOW)]}), 101)
    assert known.plan("echo", 1, 101) == []
    assert set(known.types) == {"echo", "other"}


def test_its_clock_is_the_queues_and_moves_on() -> None:
    known = outlook(Lane(5, A, NOW + timedelta(seconds=4)), Lane(7, A, NOW))
    assert known.now(103) == NOW + timedelta(seconds=3)
    assert known.due_in_s(101) == 3
    assert known.due_in_s(105) == inf
    assert [a.priority for a in known.plan("echo", 1, 103)] == [7]
    assert [a.priority for a in known.plan("echo", 1, 104)] == [5]
    with pytest.raises(ValueError, match="not looked at"):
        Outlook().now(0)


def test_what_runs_elsewhere_counts_with_its_own() -> None:
    known = outlook(Lane(5, A, NOW))
    limit = Limit(max_running=5)
    known.learn(Rules({("echo", A): limit}, elsewhere={("echo", A): 2}))
    (allotment,) = known.plan("echo", 9, 100)
    assert allotment.n == 3
    mine = [task(n, due=NOW) for n in range(3)]
    known.leased("echo", [allotment], mine, 100)
    assert known.plan("echo", 9, 100) == []
    known.ended(mine[:1])
    assert [a.n for a in known.plan("echo", 9, 100)] == [1]


def test_a_minutes_runs_count_under_whoever_they_began() -> None:
    known = outlook(Lane(5, A, NOW))
    known.learn(Rules({(None, A): Limit(requests_per_minute=5)}))
    known.remember([Begun(("echo", A), 1, 20), Begun(("other", A), 2, 50)], 100)
    assert [a.n for a in known.plan("echo", 9, 100)] == [2]
    assert [a.n for a in known.plan("echo", 9, 112)] == [4]
    assert [a.n for a in known.plan("echo", 9, 142)] == [5]


def test_tokens_are_promised_until_they_are_in_the_figures() -> None:
    known = outlook(Lane(5, A, NOW))
    limit = Limit(tokens_per_minute=1000)
    used = Rules({("echo", A): limit}, tokens={("echo", A): Tokens(400, 4)})
    known.learn(used)
    (allotment,) = known.plan("echo", 9, 100)
    assert allotment.n == 6
    mine = [task(n, due=NOW) for n in range(6)]
    known.leased("echo", [allotment], mine, 100)
    known.ended(mine)
    # They have ended, and nobody knows yet what they used.
    assert known.plan("echo", 9, 100) == []
    known.learn(replace(used, tokens={("echo", A): Tokens(800, 10)}))
    # 80 each by now: two more.
    assert [a.n for a in known.plan("echo", 9, 100)] == [2]


def test_the_heads_are_told_in_the_order_of_their_turns() -> None:
    lanes = [
        Lane(1, A, NOW + timedelta(seconds=5)),
        Lane(4, B, NOW - timedelta(seconds=3 * AGE_S)),
        Lane(2, A, NOW - timedelta(seconds=1)),
    ]
    heads = outlook(*lanes).heads("echo", 100, accepts=4, in_flight=0)
    assert [(head["priority"], head["effective_priority"]) for head in heads] == [
        (4, 1),
        (2, 2),
        (1, 1),
    ]
    assert [head["reason"] for head in heads] == ["waits_turn", "waits_turn", "not_due"]
    many = [Lane(5, AgencyId(UUID(int=n)), NOW) for n in range(50)]
    assert len(outlook(*many).heads("echo", 100, accepts=4, in_flight=0)) == 20
