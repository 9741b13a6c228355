"""Timelines of records, in the caller's session and under its claims."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from gardenos.core.errors import InvalidCursor
from gardenos.core.page import CursorSigner
from gardenos.crm.records import Entity, service
from gardenos.crm.records.models import PageQuery
from gardenos.crm.timeline.models import Entry, Timeline
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.timeline")
_KEY: Final[TypeAdapter[tuple[datetime, str, str]]] = TypeAdapter(tuple[datetime, str, str])


async def read(
    session: TenantSession,
    entity: Entity,
    record_id: UUID,
    query: PageQuery,
    cursors: CursorSigner,
) -> Timeline:
    """What happened with a record, newest first. Raises `NotFound`, `InvalidCursor`."""
    scope = f"timeline:{session.claims.agency_id}:{entity.noun}:{record_id}"
    after: tuple[Any, ...] = (None, None, None)
    if query.cursor is not None:
        try:
            after = _KEY.validate_python(cursors.open(scope, query.cursor))
        except ValidationError:
            raise InvalidCursor from None
    limit = query.limit
    rows = await session.fetch(QUERIES["read_timeline"], entity.noun, record_id, *after, limit + 1)
    if not rows:
        await service.get(session, entity, record_id)
    items = [Entry.model_validate(dict(row)) for row in rows[:limit]]
    cursor = None
    if len(rows) > limit:
        last = items[-1]
        cursor = cursors.seal(scope, [last.at.isoformat(), last.kind, last.id])
    return Timeline(items=items, next_cursor=cursor)
