"""The dashboard, in the caller's session and under its claims."""

from __future__ import annotations

from gardenos.crm.activities.models import ActivityKind
from gardenos.crm.dashboard.models import Dashboard
from gardenos.crm.leads.models import LeadStatus
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.dashboard")


async def read(session: TenantSession, *, days: int) -> Dashboard:
    """How much there is of everything, the last so many days counting as the period."""
    row = await session.fetchrow(QUERIES["read_dashboard"], days)
    return _complete(Dashboard.model_validate({**(row or {}), "days": days}))


def _complete(found: Dashboard) -> Dashboard:
    """With a zero for whatever there is none of."""
    statuses = found.leads.by_status
    if statuses is not None:
        statuses = {status: statuses.get(status, 0) for status in LeadStatus}
    activities = found.activities
    if activities is not None:
        activities = {kind: activities.get(kind, 0) for kind in ActivityKind}
    leads = found.leads.model_copy(update={"by_status": statuses})
    return found.model_copy(update={"leads": leads, "activities": activities})
