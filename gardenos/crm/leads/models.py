"""A lead as stored, as sent, and as asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.core.ids import FollowUpId, ImportId, LeadId, TaskId
from gardenos.crm.companies.models import CompanyFields
from gardenos.crm.contacts.models import ContactFields
from gardenos.crm.deals.models import NewDeal
from gardenos.crm.records.models import (
    Custom,
    Fields,
    OptionalEmail,
    Record,
    Text50,
    Text100,
    Text200,
    Text500,
    Text20000,
)


class LeadStatus(StrEnum):
    """Where a lead stands with the agency."""

    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    UNQUALIFIED = "unqualified"
    CONVERTED = "converted"
    LOST = "lost"


LIMITS: Final[Mapping[str, int]] = {
    "external_id": 200,
    "first_name": 200,
    "last_name": 200,
    "email": 320,
    "phone": 50,
    "company": 200,
    "job_title": 200,
    "website": 500,
    "city": 200,
    "country": 100,
    "source": 100,
    "notes": 20_000,
}
"""Characters each text field holds; the table's CHECKs say the same."""


class LeadFields(Fields):
    """What may be set on a lead; absent means not said, blank text means none."""

    external_id: Text200 = Field(default=None, description="Its id elsewhere; unique per agency.")
    first_name: Text200 = None
    last_name: Text200 = None
    email: OptionalEmail = Field(default=None, examples=["ada@example.com"])
    phone: Text50 = None
    company: Text200 = None
    job_title: Text200 = None
    website: Text500 = None
    city: Text200 = None
    country: Text100 = None
    source: Text100 = None
    status: LeadStatus = LeadStatus.NEW
    notes: Text20000 = None
    custom: Custom = Field(default_factory=dict[str, Any])
    owner_id: UUID | None = Field(default=None, description="The member who looks after the lead.")


class NewLead(LeadFields):
    """A lead to store."""


class LeadChanges(LeadFields):
    """Changes to a lead: fields sent replace the stored ones, null empties them.

    `custom` is merged key by key; null removes a key.
    """


class Lead(Record):
    """A lead as stored."""

    id: LeadId
    external_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    company: str | None
    job_title: str | None
    website: str | None
    city: str | None
    country: str | None
    source: str | None
    status: LeadStatus
    notes: str | None
    custom: dict[str, Any]
    owner_id: UUID | None
    import_id: ImportId | None
    quality_score: int | None = Field(ge=0, le=100, description="Null until scored.")
    conversion_probability: float | None = Field(
        description="0 to 1, calibrated; null until scored."
    )
    scored_at: datetime | None
    converted_at: datetime | None
    converted_contact_id: UUID | None
    converted_company_id: UUID | None
    converted_deal_id: UUID | None
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class LeadScore(BaseModel):
    """One analysis of a lead."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    task_id: TaskId
    lead_id: LeadId
    quality_score: int
    conversion_probability: float
    reasons: list[Any] = Field(
        description="`{feature, value, contribution, text}`, weightiest first."
    )
    next_actions: list[Any]
    provider: str
    model: str
    created_at: datetime


class FollowUp(BaseModel):
    """A message drafted for a lead. Nothing sends it: a person decides."""

    model_config = ConfigDict(frozen=True)

    id: FollowUpId
    task_id: TaskId
    lead_id: LeadId
    state: str
    subject: str
    body: str
    full_message: str
    provider: str
    model: str
    created_at: datetime


class LeadScorePage(BaseModel):
    """Analyses of a lead, newest first."""

    items: list[LeadScore]
    next_cursor: str | None


class FollowUpPage(BaseModel):
    """Messages drafted for a lead, newest first."""

    items: list[FollowUp]
    next_cursor: str | None


class Converting(BaseModel):
    """What a lead becomes. A contact with its address and a company of its name or domain are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact_id: UUID | None = Field(
        default=None, description="The contact it is, if not a new one."
    )
    contact: ContactFields | None = Field(
        default=None, description="What a new contact has besides or instead of the lead's."
    )
    company_id: UUID | None = Field(default=None, description="The company it is of.")
    with_company: bool = Field(
        default=True, strict=True, description="Whether it becomes a company, too."
    )
    company: CompanyFields | None = Field(default=None, description="The same of a new company.")
    deal: NewDeal | None = Field(default=None, description="A deal to open with them.")


class Conversion(BaseModel):
    """What a lead became."""

    model_config = ConfigDict(frozen=True)

    lead_id: LeadId
    contact_id: UUID
    company_id: UUID | None
    deal_id: UUID | None
    contact_made: bool = Field(description="False where the contact was there before.")
    company_made: bool
    converted_at: datetime


class Unconversion(BaseModel):
    """How to take a conversion back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    force: bool = Field(
        default=False,
        strict=True,
        description="Keep what was made and has been changed or used since, instead of refusing.",
    )


class Kept(BaseModel):
    """A lead that is one again, and what stays of its conversion."""

    model_config = ConfigDict(frozen=True)

    lead_id: LeadId
    kept: dict[str, list[UUID]] = Field(
        description="Records that were made for it and stay, by noun."
    )
