"""What hangs on leads in PostgreSQL, always in the caller's session."""

from __future__ import annotations

from uuid import UUID

from gardenos.core.ids import LeadId
from gardenos.crm.leads.models import FollowUp, LeadScore
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.leads")


async def exists(session: TenantSession, lead_id: LeadId) -> bool:
    """Whether there is such a lead; False for a deleted one and another agency's."""
    return bool(await session.fetchval(QUERIES["lead_exists"], lead_id))


async def scores(
    session: TenantSession, lead_id: LeadId, *, limit: int, before: UUID | None
) -> list[LeadScore]:
    """Analyses of a lead, newest first."""
    rows = await session.fetch(QUERIES["list_scores"], lead_id, before, limit)
    return [LeadScore.model_validate(dict(row)) for row in rows]


async def follow_ups(
    session: TenantSession, lead_id: LeadId, *, limit: int, before: UUID | None
) -> list[FollowUp]:
    """Messages drafted for a lead, newest first."""
    rows = await session.fetch(QUERIES["list_follow_ups"], lead_id, before, limit)
    return [FollowUp.model_validate(dict(row)) for row in rows]
