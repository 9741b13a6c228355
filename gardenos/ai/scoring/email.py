"""What an e-mail address says of its owner: a company's, a free one, a throw-away, or broken."""

from __future__ import annotations

import re
from enum import StrEnum

_SHAPE = re.compile(r"[^@\s]+@(?P<domain>[^@\s.]+(?:\.[^@\s.]+)+)")
_FREE = frozenset(
    [
        "gmail",
        "googlemail",
        "yahoo",
        "ymail",
        "hotmail",
        "outlook",
        "live",
        "msn",
        "aol",
        "icloud",
        "me",
        "mac",
        "gmx",
        "web",
        "proton",
        "protonmail",
        "pm",
        "mail",
        "inbox",
        "yandex",
        "rediffmail",
        "qq",
        "163",
        "126",
        "sina",
        "naver",
        "daum",
        "hey",
        "fastmail",
        "zoho",
        "t-online",
        "freenet",
        "orange",
        "wanadoo",
        "laposte",
        "libero",
        "virgilio",
        "seznam",
        "wp",
        "o2",
        "bigpond",
        "comcast",
    ]
)
"""The names of domains that give addresses to anyone."""
_THROW_AWAY = frozenset(
    [
        "mailinator",
        "guerrillamail",
        "10minutemail",
        "tempmail",
        "temp-mail",
        "yopmail",
        "trashmail",
        "sharklasers",
        "getnada",
        "dispostable",
        "maildrop",
        "throwawaymail",
        "fakeinbox",
        "mintemail",
    ]
)

_BELOW_COUNTRIES = frozenset(("co", "com", "org", "net", "ac", "edu", "gov", "or", "ne"))
"""Second levels under which countries register names, as in co.uk and com.br."""


class EmailKind(StrEnum):
    """Whose address it is."""

    COMPANY = "company"
    FREE = "free"
    THROW_AWAY = "throw_away"
    BROKEN = "broken"


def kind_of(address: str) -> EmailKind:
    """The kind of an address, by its domain."""
    match = _SHAPE.fullmatch(address)
    if match is None:
        return EmailKind.BROKEN
    labels = match["domain"].lower().split(".")
    if not _THROW_AWAY.isdisjoint(labels):
        return EmailKind.THROW_AWAY
    return EmailKind.FREE if _owner(labels) in _FREE else EmailKind.COMPANY


def _owner(labels: list[str]) -> str:
    """The label somebody registered: `acme` of mail.acme.com and of mail.acme.co.uk."""
    in_country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _BELOW_COUNTRIES  # noqa: PLR2004
    return labels[-3] if in_country else labels[-2]
