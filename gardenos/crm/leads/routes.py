"""`/v1/leads`: the standard routes, and what agents made of a lead."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import InvalidCursor, NotFound
from gardenos.core.ids import LeadId
from gardenos.crm.leads import service
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.leads.models import FollowUpPage, LeadScorePage
from gardenos.crm.records import routes
from gardenos.crm.records.models import PageQuery
from gardenos.web import problems
from gardenos.web.services import ServicesDep

router = routes.router(LEADS)


@router.get(
    "/{lead_id}/scores",
    response_model=LeadScorePage,
    responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
    | {200: {"headers": routes.LINK}},
)
async def list_scores(
    lead_id: LeadId,
    page: Annotated[PageQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List the analyses of a lead, newest first."""
    async with services.database.session(claims) as session:
        found = await service.scores(session, lead_id, page, services.cursors)
    return routes.listed(request, found.model_dump())


@router.get(
    "/{lead_id}/follow-ups",
    response_model=FollowUpPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
    | {200: {"headers": routes.LINK}},
)
async def list_follow_ups(
    lead_id: LeadId,
    page: Annotated[PageQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List the messages drafted for a lead, newest first."""
    async with services.database.session(claims) as session:
        found = await service.follow_ups(session, lead_id, page, services.cursors)
    return routes.listed(request, found.model_dump())
