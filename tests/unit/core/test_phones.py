from __future__ import annotations

import pytest

from gardenos.core.phones import e164


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+49 (0)30 123456", None, "+4930123456"),
        ("030 / 123 456", "DE", "+4930123456"),
        ("030 / 123 456", "de", "+4930123456"),
        ("030 123456", None, None),
        ("030 123456", "XX", None),
        ("00 49 30 123456", "DE", "+4930123456"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("tel: +1 415 555 2671 ext. 12", None, "+14155552671"),
        ("call me", "DE", None),
        ("", "DE", None),
        ("1", "DE", None),
        ("+" + "9" * 49, None, None),
    ],
)
def test_a_number_is_the_same_however_it_was_written(
    text: str, country: str | None, number: str | None
) -> None:
    assert e164(text, country) == number
