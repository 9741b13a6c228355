"""`/v1/duplicates`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import InvalidCursor, NotFound
from gardenos.crm.duplicates import service
from gardenos.crm.duplicates.models import Pair, PairPage, PairQuery, PairState
from gardenos.web import paging, problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/duplicates", tags=["duplicates"], route_class=StrictRoute)


@router.get(
    "",
    response_model=PairPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": paging.LINK}},
)
async def list_duplicates(
    query: Annotated[PairQuery, Query()], request: Request, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """List pairs of leads, contacts or companies that may be one, those found last first."""
    async with services.database.session(claims) as session:
        found = await service.find(session, query, services.cursors)
    return paging.listed(request, found, found.next_cursor)


@router.post(
    "/{pair_id}/dismiss",
    response_model=Pair,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def dismiss_duplicate(pair_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Say that two records are not one: they are listed no more, whatever a sweep finds."""
    async with services.database.session(claims) as session:
        pair = await service.decide(session, pair_id, PairState.DISMISSED)
    return Response(pair.model_dump_json(), media_type="application/json")


@router.post(
    "/{pair_id}/reopen",
    response_model=Pair,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def reopen_duplicate(pair_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Take back that two records are not one."""
    async with services.database.session(claims) as session:
        pair = await service.decide(session, pair_id, PairState.OPEN)
    return Response(pair.model_dump_json(), media_type="application/json")
