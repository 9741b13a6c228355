from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardenos.orchestrator.scaling import Patience, PoolFigures, Scale, decide

COUNTS = st.integers(0, 10_000)


def wanted(figures: PoolFigures | None, *, current: int = 2, target: float = 10) -> Scale:
    return decide(figures, current=current, target=target, lowest=1, highest=10)


@pytest.mark.parametrize(
    ("backlog", "in_flight", "n"),
    [(0, 0, 1), (10, 0, 1), (11, 0, 2), (5, 6, 2), (95, 0, 10), (5000, 0, 10)],
)
def test_the_load_is_shared_out_at_the_target_within_the_range(
    backlog: int, in_flight: int, n: int
) -> None:
    scale = wanted(PoolFigures(backlog, in_flight))
    assert (scale.n, scale.at_once) == (n, False)
    assert str(backlog + in_flight) in scale.why


@pytest.mark.parametrize(("asked", "n"), [(7, 7), (0, 1), (99, 10)])
def test_an_operators_size_goes_before_the_load_but_not_beyond_the_range(
    asked: int, n: int
) -> None:
    scale = wanted(PoolFigures(5000, 0, override=asked))
    assert (scale.n, scale.at_once) == (n, True)
    assert f"asked for {asked}" in scale.why


def test_without_figures_nothing_moves() -> None:
    assert wanted(None, current=4) == Scale(
        4, "the figures are missing or old: stays as it is", at_once=True
    )


@given(COUNTS, COUNTS, st.floats(0.01, 1000), st.integers(1, 5), st.integers(5, 50))
def test_more_work_never_means_fewer_agents(
    load: int, more: int, target: float, lowest: int, highest: int
) -> None:
    def n(backlog: int) -> int:
        figures = PoolFigures(backlog, 0)
        return decide(figures, current=1, target=target, lowest=lowest, highest=highest).n

    assert lowest <= n(load) <= n(load + more) <= highest


@pytest.mark.parametrize(
    ("note", "figures"),
    [
        ({"backlog": 3, "in_flight": 1}, PoolFigures(3, 1)),
        ({"backlog": 3, "in_flight": 1, "override": None}, PoolFigures(3, 1)),
        ({"backlog": 3, "in_flight": 1, "override": 0}, PoolFigures(3, 1, 0)),
        ({"backlog": 3}, None),
        ({"backlog": -1, "in_flight": 1}, None),
        ({"backlog": True, "in_flight": 1}, None),
        ({"backlog": 3.5, "in_flight": 1}, None),
        ({"backlog": "3", "in_flight": 1}, None),
        ({"backlog": 3, "in_flight": 1, "override": "all"}, None),
        ({}, None),
    ],
)
def test_figures_that_cannot_be_read_count_as_none(
    note: dict[str, Any], figures: PoolFigures | None
) -> None:
    assert PoolFigures.read(note) == figures


def up(n: int) -> Scale:
    return Scale(n, "much to do")


def test_growing_waits_until_the_wish_lasts() -> None:
    patience = Patience(up_after_s=5, down_after_s=60)
    early = patience.settle(up(4), current=1, now=100)
    assert (early.n, early.why) == (1, "much to do; waits whether that lasts")
    assert patience.settle(up(3), current=1, now=104.9).n == 1
    assert patience.settle(up(6), current=1, now=105).n == 6


def test_shrinking_waits_longer_than_growing() -> None:
    patience = Patience(up_after_s=5, down_after_s=60)
    assert patience.settle(up(1), current=4, now=0).n == 4
    assert patience.settle(up(1), current=4, now=59).n == 4
    assert patience.settle(up(1), current=4, now=60).n == 1


@pytest.mark.parametrize("between", [up(1), up(0)], ids=["content", "other way"])
def test_a_wish_that_breaks_off_starts_anew(between: Scale) -> None:
    patience = Patience(up_after_s=5, down_after_s=60)
    patience.settle(up(4), current=1, now=0)
    patience.settle(between, current=1, now=4)
    assert patience.settle(up(4), current=1, now=6).n == 1
    assert patience.settle(up(4), current=1, now=11).n == 4


def test_an_operator_does_not_wait() -> None:
    patience = Patience(up_after_s=5, down_after_s=60)
    asked = Scale(9, "an operator asked for 9", at_once=True)
    assert patience.settle(asked, current=1, now=0) == asked
