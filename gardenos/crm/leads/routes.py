"""`/v1/leads`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidCursor,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from gardenos.core.ids import LeadId
from gardenos.crm.leads import service
from gardenos.crm.leads.models import (
    FollowUpPage,
    Lead,
    LeadChanges,
    LeadPage,
    LeadQuery,
    LeadScorePage,
    NewLead,
    PageQuery,
)
from gardenos.web import conditional, idempotency, problems
from gardenos.web.conditional import IfMatch, IfNoneMatch, OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/leads", tags=["leads"], route_class=StrictRoute)

_ETAG: dict[str, Any] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}
}
_LINK: dict[str, Any] = {
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}
}
_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the record is.", "schema": {"type": "string"}}
}


def _record(lead: Lead, status: int = 200) -> Response:
    # Written as validated once, straight from the row: FastAPI would validate and walk it again.
    headers = {"ETag": conditional.etag(lead.version)}
    if status == 201:  # noqa: PLR2004
        headers["Location"] = f"/v1/leads/{lead.id}"
    return _json(lead, status, headers)


def _json(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), status, headers, "application/json")


def _listed(request: Request, body: BaseModel, next_cursor: str | None) -> Response:
    headers: dict[str, str] = {}
    if next_cursor:
        query = request.url.include_query_params(cursor=next_cursor).query
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return _json(body, headers=headers)


@router.post(
    "",
    status_code=201,
    response_model=Lead,
    responses=problems.responses(*problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused)
    | {201: {"headers": {**_ETAG, **_LOCATION, **idempotency.RESPONSE_HEADERS}}},
)
async def create_lead(
    new: NewLead,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Store a lead."""
    claims.require_writer()
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            return _record(await service.create(session, new), 201)

        return await idempotency.once(session, key, seen, effect)


@router.get(
    "",
    response_model=LeadPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": _LINK}},
)
async def list_leads(
    query: Annotated[LeadQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List leads, newest first unless sorted otherwise; deleted ones only if asked for."""
    async with services.database.session(claims) as session:
        page = await service.find(session, query, services.cursors)
    return _listed(request, page, page.next_cursor)


@router.get(
    "/{lead_id}",
    response_model=Lead,
    responses=problems.responses(*problems.COMMON, NotFound)
    | {200: {"headers": _ETAG}, 304: {"description": "You hold the current version."}},
)
async def get_lead(
    lead_id: LeadId, services: ServicesDep, claims: ClaimsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a lead."""
    async with services.database.session(claims) as session:
        lead = await service.get(session, lead_id)
    return conditional.not_modified(if_none_match, lead.version) or _record(lead)


@router.patch(
    "/{lead_id}",
    response_model=Lead,
    responses=problems.responses(
        *problems.COMMON,
        *problems.BODY,
        NotFound,
        Conflict,
        PreconditionFailed,
        PreconditionRequired,
    )
    | {200: {"headers": _ETAG}},
)
async def change_lead(
    lead_id: LeadId,
    changes: LeadChanges,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: IfMatch,
) -> Response:
    """Change a lead: fields sent replace the stored ones, null empties them (a JSON merge patch)."""
    versions = conditional.versions(if_match)
    async with services.database.session(claims) as session:
        return _record(await service.change(session, lead_id, changes, versions))


@router.delete(
    "/{lead_id}",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound, PreconditionFailed),
)
async def delete_lead(
    lead_id: LeadId, services: ServicesDep, claims: ClaimsDep, if_match: OptionalIfMatch = None
) -> Response:
    """Mark a lead deleted; `restore` brings it back."""
    versions = conditional.optional_versions(if_match)
    async with services.database.session(claims) as session:
        await service.delete(session, lead_id, versions)
    return Response(status_code=204)


@router.post(
    "/{lead_id}/restore",
    response_model=Lead,
    responses=problems.responses(*problems.COMMON, NotFound, IdempotencyKeyReused)
    | {200: {"headers": {**_ETAG, **idempotency.RESPONSE_HEADERS}}},
)
async def restore_lead(
    lead_id: LeadId,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Undo a deletion; a lead that is not deleted stays as it is."""
    claims.require_writer()
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            return _record(await service.restore(session, lead_id))

        return await idempotency.once(session, key, idempotency.fingerprint(request), effect)


@router.get(
    "/{lead_id}/scores",
    response_model=LeadScorePage,
    responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
    | {200: {"headers": _LINK}},
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
    return _listed(request, found, found.next_cursor)


@router.get(
    "/{lead_id}/follow-ups",
    response_model=FollowUpPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
    | {200: {"headers": _LINK}},
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
    return _listed(request, found, found.next_cursor)
