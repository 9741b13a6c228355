"""A change as the feed tells it, and who may hear of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from cachetools import TTLCache

from gardenos.auth.api_keys import scopes
from gardenos.core.claims import Claims
from gardenos.core.errors import InvalidCursor
from gardenos.core.ids import AgencyId
from gardenos.core.page import CursorSigner
from gardenos.db import sql
from gardenos.db.session import Database

QUERIES = sql.load("gardenos.crm.feed")
KEPT_S = 10.0
"""How long it is kept what a role reads: as long may a narrower one take to be noticed."""

Position: TypeAlias = tuple[int, int]
"""A place in the feed: a transaction, and a change within it."""


@dataclass(frozen=True, slots=True)
class Change:
    """That a record was created, changed, deleted, restored or purged. No values: readers read them."""

    agency_id: AgencyId
    position: Position
    entity: str
    record_id: str
    verb: str
    at: datetime

    @classmethod
    def of(cls, row: Any) -> Change:
        """A row of the outbox."""
        position = row["txid"], row["seq"]
        return cls(
            AgencyId(row["agency_id"]),
            position,
            row["entity"],
            row["record_id"],
            row["verb"],
            row["at"],
        )

    def data(self) -> dict[str, str]:
        """What is told."""
        return {
            "entity": self.entity,
            "id": self.record_id,
            "verb": self.verb,
            "at": self.at.isoformat(),
        }

    def json(self) -> str:
        """What is told, as JSON."""
        return json.dumps(self.data(), separators=(",", ":"))


def seal(cursors: CursorSigner, agency_id: UUID, position: Position) -> str:
    """A position as clients hold it: opaque, and good for their agency alone."""
    return cursors.seal(f"events:{agency_id}", list(position))


def opened(cursors: CursorSigner, agency_id: UUID, sealed: str) -> Position:
    """The position in `sealed`. Raises `InvalidCursor` for none of this agency's."""
    match cursors.open(f"events:{agency_id}", sealed):
        case [int(txid), int(seq)]:
            return txid, seq
        case _:
            raise InvalidCursor


class Readers:
    """Who may hear of what.

    Where a role reads an entity all over the agency, nothing is asked for a change; else whoever
    follows hears of it if their own policies let them read the record.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._all: TTLCache[tuple[Any, ...], frozenset[str]] = TTLCache(4096, KEPT_S, clock)

    async def visible(self, claims: Claims, changes: Sequence[Change]) -> list[Change]:
        """Those of `changes` whose records these claims may read, in order."""
        if claims.scopes is not None:
            held = claims.scopes
            changes = [each for each in changes if scopes.allows(held, each.entity, "read")]
        if not changes:
            return []
        entities = frozenset(each.entity for each in changes)
        read_all = await self._read_by_all(claims, entities)
        asked = [each for each in changes if each.entity not in read_all]
        if not asked:
            return list(changes)
        async with self._database.session(claims) as session:
            rows = await session.fetch(
                QUERIES["find_readable"],
                [each.entity for each in asked],
                [each.record_id for each in asked],
            )
        seen = {asked[row["place"] - 1].position for row in rows}
        return [e for e in changes if e.entity in read_all or e.position in seen]

    async def _read_by_all(self, claims: Claims, entities: frozenset[str]) -> frozenset[str]:
        key = claims.agency_id, claims.user_role, claims.scopes, entities
        known = self._all.get(key)
        if known is None:
            async with self._database.session(claims) as session:
                rows = await session.fetch(QUERIES["find_read_by_all"], sorted(entities))
            known = self._all[key] = frozenset(row["name"] for row in rows)
        return known
