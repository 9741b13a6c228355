"""`/v1/agency`: the caller's own."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import NotFound, PreconditionFailed, PreconditionRequired
from gardenos.crm.agencies import service
from gardenos.crm.agencies.models import Agency, AgencyChanges
from gardenos.web import conditional, problems
from gardenos.web.conditional import IfMatch, IfNoneMatch
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/agency", tags=["agency"], route_class=StrictRoute)

_ETAG: dict[str, Any] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}
}


def _record(agency: Agency) -> Response:
    headers = {"ETag": conditional.etag(agency.version)}
    return Response(agency.model_dump_json(), 200, headers, "application/json")


@router.get(
    "",
    response_model=Agency,
    responses=problems.responses(*problems.COMMON, NotFound)
    | {200: {"headers": _ETAG}, 304: {"description": "You hold the current version."}},
)
async def get_agency(
    services: ServicesDep, claims: ClaimsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Read your agency."""
    async with services.database.session(claims) as session:
        agency = await service.get(session)
    return conditional.not_modified(if_none_match, agency.version) or _record(agency)


@router.patch(
    "",
    response_model=Agency,
    responses=problems.responses(
        *problems.COMMON, *problems.BODY, NotFound, PreconditionFailed, PreconditionRequired
    )
    | {200: {"headers": _ETAG}},
)
async def change_agency(
    changes: AgencyChanges, services: ServicesDep, claims: ClaimsDep, if_match: IfMatch
) -> Response:
    """Change your agency, as an owner or admin; what is not sent stays."""
    claims.require_admin()
    versions = conditional.versions(if_match)
    async with services.database.session(claims) as session:
        return _record(await service.change(session, changes, versions))
