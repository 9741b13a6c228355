from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gardenos.discovery.backoff import Backoff


def test_waits_double_up_to_the_cap_and_start_anew_after_a_success() -> None:
    backoff = Backoff(base_s=1.0, cap_s=5.0, uniform=lambda _low, high: high)
    assert [backoff.failed() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.ok()
    assert backoff.failed() == 1.0


@given(st.integers(1, 200))
def test_a_wait_lies_in_the_upper_half_of_its_range(failures: int) -> None:
    backoff = Backoff(base_s=0.5, cap_s=5.0)
    waits = [backoff.failed() for _ in range(failures)]
    for n, wait in enumerate(waits):
        top = min(5.0, 0.5 * 2.0**n)
        assert top / 2 <= wait <= top


def test_two_sidecars_do_not_march_in_step() -> None:
    one, two = (Backoff(base_s=1.0, cap_s=5.0) for _ in range(2))
    assert [one.failed() for _ in range(8)] != [two.failed() for _ in range(8)]
