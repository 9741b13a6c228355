"""Where a lead came from, as one of a few kinds, whatever words a CRM or an export uses for it."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

_MAX_LENGTH = 100
_WORDS = re.compile(r"[^a-z0-9]+")


class SourceKind(StrEnum):
    """How a lead found its way here."""

    REFERRAL = "referral"
    PARTNER = "partner"
    EVENT = "event"
    FORM = "form"
    CHAT = "chat"
    SEARCH = "search"
    DIRECT = "direct"
    EMAIL = "email"
    ADS = "ads"
    SOCIAL = "social"
    LINK = "link"
    LIST = "list"
    OTHER = "other"


class Origin(StrEnum):
    """How the record came to be."""

    BY_HAND = "by_hand"
    BULK = "bulk"
    OTHER = "other"


_SOURCES: tuple[tuple[SourceKind, tuple[str, ...]], ...] = (
    # Read from the top: "referral sites" is a link on a page, not somebody's recommendation.
    (SourceKind.LINK, ("referral site", "referral sites", "referral traffic", "backlink", "blog")),
    (SourceKind.ADS, ("ads", "ad", "adwords", "ppc", "pay per click", "paid", "cpc", "banner")),
    (SourceKind.ADS, ("advertisement", "advertising", "display", "retargeting")),
    (SourceKind.REFERRAL, ("referral", "reference", "referred", "referrer", "recommendation")),
    (SourceKind.REFERRAL, ("word of mouth", "recommended", "friend", "existing customer")),
    (SourceKind.PARTNER, ("partner", "reseller", "affiliate", "agency")),
    (SourceKind.EVENT, ("event", "tradeshow", "trade show", "conference", "webinar", "fair")),
    (SourceKind.LIST, ("purchased", "cold", "list", "scraped", "outbound", "import", "database")),
    (SourceKind.CHAT, ("chat", "livechat", "olark", "intercom", "whatsapp", "messenger")),
    (SourceKind.EMAIL, ("email", "e mail", "newsletter", "mailing", "edm")),
    (SourceKind.SEARCH, ("organic", "seo", "search", "google", "bing", "duckduckgo", "yahoo")),
    (SourceKind.SOCIAL, ("social", "facebook", "instagram", "linkedin", "twitter", "tiktok")),
    (SourceKind.SOCIAL, ("youtube", "x com", "reddit")),
    (SourceKind.DIRECT, ("direct", "typed in")),
    (SourceKind.FORM, ("form", "website", "web site", "landing page", "contact us", "web")),
    (SourceKind.FORM, ("demo request", "signup", "sign up", "call back", "click2call", "inbound")),
)
_ORIGINS: tuple[tuple[Origin, tuple[str, ...]], ...] = (
    (Origin.BY_HAND, ("add form", "manual", "manually", "by hand", "sales rep", "phone call")),
    (Origin.BULK, ("import", "bulk", "list", "purchased", "upload")),
)


def _normalised(text: str) -> str:
    return f" {_WORDS.sub(' ', text[:_MAX_LENGTH].lower()).strip()} "


@lru_cache(maxsize=1024)
def kind_of(source: str) -> SourceKind:
    """The kind a source's name speaks of; `OTHER` where it says nothing known."""
    words = _normalised(source)
    for kind, phrases in _SOURCES:
        if any(f" {phrase} " in words for phrase in phrases):
            return kind
    return SourceKind.OTHER


@lru_cache(maxsize=256)
def origin_of(text: str) -> Origin:
    """How the record was made, by the words an export uses for it."""
    words = _normalised(text)
    for origin, phrases in _ORIGINS:
        if any(f" {phrase} " in words for phrase in phrases):
            return origin
    return Origin.OTHER
