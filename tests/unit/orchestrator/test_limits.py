from __future__ import annotations

from sys import maxsize
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardenos.core.ids import AgencyId
from gardenos.orchestrator import limits
from gardenos.orchestrator.limits import Hold, Limit, Load, Rules, Scope, Window

A, B = AgencyId(UUID(int=1)), AgencyId(UUID(int=2))
SCOPES: list[Scope] = [("echo", None), (None, A), ("echo", A)]


@pytest.mark.parametrize("scope", SCOPES)
def test_what_runs_counts_in_every_scope_it_belongs_to(scope: Scope) -> None:
    running = limits.tally({("echo", A): 2, ("echo", B): 4, ("other", A): 8})
    rules = Rules({scope: Limit(max_running=11)})
    found = limits.rooms("echo", rules, Load(running=running))
    counted = dict(zip(SCOPES, (6, 10, 2), strict=True))[scope]
    room = found.of(A)
    assert (room.n, room.hold) == (11 - counted, Hold.LIMIT_RUNNING)
    assert found.of(B).n == (5 if scope == ("echo", None) else maxsize)


def test_the_tightest_limit_binds_and_says_so() -> None:
    rules = Rules(
        {
            ("echo", None): Limit(max_running=9),
            (None, A): Limit(requests_per_minute=3),
            ("echo", A): Limit(tokens_per_minute=2500),
        }
    )
    room = limits.rooms("echo", rules, Load()).of(A)
    assert (room.n, room.hold) == (2, Hold.LIMIT_TOKENS)
    load = Load(begun=limits.tally({("other", A): 2}))
    room = limits.rooms("echo", rules, load).of(A)
    assert (room.n, room.hold) == (1, Hold.LIMIT_REQUESTS)
    assert "3 a minute" in room.why


@pytest.mark.parametrize(
    ("scope", "hold"),
    [
        (SCOPES[0], Hold.PAUSED_TYPE),
        (SCOPES[1], Hold.PAUSED_AGENCY),
        (SCOPES[2], Hold.PAUSED_BOTH),
    ],
)
def test_a_pause_leaves_no_room(scope: Scope, hold: Hold) -> None:
    found = limits.rooms("echo", Rules(paused=frozenset({scope})), Load())
    assert (found.of(A).n, found.of(A).hold) == (0, hold)
    assert (found.of(B).n == 0) == (hold is Hold.PAUSED_TYPE)


def test_tokens_are_promised_to_what_runs() -> None:
    rules = Rules({(None, A): Limit(tokens_per_minute=10_000)})
    load = Load(
        tokens=limits.tally({("echo", A): 2000}),
        unbilled=limits.tally({("echo", A): 3, ("other", A): 1, ("echo", B): 50}),
        tokens_per_run={"echo": 500, "other": 4000},
    )
    # 10,000 - 2,000 used - 3 * 500 - 4,000 promised = 2,500
    assert limits.rooms("echo", rules, load).of(A).n == 5
    assert limits.rooms("other", rules, load).of(A).n == 0


def test_a_run_that_needs_more_than_a_minute_gives_runs_alone() -> None:
    rules = Rules({("echo", None): Limit(tokens_per_minute=10)})
    assert limits.rooms("echo", rules, Load()).of(A).n == 1
    load = Load(unbilled=limits.tally({("echo", A): 1}))
    assert limits.rooms("echo", rules, load).of(A).n == 0


def test_runs_that_need_no_tokens_are_bound_once_the_minutes_are_used() -> None:
    rules = Rules({("echo", None): Limit(tokens_per_minute=10)})
    load = Load(tokens=limits.tally({("echo", A): 9}), tokens_per_run={"echo": 0})
    assert limits.rooms("echo", rules, load).of(A).n == maxsize
    load = Load(tokens=limits.tally({("echo", A): 10}), tokens_per_run={"echo": 0})
    assert limits.rooms("echo", rules, load).of(A).n == 0


@given(
    ats=st.lists(st.floats(0, 300), min_size=1).map(sorted),
    limit=st.integers(1, 5),
)
def test_no_minute_sees_more_runs_begin_than_the_limit(ats: list[float], limit: int) -> None:
    window, begun = Window(), list[float]()
    rules = Rules({("echo", A): Limit(requests_per_minute=limit)})
    for at in ats:
        room = limits.rooms("echo", rules, Load(begun=window.counts(at))).of(A)
        if room.n:
            window.add(("echo", A), 1, at)
            begun.append(at)
    for start in begun:
        assert sum(start <= at < start + 60 for at in begun) <= limit


def test_a_window_forgets_what_has_passed() -> None:
    window = Window()
    window.add(("echo", A), 3, 0.5)
    window.add(("echo", B), 1, 30)
    assert window.counts(60.9) == {("echo", None): 4, (None, A): 3, ("echo", A): 3} | {
        (None, B): 1,
        ("echo", B): 1,
    }
    assert window.counts(61) == {("echo", None): 1, (None, B): 1, ("echo", B): 1}
    assert window.counts(91) == {}


def test_an_agency_has_weight_one_unless_told_otherwise() -> None:
    rules = Rules({(None, A): Limit(weight=4), ("echo", B): Limit(max_running=1)})
    assert (rules.weight(A), rules.weight(B)) == (4, 1)
