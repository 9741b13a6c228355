from __future__ import annotations

from itertools import pairwise

import pytest

from gardenos.orchestrator import backoff


def test_the_longest_wait_doubles_up_to_the_cap() -> None:
    waits = [backoff.ceiling(attempt) for attempt in range(1, 101)]
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == backoff.CAP_S
    assert all(later >= earlier for earlier, later in pairwise(waits))


@pytest.mark.parametrize("attempt", [1, 5, 100, 32_767])
def test_a_wait_lies_between_a_tenth_of_the_longest_and_the_longest(attempt: int) -> None:
    top = backoff.ceiling(attempt)
    assert backoff.delay(attempt, uniform=lambda low, _high: low) == pytest.approx(top / 10)
    assert backoff.delay(attempt, uniform=lambda _low, high: high) == top
    assert top / 10 <= backoff.delay(attempt) <= top
