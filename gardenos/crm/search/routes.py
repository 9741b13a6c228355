"""`/v1/search`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.crm.search import service
from gardenos.crm.search.models import Found, SearchQuery
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=StrictRoute)


@router.get("", response_model=Found, responses=problems.responses(*problems.COMMON))
async def search(
    query: Annotated[SearchQuery, Query()], services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Find leads, contacts, companies, deals and activities by words, the best first.

    Every word has to be there, the last one perhaps begun. Where nothing has them, words that are
    nearly the same are looked for.
    """
    async with services.database.session(claims) as session:
        found = await service.search(session, query)
    return Response(found.model_dump_json(), 200, media_type="application/json")
