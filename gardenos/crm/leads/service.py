"""What agents made of leads, in the caller's session and under its claims."""

from __future__ import annotations

from gardenos.core.ids import LeadId
from gardenos.core.page import CursorSigner
from gardenos.crm.leads import store
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.leads.models import FollowUpPage, LeadScorePage
from gardenos.crm.records import pages, service
from gardenos.crm.records.models import PageQuery
from gardenos.db.session import TenantSession


async def scores(
    session: TenantSession, lead_id: LeadId, query: PageQuery, cursors: CursorSigner
) -> LeadScorePage:
    """Analyses of a lead, newest first. Raises `NotFound`, `InvalidCursor`."""
    await service.get(session, LEADS, lead_id)
    scope = f"scores:{session.claims.agency_id}:{lead_id}"
    before = pages.before(cursors, scope, query)
    found = await store.scores(session, lead_id, limit=query.limit + 1, before=before)
    page = pages.page(cursors, scope, query, found)
    return LeadScorePage(items=list(page.items), next_cursor=page.next_cursor)


async def follow_ups(
    session: TenantSession, lead_id: LeadId, query: PageQuery, cursors: CursorSigner
) -> FollowUpPage:
    """Messages drafted for a lead, newest first. Raises `NotFound`, `InvalidCursor`."""
    await service.get(session, LEADS, lead_id)
    scope = f"follow-ups:{session.claims.agency_id}:{lead_id}"
    before = pages.before(cursors, scope, query)
    found = await store.follow_ups(session, lead_id, limit=query.limit + 1, before=before)
    page = pages.page(cursors, scope, query, found)
    return FollowUpPage(items=list(page.items), next_cursor=page.next_cursor)
