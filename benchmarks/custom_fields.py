"""Filters and sorts on custom fields: an index on an expression beside rows kept for lists.

Both behind row-level security, as a member of the agency: the plan PostgreSQL takes, and its time.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from dataclasses import dataclass
from typing import Annotated, Any, Final

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from gardenos.core.claims import Claims
from gardenos.testing.postgres import AdminConnection, PostgresServer, make_member, running_server

console = Console()
FILL: Final = """
INSERT INTO leads (agency_id, last_name, custom)
SELECT $1, 'n' || n, jsonb_build_object('region', 'r' || n % 1000, 'visits', n * 7919 % $2)
  FROM generate_series(1, $2) AS n
"""
DEFINE: Final = """
INSERT INTO custom_fields (agency_id, entity, key, label, kind)
VALUES ($1, 'leads', 'region', 'Region', 'text'), ($1, 'leads', 'visits', 'Visits', 'number')
"""
EXPRESSIONS: Final = """
CREATE INDEX by_region ON leads (agency_id, (custom ->> 'region'), id);
CREATE INDEX by_visits ON leads (agency_id, ((custom -> 'visits')::numeric), id) WHERE deleted_at IS NULL;
"""
QUERIES: Final = {
    "filter, expression": """SELECT id FROM leads WHERE deleted_at IS NULL AND custom ->> 'region' = 'r7'
      ORDER BY created_at DESC, id DESC LIMIT 51""",
    "filter, kept rows": """SELECT id FROM leads WHERE deleted_at IS NULL AND id IN (
      SELECT v.record_id FROM custom_values v WHERE v.slot = 'text' AND v.text_value = 'r7'
         AND v.field_id = (SELECT f.id FROM custom_fields f
              WHERE f.entity = 'leads' AND f.key = 'region')
      )
      ORDER BY created_at DESC, id DESC LIMIT 51""",
    "sort, expression": """SELECT id FROM leads WHERE deleted_at IS NULL
      ORDER BY (custom -> 'visits')::numeric, id LIMIT 51""",
    "sort, kept rows": """SELECT l.id FROM leads l JOIN custom_values v ON v.record_id = l.id
         AND v.slot = 'number'
         AND v.ordinal = 0
         AND v.field_id = (SELECT f.id FROM custom_fields f
              WHERE f.entity = 'leads' AND f.key = 'visits')
       WHERE l.deleted_at IS NULL ORDER BY v.number_value, v.record_id LIMIT 51""",
}


@dataclass(frozen=True)
class Measured:
    """One statement: its plan, and its execution times in milliseconds."""

    plan: str
    times: list[float]


async def measure(conn: AdminConnection, claims: Claims, query: str, *, runs: int) -> Measured:
    """Run a statement as a member."""
    async with conn.transaction():
        await conn.execute("SELECT set_config('request.jwt.claims', $1, true)", claims.json)
        await conn.execute("SET LOCAL ROLE authenticated")
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN (COSTS OFF) {query}"))
        times: list[float] = []
        for _ in range(runs):
            [(found,)] = await conn.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
            report: list[dict[str, Any]] = json.loads(found)
            times.append(report[0]["Execution Time"])
    return Measured(plan, times)


async def _timed(conn: AdminConnection, query: str, *args: Any) -> float:
    began = asyncio.get_running_loop().time()
    await conn.execute(query, *args)
    return asyncio.get_running_loop().time() - began


async def compare(server: PostgresServer, leads: int, runs: int) -> None:
    """Fill an agency, and print what each statement does."""
    async with server.clone() as name:
        conn = await asyncpg.connect(server.admin(name))
        try:
            claims = await make_member(conn)
            await conn.execute("SELECT set_config('request.jwt.claims', $1, false)", claims.json)
            plain = await _timed(conn, FILL, claims.agency_id, leads)
            defined = await _timed(conn, DEFINE, claims.agency_id)
            await conn.execute(EXPRESSIONS)
            await conn.execute("ANALYZE")
            found = {
                what: await measure(conn, claims, query, runs=runs)
                for what, query in QUERIES.items()
            }
            await conn.execute("DROP INDEX by_region; DROP INDEX by_visits; DELETE FROM leads")
            kept = await _timed(conn, FILL, claims.agency_id, leads)
        finally:
            await conn.close()
    table = Table("what", "median ms", "max ms")
    for what, one in found.items():
        table.add_row(what, f"{statistics.median(one.times):.2f}", f"{max(one.times):.2f}")
        console.print(f"\n{what}\n{one.plan}", highlight=False, soft_wrap=True)
    console.print(table)
    console.print(
        f"{leads:,} leads stored in {plain:.1f} s without definitions, {kept:.1f} s with two; "
        f"two fields defined over them in {defined:.1f} s"
    )


def main(
    leads: Annotated[int, typer.Option(min=100)] = 100_000,
    runs: Annotated[int, typer.Option(min=1)] = 9,
) -> None:
    """Compare on an embedded PostgreSQL of its own."""
    with running_server() as server:
        asyncio.run(compare(server, leads, runs))


if __name__ == "__main__":
    typer.run(main)
