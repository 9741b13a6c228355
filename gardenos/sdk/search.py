"""What `client.search(...)` gives: the best of what was found."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from gardenos.sdk.base import Result

SearchKind: TypeAlias = Literal["leads", "contacts", "companies", "deals", "activities"]


class Hit(Result):
    """A record that was found."""

    entity: SearchKind
    id: UUID
    title: str
    score: float
    """How well it fits; comparable within one answer."""
    matches: dict[str, str]
    """The fields that hold one of the words, as HTML: escaped, the words in `<mark>`."""
    lead_id: UUID | None
    """Of an activity: whom it was with."""
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None


class Found(Result):
    """The best of what was found."""

    items: list[Hit]
    truncated: bool
    """Whether more fits than is shown."""
    corrected: list[str] | None
    """The words that were looked for instead, where nothing has those that were sent."""
