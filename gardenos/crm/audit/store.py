"""The audit log in PostgreSQL, always in the caller's session."""

from __future__ import annotations

from datetime import datetime

from gardenos.crm.audit.models import Entry, EntryQuery
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.audit")


async def find(
    session: TenantSession,
    query: EntryQuery,
    *,
    limit: int,
    after: tuple[datetime, int] | None,
) -> list[Entry]:
    """The entries that match, newest first, those behind the entry `after` (time, id)."""
    rows = await session.fetch(
        QUERIES["list_entries"],
        query.entity,
        query.record_id,
        query.actor,
        query.verb,
        query.request_id,
        query.at_gte,
        query.at_lt,
        *(after or (None, None)),
        limit,
    )
    return [Entry.model_validate(dict(row)) for row in rows]


async def is_readable(session: TenantSession) -> bool:
    """Whether the session's role reads the log."""
    return await session.fetchval(QUERIES["read_scope"]) == "agency"
