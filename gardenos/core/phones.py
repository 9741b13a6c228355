"""Telephone numbers in the form that is the same however a number was written: E.164."""

from __future__ import annotations

from typing import Final

import phonenumbers

COUNTRIES: Final[frozenset[str]] = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""The countries and territories whose numbers are known, by ISO 3166 alpha-2."""


def e164(text: str, country: str | None) -> str | None:
    """A number as in +4930123456; None where the text holds no number that could be dialled.

    `country` is where a number without an international prefix is dialled (ISO 3166 alpha-2).
    """
    region = country.upper() if country is not None else None
    try:
        found = phonenumbers.parse(text, region if region in COUNTRIES else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(found):
        return None
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def is_international(text: str) -> bool:
    """Whether a number says its country itself, so that no other one matters."""
    return text.lstrip(" (").startswith(("+", "\N{FULLWIDTH PLUS SIGN}"))
