"""Pairs of records as the API has them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
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
