"""What may be done with one's agency."""

from __future__ import annotations

from collections.abc import Sequence

from gardenos.core.errors import NotFound, PreconditionFailed
from gardenos.crm.agencies import store
from gardenos.crm.agencies.models import Agency, AgencyChanges
from gardenos.db.session import TenantSession


async def get(session: TenantSession) -> Agency:
    """The caller's agency. Raises `NotFound` where it was removed since the token was made."""
    agency = await store.get(session)
    if agency is None:
        raise NotFound("Your agency does not exist any more.")
    return agency


async def change(
    session: TenantSession, changes: AgencyChanges, versions: Sequence[int] | None
) -> Agency:
    """Change the agency, for its owners and admins. Raises `PreconditionFailed`, `NotFound`."""
    session.claims.require_admin()
    agency = await store.change(session, changes.given(), versions=versions)
    if agency is None:
        await get(session)
        raise PreconditionFailed
    return agency
