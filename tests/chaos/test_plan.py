"""The plan of a run: the same for the same seed, all kinds, in order, within the time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.plan import FIRST_S, WEIGHTS, Kind, plan

seeds = st.integers(min_value=0, max_value=1_000_000)
lengths = st.floats(min_value=0.2, max_value=30)


@given(seeds, lengths)
def test_the_same_seed_gives_the_same_faults(seed: int, minutes: float) -> None:
    assert plan(seed, minutes) == plan(seed, minutes)


@given(seeds, lengths)
def test_faults_come_in_order_within_the_time(seed: int, minutes: float) -> None:
    faults = plan(seed, minutes)
    times = [fault.at_s for fault in faults]
    assert times == sorted(times)
    assert all(FIRST_S <= at < minutes * 60 for at in times)
    assert all(0 <= fault.choice < 1 for fault in faults)


@given(seeds)
def test_the_short_run_breaks_everything_once(seed: int) -> None:
    assert {fault.kind for fault in plan(seed, 1.2)} == set(Kind)


@given(seeds)
def test_a_longer_run_begins_like_a_shorter_one(seed: int) -> None:
    shorter = plan(seed, 1)
    assert plan(seed, 5)[: len(shorter)] == shorter


def test_other_seeds_give_other_faults() -> None:
    assert len({tuple(plan(seed, 2)) for seed in range(50)}) == 50


def test_what_is_frozen_is_frozen_past_its_lease() -> None:
    frozen = [f for seed in range(50) for f in plan(seed, 5) if f.kind is Kind.FROZEN]
    assert frozen
    assert all(fault.lasts > 1 for fault in frozen)


def test_every_kind_has_a_weight() -> None:
    assert WEIGHTS.keys() == set(Kind)
