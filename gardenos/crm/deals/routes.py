"""`/v1/deals`: the standard routes, a deal's end and history, and the board of a pipeline."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.claims import Claims
from gardenos.core.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidCursor,
    NotFound,
    PreconditionFailed,
)
from gardenos.crm.deals import service
from gardenos.crm.deals.entity import DEALS
from gardenos.crm.deals.models import Board, Closing, Deal, DealStagePage, DealStatus, Reopening
from gardenos.crm.records import routes
from gardenos.crm.records.models import PageQuery
from gardenos.web import conditional, idempotency, problems
from gardenos.web.conditional import OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

router = routes.router(DEALS)
boards = APIRouter(prefix="/v1/pipelines", tags=["pipelines"], route_class=StrictRoute)
_MOVED: Final[dict[int | str, dict[str, Any]]] = problems.responses(
    *problems.COMMON,
    *problems.BODY,
    NotFound,
    Conflict,
    IdempotencyKeyReused,
    PreconditionFailed,
) | {200: {"headers": {**routes.ETAG, **idempotency.RESPONSE_HEADERS}}}


async def _close(
    request: Request,
    services: Services,
    claims: Claims,
    *,
    deal_id: UUID,
    kind: DealStatus,
    how: Closing,
    if_match: str | None,
    key: str | None,
) -> Response:
    versions = conditional.optional_versions(if_match)
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            return routes.record(
                await service.close(session, deal_id, kind, how, versions=versions)
            )

        return await idempotency.once(session, key, seen, effect)


@router.post("/{deal_id}/win", response_model=Deal, responses=_MOVED)
async def win_deal(  # noqa: PLR0917 FastAPI passes them by name
    deal_id: UUID,
    how: Closing,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: OptionalIfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Move a deal into its pipeline's won stage, and say why."""
    return await _close(
        request,
        services,
        claims,
        deal_id=deal_id,
        kind=DealStatus.WON,
        how=how,
        if_match=if_match,
        key=key,
    )


@router.post("/{deal_id}/lose", response_model=Deal, responses=_MOVED)
async def lose_deal(  # noqa: PLR0917 FastAPI passes them by name
    deal_id: UUID,
    how: Closing,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: OptionalIfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Move a deal into its pipeline's lost stage, and say why."""
    return await _close(
        request,
        services,
        claims,
        deal_id=deal_id,
        kind=DealStatus.LOST,
        how=how,
        if_match=if_match,
        key=key,
    )


@router.post("/{deal_id}/reopen", response_model=Deal, responses=_MOVED)
async def reopen_deal(  # noqa: PLR0917 FastAPI passes them by name
    deal_id: UUID,
    where: Reopening,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: OptionalIfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Move a deal that was won or lost back into the open stage it was in last."""
    versions = conditional.optional_versions(if_match)
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            return routes.record(await service.reopen(session, deal_id, where, versions=versions))

        return await idempotency.once(session, key, seen, effect)


@router.get(
    "/{deal_id}/stages",
    response_model=DealStagePage,
    responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
    | {200: {"headers": routes.LINK}},
)
async def list_deal_stages(
    deal_id: UUID,
    page: Annotated[PageQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List where a deal has stood and what it was worth then, newest first."""
    async with services.database.session(claims) as session:
        found = await service.history(session, deal_id, page, services.cursors)
    return routes.listed(request, found.model_dump())


@boards.get(
    "/{pipeline_id}/board",
    response_model=Board,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def read_board(pipeline_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Board:
    """Read a pipeline at a glance: for each stage how many deals, and what they are worth."""
    async with services.database.session(claims) as session:
        return await service.board(session, pipeline_id)
