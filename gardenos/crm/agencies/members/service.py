"""What those who run an agency may do with its members and invitations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg

from gardenos.core.claims import UserRole
from gardenos.core.errors import Conflict, Forbidden, NotFound, PreconditionFailed
from gardenos.crm.agencies.members.models import (
    Invitation,
    InvitationList,
    Member,
    MemberList,
    NewInvitation,
)
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.agencies.members")
_LAST_OWNER = "an_agency_has_an_owner"
_ONLY_OWNERS = "Only an owner of the agency makes or unmakes owners."


@asynccontextmanager
async def _guarded() -> AsyncGenerator[None]:
    """Say in our words what the triggers refuse."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError:
        raise Forbidden(_ONLY_OWNERS) from None
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != _LAST_OWNER:
            raise
        raise Conflict(
            "The last owner of the agency stays. Make another member an owner first."
        ) from None


async def find(session: TenantSession) -> MemberList:
    """Everybody who belongs to the caller's agency."""
    rows = await session.fetch(QUERIES["list_members"])
    return MemberList(items=[Member.model_validate(dict(row)) for row in rows])


async def get(session: TenantSession, user_id: UUID) -> Member:
    """A member. Raises `NotFound`."""
    row = await session.fetchrow(QUERIES["get_member"], user_id)
    if row is None:
        raise NotFound(f"There is no member {user_id} here.")
    return Member.model_validate(dict(row))


async def change_role(
    session: TenantSession, user_id: UUID, role: UserRole, versions: Sequence[int] | None
) -> Member:
    """Give a member at one of `versions` (None: any) another role.

    Raises `Forbidden` unless the caller runs the agency and, where an owner is made or unmade, owns
    it; `Conflict` for the last owner, `NotFound`, `PreconditionFailed`.
    """
    session.claims.require_admin()
    async with _guarded():
        done = await session.execute(QUERIES["change_role"], user_id, role, versions)
    member = await get(session, user_id)
    if done != "UPDATE 1":
        raise PreconditionFailed
    return member


async def remove(session: TenantSession, user_id: UUID, versions: Sequence[int] | None) -> None:
    """End a membership; what the member owned is nobody's then. Raises as `change_role` does."""
    session.claims.require_admin()
    async with _guarded():
        done = await session.execute(QUERIES["remove_member"], user_id, versions)
    if done != "DELETE 1":
        await get(session, user_id)
        raise PreconditionFailed


async def invitations(session: TenantSession) -> InvitationList:
    """The newest thousand invitations, for those who run the agency."""
    session.claims.require_admin()
    rows = await session.fetch(QUERIES["list_invitations"])
    return InvitationList(items=[Invitation.model_validate(dict(row)) for row in rows])


async def invite(session: TenantSession, new: NewInvitation, digest: bytes) -> Invitation:
    """Store an invitation whose token has this digest.

    Raises `Forbidden` as `change_role` does, `Conflict` for a member and where one is open.
    """
    claims = session.claims
    claims.require_admin()
    if new.role is UserRole.OWNER and claims.user_role is not UserRole.OWNER:
        raise Forbidden(_ONLY_OWNERS)
    if await session.fetchval(QUERIES["is_member"], new.email):
        raise Conflict(f"{new.email} belongs to the agency already. Change the role instead.")
    await session.execute(QUERIES["drop_expired"], new.email)
    row = await session.fetchrow(
        QUERIES["create_invitation"],
        claims.agency_id,
        new.email,
        new.role,
        digest,
        claims.sub,
        timedelta(days=new.expires_in_days),
    )
    if row is None:
        raise Conflict(f"An invitation of {new.email} is open. Withdraw it to make another one.")
    return Invitation.model_validate(dict(row))


async def withdraw(session: TenantSession, invitation_id: UUID) -> None:
    """Take an open invitation back: its token is worth nothing. Raises `NotFound`."""
    session.claims.require_admin()
    if await session.execute(QUERIES["withdraw_invitation"], invitation_id) != "DELETE 1":
        raise NotFound("There is no such open invitation here. It may have been accepted.")
