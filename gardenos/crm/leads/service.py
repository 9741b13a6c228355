"""What may be done with leads, in the caller's session and under its claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from gardenos.core.errors import (
    Conflict,
    InvalidContent,
    InvalidCursor,
    NotFound,
    PreconditionFailed,
)
from gardenos.core.ids import LeadId
from gardenos.core.page import CursorSigner
from gardenos.crm.leads import store
from gardenos.crm.leads.models import (
    MAX_CUSTOM_KEYS,
    FollowUpPage,
    Lead,
    LeadChanges,
    LeadPage,
    LeadQuery,
    LeadScorePage,
    LeadSort,
    NewLead,
    PageQuery,
)
from gardenos.db.session import TenantSession

T = TypeVar("T")


def _missing(lead_id: LeadId) -> NotFound:
    return NotFound(f"There is no lead {lead_id} here. It may have been deleted.")


def _taken(external_id: Any) -> Conflict:
    return Conflict(
        f"Another lead, perhaps a deleted one, has the external_id {external_id!r}.",
        errors=[{"pointer": "/external_id", "detail": "is taken"}],
    )


async def _require_member(session: TenantSession, fields: Mapping[str, Any]) -> None:
    owner = fields.get("owner_id")
    if owner is not None and not await store.is_member(session, UUID(owner)):
        raise InvalidContent(errors=[{"pointer": "/owner_id", "detail": "is no member here"}])


async def create(session: TenantSession, new: NewLead) -> Lead:
    """Store a lead. Raises `Conflict` where its `external_id` is taken."""
    session.claims.require_writer()
    fields = new.given()
    await _require_member(session, fields)
    lead = await store.create(session, fields)
    if lead is None:
        raise _taken(new.external_id)
    return lead


async def get(session: TenantSession, lead_id: LeadId) -> Lead:
    """A lead. Raises `NotFound`, also for another agency's and for a deleted one."""
    lead = await store.get(session, lead_id)
    if lead is None:
        raise _missing(lead_id)
    return lead


async def change(
    session: TenantSession, lead_id: LeadId, changes: LeadChanges, versions: Sequence[int] | None
) -> Lead:
    """Change a lead that is at one of `versions` (None: any).

    Raises `NotFound`, `PreconditionFailed` for another version, `Conflict` where the new
    `external_id` is taken.
    """
    session.claims.require_writer()
    fields = changes.given()
    custom = fields.pop("custom", {})
    await _require_member(session, fields)
    try:
        lead = await store.change(session, lead_id, fields, custom=custom, versions=versions)
    except asyncpg.UniqueViolationError:
        raise _taken(changes.external_id) from None
    if lead is None:
        await get(session, lead_id)
        raise PreconditionFailed
    if len(lead.custom) > MAX_CUSTOM_KEYS:
        detail = f"would hold more than {MAX_CUSTOM_KEYS} values"
        raise InvalidContent(errors=[{"pointer": "/custom", "detail": detail}])
    return lead


async def delete(session: TenantSession, lead_id: LeadId, versions: Sequence[int] | None) -> None:
    """Mark a lead deleted. Raises `NotFound`, `PreconditionFailed` for another version."""
    session.claims.require_writer()
    if not await store.delete(session, lead_id, versions=versions):
        await get(session, lead_id)
        raise PreconditionFailed


async def restore(session: TenantSession, lead_id: LeadId) -> Lead:
    """Undo a deletion; a lead that is not deleted stays as it is. Raises `NotFound`."""
    session.claims.require_writer()
    return await store.restore(session, lead_id) or await get(session, lead_id)


def _key(lead: Lead, sort: LeadSort) -> list[Any]:
    match sort:
        case LeadSort.CREATED | LeadSort.CREATED_DESC:
            return [str(lead.id), lead.created_at.isoformat()]
        case LeadSort.UPDATED | LeadSort.UPDATED_DESC:
            return [str(lead.id), lead.updated_at.isoformat()]
        case LeadSort.SCORE | LeadSort.SCORE_DESC:
            return [str(lead.id), -1 if lead.quality_score is None else lead.quality_score]


def _opened(key: Sequence[Any]) -> tuple[LeadId, store.SortKey]:
    match key:
        case [str(found), str(moment)]:
            return LeadId(UUID(found)), datetime.fromisoformat(moment)
        case [str(found), int(score)]:
            return LeadId(UUID(found)), score
        case _:
            raise InvalidCursor


def _cut(found: list[T], page: PageQuery, seal: Callable[[T], str]) -> tuple[list[T], str | None]:
    items = found[: page.limit]
    return items, seal(items[-1]) if len(found) > page.limit else None


async def find(session: TenantSession, query: LeadQuery, cursors: CursorSigner) -> LeadPage:
    """One page of the leads that match. Raises `InvalidCursor` for one of another list."""
    scope = f"leads:{session.claims.agency_id}:{query.scope()}"
    after = None if query.cursor is None else _opened(cursors.open(scope, query.cursor))
    found = await store.find(session, query, limit=query.limit + 1, after=after)
    items, cursor = _cut(found, query, lambda last: cursors.seal(scope, _key(last, query.sort)))
    total = await store.count(session, query) if query.total else None
    return LeadPage(items=items, next_cursor=cursor, total=total)


def _before(cursors: CursorSigner, scope: str, cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    match cursors.open(scope, cursor):
        case [str(found)]:
            return UUID(found)
        case _:
            raise InvalidCursor


async def scores(
    session: TenantSession, lead_id: LeadId, page: PageQuery, cursors: CursorSigner
) -> LeadScorePage:
    """Analyses of a lead, newest first. Raises `NotFound`, `InvalidCursor`."""
    await get(session, lead_id)
    scope = f"scores:{session.claims.agency_id}:{lead_id}"
    before = _before(cursors, scope, page.cursor)
    found = await store.scores(session, lead_id, limit=page.limit + 1, before=before)
    items, cursor = _cut(found, page, lambda last: cursors.seal(scope, [str(last.id)]))
    return LeadScorePage(items=items, next_cursor=cursor)


async def follow_ups(
    session: TenantSession, lead_id: LeadId, page: PageQuery, cursors: CursorSigner
) -> FollowUpPage:
    """Messages drafted for a lead, newest first. Raises `NotFound`, `InvalidCursor`."""
    await get(session, lead_id)
    scope = f"follow-ups:{session.claims.agency_id}:{lead_id}"
    before = _before(cursors, scope, page.cursor)
    found = await store.follow_ups(session, lead_id, limit=page.limit + 1, before=before)
    items, cursor = _cut(found, page, lambda last: cursors.seal(scope, [str(last.id)]))
    return FollowUpPage(items=items, next_cursor=cursor)
