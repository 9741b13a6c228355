"""What may be done with deals besides the usual, in the caller's session and under its claims."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from gardenos.core.errors import Conflict, InvalidContent
from gardenos.core.page import CursorSigner
from gardenos.crm.deals import store
from gardenos.crm.deals.entity import DEALS
from gardenos.crm.deals.models import Board, Closing, DealStagePage, DealStatus, Reopening
from gardenos.crm.pipelines.entity import PIPELINES
from gardenos.crm.records import pages, service
from gardenos.crm.records.models import PageQuery
from gardenos.crm.records.service import Stored
from gardenos.db.session import TenantSession


def _no_stage(asked: UUID | None, kind: DealStatus) -> Conflict | InvalidContent:
    if asked is None:
        return Conflict(
            f"The deal's pipeline has no stage of the kind `{kind}`. "
            "Give it one by PUT /v1/pipelines/{id}/stages."
        )
    detail = f"is no stage of the kind {kind} in the deal's pipeline"
    return InvalidContent(errors=[{"pointer": "/stage_id", "detail": detail}])


async def close(
    session: TenantSession,
    deal_id: UUID,
    kind: DealStatus,
    how: Closing,
    *,
    versions: Sequence[int] | None,
) -> Stored:
    """Win or lose a deal. Raises `NotFound`, `PreconditionFailed`, `Forbidden`.

    Raises `Conflict` where its pipeline has no stage for that, `InvalidContent` where the stage asked
    for is none.
    """
    place = await store.end(session, deal_id, kind, how.stage_id)
    if place is None:
        await service.get(session, DEALS, deal_id)
        raise _no_stage(how.stage_id, kind)
    # With its pipeline, which is the deal's: what is said whole nobody has to look up.
    values = {**place._asdict(), "close_reason": how.reason}
    return await service.change(session, DEALS, deal_id, values, versions=versions)


async def reopen(
    session: TenantSession, deal_id: UUID, where: Reopening, *, versions: Sequence[int] | None
) -> Stored:
    """Go on with a deal that was won or lost. Raises `Conflict` for one that is open.

    Raises `NotFound`, `PreconditionFailed`, `Forbidden`, `InvalidContent`.
    """
    deal = await service.get(session, DEALS, deal_id)
    if deal.values.get("status") == DealStatus.OPEN:
        raise Conflict("The deal is open. A change of its `stage_id` moves it.")
    place = await store.way_back(session, deal_id, where.stage_id)
    if place is None:
        raise _no_stage(where.stage_id, DealStatus.OPEN)
    return await service.change(session, DEALS, deal_id, place._asdict(), versions=versions)


async def history(
    session: TenantSession, deal_id: UUID, query: PageQuery, cursors: CursorSigner
) -> DealStagePage:
    """Where a deal has stood, newest first. Raises `NotFound`, `InvalidCursor`."""
    scope = f"deal-stages:{session.claims.agency_id}:{deal_id}"
    before = pages.before(cursors, scope, query)
    found = await store.history(session, deal_id, limit=query.limit + 1, before=before)
    if not found:
        await service.get(session, DEALS, deal_id)
    page = pages.page(cursors, scope, query, found)
    return DealStagePage(items=list(page.items), next_cursor=page.next_cursor)


async def board(session: TenantSession, pipeline_id: UUID) -> Board:
    """A pipeline at a glance. Raises `NotFound`."""
    stages = await store.board(session, pipeline_id)
    if not stages:
        await service.get(session, PIPELINES, pipeline_id)
    return Board(items=stages)
