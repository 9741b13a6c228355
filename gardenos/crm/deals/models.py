"""A deal as stored and as sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.crm.pipelines.models import StageKind
from gardenos.crm.records.kinds import Day
from gardenos.crm.records.models import (
    Amount,
    Currency,
    Custom,
    Fields,
    Name,
    Record,
    Text200,
    Text500,
    Text20000,
)

LIMITS: Final[Mapping[str, int]] = {
    "external_id": 200,
    "name": 200,
    "currency": 3,
    "close_reason": 500,
    "notes": 20_000,
}
"""Characters each text field holds; the table's CHECKs say the same."""


class DealStatus(StrEnum):
    """What its stage makes of a deal."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class DealFields(Fields):
    """What may be set on a deal besides its name and place; blank text means none."""

    external_id: Text200 = Field(default=None, description="Its id elsewhere; unique per agency.")
    amount: Amount | None = Field(default=None, description="With a currency, or neither.")
    currency: Currency | None = None
    expected_close: Day | None = None
    close_reason: Text500 = Field(default=None, description="Why it was won or lost.")
    contact_id: UUID | None = None
    company_id: UUID | None = None
    lead_id: UUID | None = None
    notes: Text20000 = None
    custom: Custom = Field(default_factory=dict[str, Any])
    owner_id: UUID | None = Field(default=None, description="The member who looks after it.")


class NewDeal(DealFields):
    """A deal to store."""

    name: Name
    pipeline_id: UUID | None = Field(
        default=None, description="The agency's default pipeline unless said."
    )
    stage_id: UUID | None = Field(default=None, description="The pipeline's first unless said.")


class DealChanges(DealFields):
    """Changes to a deal: fields sent replace the stored ones, null empties them.

    Another `stage_id` moves it, also into another pipeline; another `pipeline_id` alone moves it to
    that one's first stage. `custom` is merged key by key; null removes a key.
    """

    name: Name = Field(default_factory=str)
    pipeline_id: UUID = Field(default_factory=lambda: UUID(int=0))
    stage_id: UUID = Field(default_factory=lambda: UUID(int=0))


class Deal(Record):
    """A deal as stored."""

    id: UUID
    external_id: str | None
    name: str
    amount: Decimal | None = Field(description="Exact, as text.")
    currency: str | None
    expected_close: date | None
    pipeline_id: UUID
    stage_id: UUID
    status: DealStatus = Field(description="The kind of its stage.")
    closed_at: datetime | None
    close_reason: str | None
    contact_id: UUID | None
    company_id: UUID | None
    lead_id: UUID | None
    notes: str | None
    custom: dict[str, Any]
    owner_id: UUID | None
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Closing(Fields):
    """How a deal ends."""

    reason: Text500 = None
    stage_id: UUID | None = Field(
        default=None, description="Into which stage of that kind; the pipeline's first unless said."
    )


class Reopening(Fields):
    """Where a deal goes on."""

    stage_id: UUID | None = Field(
        default=None, description="The open stage it was in last unless said."
    )


class DealStage(BaseModel):
    """A stage that a deal came into, and what it was worth then."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    deal_id: UUID
    from_stage_id: UUID | None = Field(description="Null for the first one.")
    stage_id: UUID
    pipeline_id: UUID
    amount: Decimal | None
    currency: str | None
    moved_by: UUID | None
    moved_at: datetime


class DealStagePage(BaseModel):
    """Where a deal has stood, newest first."""

    items: list[DealStage]
    next_cursor: str | None


class Sum(BaseModel):
    """What deals are worth together, in one currency."""

    currency: str
    amount: Decimal = Field(description="Exact, as text.")
    weighted: Decimal = Field(description="By the probability of the stage.")


class BoardStage(BaseModel):
    """A column of a board."""

    id: UUID
    name: str
    kind: StageKind
    probability: int
    position: int
    deals: int
    sums: list[Sum] | None = Field(
        description="Null where your role does not see what deals are worth."
    )


class Board(BaseModel):
    """A pipeline at a glance: each stage with its deals, as far as you see them."""

    items: list[BoardStage]
