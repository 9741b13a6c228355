"""`/v1/audit`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import InvalidCursor
from gardenos.crm.audit import service
from gardenos.crm.audit.models import EntryPage, EntryQuery
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute)

_LINK: dict[str, Any] = {
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}
}


@router.get(
    "",
    response_model=EntryPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": _LINK}},
)
async def list_audit_entries(
    query: Annotated[EntryQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List who changed what, newest first, as a role that reads the audit log."""
    async with services.database.session(claims) as session:
        page = await service.find(session, query, services.cursors)
    headers: dict[str, str] = {}
    if page.next_cursor:
        following = request.url.include_query_params(cursor=page.next_cursor).query
        headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    return Response(page.model_dump_json(), 200, headers, "application/json")
