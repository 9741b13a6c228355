"""An activity as stored and as sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from pydantic import Field

from gardenos.crm.records.models import CustomKey, CustomValue, Fields, Record, Text200, Text20000
from gardenos.web.text import Clean, Moment, blank_is_none

LIMITS: Final[Mapping[str, int]] = {"subject": 300, "body": 20_000, "outcome": 200}
"""Characters each text field holds; the table's CHECKs say the same."""
MAX_DURATION_S: Final = 31 * 86_400

Subject: TypeAlias = Annotated[Annotated[Clean, Field(max_length=300)] | None, blank_is_none]
Details: TypeAlias = Annotated[dict[CustomKey, CustomValue], Field(max_length=100)]


class ActivityKind(StrEnum):
    """What happened."""

    NOTE = "note"
    CALL = "call"
    MEETING = "meeting"
    EMAIL = "email"
    MESSAGE = "message"
    AGENT_RUN = "agent_run"


class Direction(StrEnum):
    """Whether it came to the agency or went out from it."""

    IN = "in"
    OUT = "out"


class NewActivity(Fields):
    """What happened with a lead, a contact, a company or a deal; with one of them at least."""

    kind: ActivityKind
    lead_id: UUID | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    deal_id: UUID | None = None
    subject: Subject = None
    body: Text20000 = None
    direction: Direction | None = None
    outcome: Text200 = None
    duration_s: int | None = Field(default=None, ge=0, le=MAX_DURATION_S, strict=True)
    details: Details = Field(
        default_factory=dict[str, Any], description="What else there is to keep of it."
    )
    occurred_at: Moment | None = Field(default=None, description="Now, unless said.")


class Activity(Record):
    """What happened, as stored."""

    id: UUID
    kind: ActivityKind
    lead_id: UUID | None
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None
    subject: str | None
    body: str | None
    direction: Direction | None
    outcome: str | None
    duration_s: int | None = Field(ge=0, le=MAX_DURATION_S)
    details: dict[str, Any]
    occurred_at: datetime
    created_by: UUID | None
    created_at: datetime
