"""The plans of the statements behind a request, as they run under its sender's claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx
from asyncpg.exceptions import PostgresSyntaxError

from gardenos.cli import database
from gardenos.db.pool import open_database
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

    from tests.support.garden import Garden


async def plans(
    garden: Garden, *, method: str, path: str, body: str, token: str
) -> list[tuple[str, str]]:
    """Statement and plan of everything that a request asks of PostgreSQL; it changes nothing."""
    settings = garden.home.settings()
    dsn = database.plan(garden.home, settings).app_dsn
    opened = await open_database(dsn, min_size=1, max_size=1, name="bench-plans")
    asked: list[tuple[str, Sequence[Any]]] = []

    def noted(query: LoggedQuery) -> None:
        # What asyncpg asks for itself, about types, is none of the request's.
        if "typeinfo_tree" not in query.query and "set_config('jit'" not in query.query:
            asked.append((query.query, query.args or ()))

    try:
        services = compose(settings, opened)
        async with opened.pool.acquire() as conn:
            conn.add_query_logger(noted)
        transport = httpx.ASGITransport(create_api(services))
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
            await client.request(method, path, headers=headers, content=body or None)
        async with opened.pool.acquire() as conn:
            conn.remove_query_logger(noted)
            return await _explained(conn, asked)
    finally:
        await opened.pool.close()


async def _explained(
    conn: Any, asked: Sequence[tuple[str, Sequence[Any]]]
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for query, args in asked:
        if query.startswith(("BEGIN", "START")):
            await conn.execute(query)
        elif not query.startswith("COMMIT") and "lease_tokens" not in query:
            try:
                rows = await conn.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {query}", *args)
            except PostgresSyntaxError:
                continue  # no statement that has a plan
            found.append((query, "\n".join(row[0] for row in rows)))
    await conn.execute("ROLLBACK")
    return found
