"""Every row of an agency, as it is stored, and what in it is nobody else's business."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gardenos.testing.postgres import AdminConnection

if TYPE_CHECKING:
    from gardenos.core.ids import AgencyId

UUIDS: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TABLES: Final = """
SELECT c.oid::regclass::text AS name, quote_ident(a.attname) AS key
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND a.attname = CASE c.oid WHEN 'public.agencies'::regclass THEN 'id' ELSE 'agency_id' END
 ORDER BY name
"""


@dataclass(frozen=True)
class Rows:
    """The rows of one agency, by table: each with where its version is stored, and its text."""

    by_table: dict[str, list[tuple[Any, ...]]]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Table and text of every row."""
        return [(table, row[2]) for table, rows in self.by_table.items() for row in rows]

    @property
    def ids(self) -> frozenset[str]:
        """Every UUID in them."""
        return frozenset(found for _, text in self.texts for found in UUIDS.findall(text))

    @property
    def empty(self) -> set[str]:
        """The tables without a row."""
        return {table for table, rows in self.by_table.items() if not rows}

    def changed(self, now: Rows) -> list[str]:
        """The tables in which something is another than it was."""
        return [table for table in self.by_table if self.by_table[table] != now.by_table[table]]


async def rows_of(admin: AdminConnection, agency_id: AgencyId) -> Rows:
    """All that the agency has, past every policy."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name, key in await admin.fetch(_TABLES):
        # Names from the catalog, quoted there.
        query = f"SELECT xmin, ctid, t::text FROM {name} t WHERE {key} = $1"  # noqa: S608
        found[name] = sorted(tuple(row) for row in await admin.fetch(query, agency_id))
    return Rows(found)
