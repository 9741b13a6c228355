"""Members and invitations, as stored and as sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gardenos.core.claims import UserRole
from gardenos.web.text import Email

MAX_DAYS = 30


class Member(BaseModel):
    """Somebody who belongs to the agency."""

    model_config = ConfigDict(frozen=True)

    user_id: UUID
    email: str | None
    name: str | None
    role: UserRole
    teams: list[UUID]
    last_sign_in_at: datetime | None
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_at: datetime
    updated_at: datetime


class MemberList(BaseModel):
    """Everybody who belongs to the agency, by e-mail."""

    items: list[Member]


class MemberChanges(BaseModel):
    """What may be changed about a member."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: UserRole


class NewInvitation(BaseModel):
    """Whom to invite, and as what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Annotated[Email, AfterValidator(str.lower), Field(min_length=1, max_length=255)]
    role: UserRole
    expires_in_days: int = Field(default=7, ge=1, le=MAX_DAYS, strict=True)


class Invitation(BaseModel):
    """An invitation as stored."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    email: str
    role: UserRole
    invited_by: UUID | None
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: UUID | None
    created_at: datetime


class IssuedInvitation(Invitation):
    """A new invitation, with the only answer that ever holds its token."""

    link: str | None = Field(
        description="Give it to the invited person; it is in this answer and in no other."
    )
    token: str | None = Field(description="What the link ends in; `data.invitation` of a sign-up.")


class InvitationList(BaseModel):
    """Invitations, the newest first."""

    items: list[Invitation]
