"""Leads in PostgreSQL, always in the caller's session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from gardenos.core.ids import LeadId
from gardenos.crm.leads.models import FollowUp, Lead, LeadQuery, LeadScore, LeadSort
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.leads")
SortKey: TypeAlias = datetime | int

_LISTS: Mapping[LeadSort, str] = {
    LeadSort.CREATED: "list_by_created",
    LeadSort.CREATED_DESC: "list_by_created_desc",
    LeadSort.UPDATED: "list_by_updated",
    LeadSort.UPDATED_DESC: "list_by_updated_desc",
    LeadSort.SCORE: "list_by_score",
    LeadSort.SCORE_DESC: "list_by_score_desc",
}


def _lead(row: asyncpg.Record) -> Lead:
    return Lead.model_validate(dict(row))


async def create(session: TenantSession, fields: Mapping[str, Any]) -> Lead | None:
    """Store a lead; None where its `external_id` is taken."""
    claims = session.claims
    row = await session.fetchrow(QUERIES["create_lead"], claims.agency_id, claims.sub, dict(fields))
    return _lead(row) if row else None


async def get(session: TenantSession, lead_id: LeadId) -> Lead | None:
    """A lead; None for a deleted one, another agency's, or none at all."""
    row = await session.fetchrow(QUERIES["get_lead"], lead_id)
    return _lead(row) if row else None


async def change(
    session: TenantSession,
    lead_id: LeadId,
    fields: Mapping[str, Any],
    *,
    custom: Mapping[str, Any],
    versions: Sequence[int] | None,
) -> Lead | None:
    """Set `fields`, merge `custom`; None where no such lead is at one of `versions` (None: any).

    Raises asyncpg's `UniqueViolationError` where the new `external_id` is taken.
    """
    row = await session.fetchrow(
        QUERIES["change_lead"], lead_id, dict(fields), dict(custom), versions
    )
    return _lead(row) if row else None


async def delete(
    session: TenantSession, lead_id: LeadId, *, versions: Sequence[int] | None
) -> bool:
    """Mark a lead deleted; False where no such lead is at one of `versions` (None: any)."""
    return await session.execute(QUERIES["delete_lead"], lead_id, versions) == "UPDATE 1"


async def restore(session: TenantSession, lead_id: LeadId) -> Lead | None:
    """Undo a deletion; None where there is no deleted lead of that id."""
    row = await session.fetchrow(QUERIES["restore_lead"], lead_id)
    return _lead(row) if row else None


async def is_member(session: TenantSession, user_id: UUID) -> bool:
    """Whether the user belongs to the session's agency."""
    return bool(await session.fetchval(QUERIES["is_member"], user_id))


def _filters(query: LeadQuery) -> list[Any]:
    return [
        query.status,
        query.source,
        query.email,
        query.q,
        query.quality_score_gte,
        query.quality_score_lte,
        query.created_at_gte,
        query.created_at_lt,
        query.include_deleted,
    ]


async def find(
    session: TenantSession,
    query: LeadQuery,
    *,
    limit: int,
    after: tuple[LeadId, SortKey] | None,
) -> list[Lead]:
    """The leads that match, in order, at most `limit`, those behind the row `after` (id, key)."""
    args = [*_filters(query), limit, *(after or (None, None))]
    return [_lead(row) for row in await session.fetch(QUERIES[_LISTS[query.sort]], *args)]


async def count(session: TenantSession, query: LeadQuery) -> int:
    """How many leads match."""
    return int(await session.fetchval(QUERIES["count_leads"], *_filters(query)))


async def scores(
    session: TenantSession, lead_id: LeadId, *, limit: int, before: UUID | None
) -> list[LeadScore]:
    """Analyses of a lead, newest first."""
    rows = await session.fetch(QUERIES["list_scores"], lead_id, before, limit)
    return [LeadScore.model_validate(dict(row)) for row in rows]


async def follow_ups(
    session: TenantSession, lead_id: LeadId, *, limit: int, before: UUID | None
) -> list[FollowUp]:
    """Messages drafted for a lead, newest first."""
    rows = await session.fetch(QUERIES["list_follow_ups"], lead_id, before, limit)
    return [FollowUp.model_validate(dict(row)) for row in rows]
