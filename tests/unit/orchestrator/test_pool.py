"""When a lease waits a moment for more room, and when it does not."""

from __future__ import annotations

from math import inf

import pytest

from gardenos.orchestrator.pool import Pool

LINGER_S = 0.02


def lingers(pool: Pool, *, free: int = 1, level: int = 5, now: float = 0.0) -> bool:
    """Of 64 places."""
    return pool.lingers(free=free, accepts=64, level=level, linger_s=LINGER_S, now=now)


def test_a_lease_waits_for_more_room_where_little_is_free_but_not_for_long() -> None:
    pool = Pool()
    assert lingers(pool, now=7.0)
    assert pool.lingers_for_s(LINGER_S, 7.005) == pytest.approx(0.015)
    assert lingers(pool, free=3, now=7.01)
    assert not lingers(pool, free=3, now=7.021)
    assert pool.lingers_for_s(LINGER_S, 7.021) == inf


def test_it_waits_no_longer_once_there_is_room() -> None:
    pool = Pool()
    assert lingers(pool, now=7.0)
    assert not lingers(pool, free=8, now=7.001)
    assert lingers(pool, now=7.1), "the next time is a new one"


def test_what_is_urgent_waits_for_nothing() -> None:
    pool = Pool()
    assert lingers(pool, level=5)
    assert not lingers(pool, level=4)


def test_a_small_pool_never_waits() -> None:
    assert not Pool().lingers(free=1, accepts=8, level=9, linger_s=LINGER_S, now=0.0)


def test_one_that_was_left_waiting_keeps_nobody_awake() -> None:
    pool = Pool()
    assert lingers(pool, now=7.0)
    assert pool.lingers_for_s(LINGER_S, 8.0) == inf
