"""Invitations as those who are invited meet them: a token that opens one agency to one address."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.auth.store import QUERIES
from gardenos.core.errors import InvalidCursor
from gardenos.core.page import CursorSigner
from gardenos.db.session import Session

_SIGNED_FOR = "invitation"


class OpenInvitation(BaseModel):
    """What an invitation says to whoever holds its token."""

    model_config = ConfigDict(frozen=True)

    agency: str = Field(description="The name of the agency that invites.")
    email: str
    role: str
    expires_at: datetime


class Membership(BaseModel):
    """An agency one belongs to."""

    model_config = ConfigDict(frozen=True)

    agency_id: UUID
    agency: str
    role: str
    since: datetime


def new_token(signer: CursorSigner) -> str:
    """A token that nobody can guess, signed, so that a forged one costs no look at the database."""
    return signer.seal(_SIGNED_FOR, [secrets.token_urlsafe(32)])


def digest(signer: CursorSigner, token: str) -> bytes | None:
    """What is stored of a token (32 bytes); None for one that was not signed here."""
    try:
        signer.open(_SIGNED_FOR, token)
    except InvalidCursor:
        return None
    return hashlib.sha256(token.encode()).digest()


async def find(session: Session, digest: bytes) -> OpenInvitation | None:
    """The invitation, unless it was used, withdrawn, or has expired."""
    row = await session.fetchrow(QUERIES["find_invitation"], digest)
    return OpenInvitation.model_validate(dict(row)) if row else None


async def accept(session: Session, digest: bytes, user_id: UUID, email: str) -> UUID | None:
    """Make the user a member; the agency, which their next token names.

    None where no invitation for this e-mail is open. Of two at once, one succeeds.
    """
    return await session.fetchval(QUERIES["accept_invitation"], digest, user_id, email)


async def memberships(session: Session, user_id: UUID) -> Sequence[Membership]:
    """The agencies the user belongs to, the first one first."""
    rows = await session.fetch(QUERIES["list_memberships"], user_id)
    return [Membership.model_validate(dict(row)) for row in rows]


async def enter(session: Session, user_id: UUID, agency_id: UUID) -> bool:
    """Have the user's next token name this agency; False where they do not belong to it."""
    return await session.fetchval(QUERIES["enter_agency"], user_id, agency_id) is not None
