"""What may be done about pairs, in the caller's session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from gardenos.core.errors import NotFound
from gardenos.core.page import CursorSigner
from gardenos.crm.duplicates.models import One, Pair, PairPage, PairQuery, PairState
from gardenos.crm.duplicates.sweep import QUERIES
from gardenos.crm.likeness.keys import KINDS
from gardenos.crm.likeness.service import hidden_reasons
from gardenos.db.session import TenantSession
from gardenos.web import paging


async def find(session: TenantSession, query: PairQuery, cursors: CursorSigner) -> PairPage:
    """Pairs both of whose records the caller reads, those found last first. Raises `InvalidCursor`."""
    scope = f"duplicates:{session.claims.agency_id}:{query.state}:{query.entity}"
    before = paging.opened(cursors, scope, query.cursor)
    entity = None if query.entity is None else query.entity.value
    rows = await session.fetch(
        QUERIES["list_pairs"], query.state.value, entity, before, query.limit + 1
    )
    found, cursor = paging.cut(await _pairs(session, rows), query, cursors, scope)
    return PairPage(items=found, next_cursor=cursor)


async def get(session: TenantSession, pair_id: UUID) -> Pair:
    """A pair. Raises `NotFound`, also where the caller does not read both records."""
    row = await session.fetchrow(QUERIES["get_pair"], pair_id)
    if row is None:
        raise NotFound(f"There is no pair {pair_id} here.")
    [pair] = await _pairs(session, [row])
    return pair


async def decide(session: TenantSession, pair_id: UUID, state: PairState) -> Pair:
    """Say that two records are not one, or take that back. Raises `NotFound`, `Forbidden`."""
    session.claims.require_writer()
    await get(session, pair_id)
    await session.execute(QUERIES["decide_pair"], pair_id, state.value, session.claims.sub)
    return await get(session, pair_id)


async def _pairs(session: TenantSession, rows: Sequence[Any]) -> list[Pair]:
    """With titles, and without the reasons that a role must not learn of."""
    wanted: defaultdict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        wanted[row["entity"]] |= {row["first_id"], row["second_id"]}
    titles: dict[UUID, str] = {}
    unseen: dict[str, set[str]] = {}
    for noun, ids in wanted.items():
        kind = KINDS[noun]
        for record in await session.fetch(QUERIES[f"titles_of_{noun}"], list(ids)):
            seen = {k: v for k, v in record.items() if k not in record["hidden"]}
            titles[record["id"]] = kind.title(seen)
            unseen[noun] = hidden_reasons(kind, record["hidden"])
    return [_pair(row, titles, unseen[row["entity"]]) for row in rows]


def _pair(row: Any, titles: dict[UUID, str], unseen: set[str]) -> Pair:
    values = dict(row)
    ids = (values.pop("first_id"), values.pop("second_id"))
    values["reasons"] = [reason for reason in values["reasons"] if reason not in unseen]
    return Pair.model_validate(values | {"records": [One(id=i, title=titles[i]) for i in ids]})
