"""An entry of a record's timeline."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class EntryKind(StrEnum):
    """Where an entry comes from."""

    ACTIVITY = "activity"
    CHANGE = "change"
    FOLLOW_UP = "follow_up"
    SCORE = "score"


class Entry(BaseModel):
    """Something that happened with a record."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: EntryKind
    id: str = Field(description="Of the activity, the audit entry, the draft or the analysis.")
    actor: UUID | None = Field(description="Who did it; null for an agent or the system.")
    lead_id: UUID | None = Field(description="The lead it happened with, also before a conversion.")
    data: dict[str, Any] = Field(description="What there is to see of it, by kind.")


class Timeline(BaseModel):
    """Some entries, newest first, and where the next ones begin."""

    items: list[Entry]
    next_cursor: str | None = Field(
        description="Send as `cursor` for the next page; null: the last."
    )
