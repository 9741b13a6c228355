"""What may be read of the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gardenos.core.errors import Forbidden, InvalidCursor
from gardenos.core.page import CursorSigner
from gardenos.crm.audit import store
from gardenos.crm.audit.models import EntryPage, EntryQuery
from gardenos.db.session import TenantSession


def _opened(key: Sequence[Any]) -> tuple[datetime, int]:
    match key:
        case [str(at), int(entry_id)]:
            return datetime.fromisoformat(at), entry_id
        case _:
            raise InvalidCursor


async def find(session: TenantSession, query: EntryQuery, cursors: CursorSigner) -> EntryPage:
    """One page of the entries that match, newest first.

    Raises `Forbidden` for a role that does not read the log, `InvalidCursor`.
    """
    scope = f"audit:{session.claims.agency_id}:{query.scope()}"
    after = None if query.cursor is None else _opened(cursors.open(scope, query.cursor))
    found = await store.find(session, query, limit=query.limit + 1, after=after)
    # Asked only where there is nothing to show: the policy shows nothing to who may not read.
    if not found and not await store.is_readable(session):
        raise Forbidden("Your role does not read the audit log. Ask an owner of your agency.")
    items = found[: query.limit]
    more = len(found) > query.limit
    cursor = cursors.seal(scope, [items[-1].at.isoformat(), items[-1].id]) if more else None
    return EntryPage(items=items, next_cursor=cursor)
