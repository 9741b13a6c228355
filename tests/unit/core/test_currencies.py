"""The currencies that are taken."""

from __future__ import annotations

from gardenos.core.currencies import CODES


def test_codes_are_three_capitals_each_once_and_in_order() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CODES)
    assert list(CODES) == sorted(set(CODES))


def test_what_went_out_of_use_or_is_no_money_is_not_among_them() -> None:
    assert {"EUR", "USD", "XOF", "CLF", "XCG", "ZWG"} <= set(CODES)
    assert not {"DEM", "HRK", "BGN", "ANG", "ZWL", "XAU", "XTS", "XXX"} & set(CODES)
