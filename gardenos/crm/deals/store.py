"""What hangs on deals in PostgreSQL, always in the caller's session."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from gardenos.crm.deals.models import BoardStage, DealStage, DealStatus
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.deals")


class Place(NamedTuple):
    """Where a deal stands."""

    pipeline_id: UUID
    stage_id: UUID


async def end(
    session: TenantSession, deal_id: UUID, kind: DealStatus, stage_id: UUID | None
) -> Place | None:
    """The stage of the deal's pipeline in which it ends; None where there is none of the kind."""
    row = await session.fetchrow(QUERIES["find_end"], deal_id, kind, stage_id)
    return Place(row["pipeline_id"], row["stage_id"]) if row else None


async def way_back(session: TenantSession, deal_id: UUID, stage_id: UUID | None) -> Place | None:
    """The open stage in which the deal goes on; None where there is none."""
    row = await session.fetchrow(QUERIES["find_way_back"], deal_id, stage_id)
    return Place(row["pipeline_id"], row["stage_id"]) if row else None


async def history(
    session: TenantSession, deal_id: UUID, *, limit: int, before: UUID | None
) -> list[DealStage]:
    """Where a deal has stood, newest first."""
    rows = await session.fetch(QUERIES["list_deal_stages"], deal_id, before, limit)
    return [DealStage.model_validate(dict(row)) for row in rows]


async def board(session: TenantSession, pipeline_id: UUID) -> list[BoardStage]:
    """The stages of a pipeline with the deals in them."""
    rows = await session.fetch(QUERIES["read_board"], pipeline_id)
    return [BoardStage.model_validate(dict(row)) for row in rows]
