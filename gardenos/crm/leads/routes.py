"""`/v1/leads`: the standard routes, and what agents made of a lead."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidCursor,
    NotFound,
    PreconditionFailed,
)
from gardenos.core.ids import LeadId
from gardenos.crm.leads import conversion, service
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.leads.models import (
    Conversion,
    Converting,
    FollowUpPage,
    Kept,
    LeadScorePage,
    Unconversion,
)
from gardenos.crm.records import routes
from gardenos.crm.records.models import PageQuery
from gardenos.web import conditional, idempotency, problems
from gardenos.web.conditional import OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.services import ServicesDep

router = routes.router(LEADS)
_TURNED: Final[dict[int | str, dict[str, Any]]] = problems.responses(
    *problems.COMMON,
    *problems.BODY,
    NotFound,
    Conflict,
    IdempotencyKeyReused,
    PreconditionFailed,
) | {200: {"headers": dict(idempotency.RESPONSE_HEADERS)}}


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


@router.post("/{lead_id}/convert", response_model=Conversion, responses=_TURNED)
async def convert_lead(  # noqa: PLR0917 FastAPI passes them by name
    lead_id: LeadId,
    how: Converting,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: OptionalIfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Make of a lead a contact, its company and, if asked, a deal: all of it or nothing.

    A contact with the lead's address, a company with its domain or name are taken as they are. What
    happened with the lead stays with it, and shows in the timelines of what it became.
    """
    versions = conditional.optional_versions(if_match)
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            made = await conversion.convert(session, lead_id, how, versions=versions)
            return Response(made.model_dump_json(), 200, media_type="application/json")

        return await idempotency.once(session, key, seen, effect)


@router.post("/{lead_id}/unconvert", response_model=Kept, responses=_TURNED)
async def unconvert_lead(  # noqa: PLR0917 FastAPI passes them by name
    lead_id: LeadId,
    how: Unconversion,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: OptionalIfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Take a conversion back: delete what was made for it, give the lead its status again."""
    versions = conditional.optional_versions(if_match)
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            kept = await conversion.unconvert(session, lead_id, how, versions=versions)
            return Response(kept.model_dump_json(), 200, media_type="application/json")

        return await idempotency.once(session, key, seen, effect)
