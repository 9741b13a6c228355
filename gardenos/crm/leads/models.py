"""A lead as stored, as sent, and as asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from gardenos.core.ids import FollowUpId, ImportId, LeadId, TaskId
from gardenos.core.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gardenos.web.text import Clean, Email, Moment, NotBlank, Number, blank_is_none


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
MAX_CUSTOM_KEYS: Final = 100
MAX_CUSTOM_KEY_CHARS: Final = 64
MAX_CUSTOM_TEXT_CHARS: Final = 2000

Text50: TypeAlias = Annotated[Annotated[Clean, Field(max_length=50)] | None, blank_is_none]
Text100: TypeAlias = Annotated[Annotated[Clean, Field(max_length=100)] | None, blank_is_none]
Text200: TypeAlias = Annotated[Annotated[Clean, Field(max_length=200)] | None, blank_is_none]
Text500: TypeAlias = Annotated[Annotated[Clean, Field(max_length=500)] | None, blank_is_none]
Text20000: TypeAlias = Annotated[Annotated[Clean, Field(max_length=20_000)] | None, blank_is_none]
OptionalEmail: TypeAlias = Annotated[Email | None, blank_is_none]

CustomKey: TypeAlias = Annotated[NotBlank, Field(max_length=MAX_CUSTOM_KEY_CHARS)]
CustomValue: TypeAlias = (
    StrictBool | Number | Annotated[Clean, Field(max_length=MAX_CUSTOM_TEXT_CHARS)] | None
)
Custom: TypeAlias = Annotated[
    dict[CustomKey, CustomValue],
    Field(
        max_length=MAX_CUSTOM_KEYS,
        description="Values of your own: text, numbers, true or false.",
        examples=[{"total_visits": 7, "newsletter": True}],
    ),
]


class LeadFields(BaseModel):
    """What may be set on a lead; absent means not said, blank text means none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    def given(self) -> dict[str, Any]:
        """The fields that were sent, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)


class NewLead(LeadFields):
    """A lead to store."""


class LeadChanges(LeadFields):
    """Changes to a lead: fields sent replace the stored ones, null empties them.

    `custom` is merged key by key; null removes a key.
    """


class Lead(BaseModel):
    """A lead as stored."""

    model_config = ConfigDict(frozen=True)

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
    quality_score: int | None = Field(description="0 to 100; null until scored.")
    conversion_probability: float | None = Field(
        description="0 to 1, calibrated; null until scored."
    )
    scored_at: datetime | None
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class LeadPage(BaseModel):
    """Some leads, and where the next ones begin."""

    items: list[Lead]
    next_cursor: str | None = Field(
        description="Send as `cursor` for the next page; null: the last."
    )
    total: int | None = Field(description="How many match in all; null unless `total=true`.")


class LeadSort(StrEnum):
    """The order of a list; `-` means descending. Leads without a score count as below 0."""

    CREATED = "created_at"
    CREATED_DESC = "-created_at"
    UPDATED = "updated_at"
    UPDATED_DESC = "-updated_at"
    SCORE = "quality_score"
    SCORE_DESC = "-quality_score"


Filter: TypeAlias = Annotated[NotBlank, Field(max_length=320)]


class PageQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)
    cursor: str | None = Field(
        default=None, max_length=2000, description="`next_cursor` of the page before."
    )


class LeadQuery(PageQuery):
    """Which leads, in which order."""

    sort: LeadSort = LeadSort.CREATED_DESC
    status: LeadStatus | None = None
    source: Filter | None = Field(default=None, description="Exactly this source.")
    email: Filter | None = Field(default=None, description="This address, in any capitals.")
    q: Filter | None = Field(
        default=None, description="Text found in the name, e-mail, phone, company or external id."
    )
    quality_score_gte: int | None = Field(default=None, alias="quality_score.gte", ge=0, le=100)
    quality_score_lte: int | None = Field(default=None, alias="quality_score.lte", ge=0, le=100)
    created_at_gte: Moment | None = Field(default=None, alias="created_at.gte")
    created_at_lt: Moment | None = Field(default=None, alias="created_at.lt")
    include_deleted: bool = False
    total: bool = Field(default=False, description="Count all that match; costs time.")

    def scope(self) -> str:
        """What a cursor of this list is bound to, besides the agency."""
        return self.model_dump_json(exclude={"limit", "cursor", "total"})


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
