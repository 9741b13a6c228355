"""Pairs of records as the API has them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.web.paging import PageQuery


class Entity(StrEnum):
    """Of what there may be duplicates."""

    LEADS = "leads"
    CONTACTS = "contacts"
    COMPANIES = "companies"


class PairState(StrEnum):
    """What somebody said of a pair."""

    OPEN = "open"
    DISMISSED = "dismissed"


class One(BaseModel):
    """One of two records."""

    id: UUID
    title: str


class Pair(BaseModel):
    """Two records that may be one."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    entity: Entity
    state: PairState
    score: float = Field(description="How surely they are one, up to 0.99.")
    reasons: list[str] = Field(description="By what: email, domain, phone, name.")
    records: list[One] = Field(description="Both, the older one first.")
    found_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


class PairPage(BaseModel):
    """Pairs, those found last first."""

    items: list[Pair]
    next_cursor: str | None = Field(description="Null: the last page.")


class PairQuery(PageQuery):
    """Which pairs to list."""

    entity: Entity | None = Field(default=None, description="Of this kind alone.")
    state: PairState = Field(default=PairState.OPEN, description="Open ones unless said.")


class Side(StrEnum):
    """Whose value of a field is to stand."""

    THIS = "this"
    OTHER = "other"


class MergeRequest(BaseModel):
    """Which record becomes part of this one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    other: UUID = Field(alias="from", description="The record that goes.")
    prefer: dict[str, Side] = Field(
        default_factory=dict[str, Side],
        max_length=100,
        description=(
            "Whose value stands, by field. Unless said, this record's, and the other's where this "
            "one's is empty; of `custom` every key for itself."
        ),
    )
    dry_run: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="Say what it would come to, and change nothing."
    )


class Merge(BaseModel):
    """Two records that became one."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    entity: Entity
    kept_id: UUID
    gone_id: UUID
    merged_by: UUID
    merged_at: datetime
    undone_by: UUID | None
    undone_at: datetime | None


class Merged(BaseModel):
    """What a merge came to, or would."""

    model_config = ConfigDict(frozen=True)

    merge: Merge | None = Field(description="Null for a dry run.")
    changes: dict[str, Any] = Field(description="Of the record that is kept, by field.")
    moved: dict[str, int] = Field(
        description="How many rows refer to it from now on, by table and column."
    )
