"""The timelines of records."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from gardenos.sdk.base import Page, Result
from gardenos.sdk.bound import D, listing
from gardenos.sdk.call import Call, model
from gardenos.sdk.records import R, Ref
from gardenos.sdk.tags import TaggedRecords


class Happening(Result):
    """Something that happened with a record."""

    at: datetime
    kind: Literal["activity", "change", "follow_up", "score"]
    id: str
    """Of the activity, the audit entry, the draft or the analysis."""
    actor: UUID | None
    """Who did it; None for an agent or the system."""
    lead_id: UUID | None
    """The lead it happened with, also before a conversion."""
    data: dict[str, Any]


class TimedRecords(TaggedRecords[D, R]):
    """Records with which things happen."""

    @listing
    def timeline(self, record: Ref[R], *, page_size: int = 100) -> Call[Page[Happening]]:
        """What happened with a record, newest first: activities, changes, what agents made of it."""
        params = {"limit": page_size}
        return Call("GET", self._of(record, "/timeline"), model(Page[Happening]), params=params)
