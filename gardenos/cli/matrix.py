"""The default permissions as the table of docs/permissions.md.

`python -m gardenos.cli.matrix` writes it into the page, from the migrations.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from gardenos.db import migrate, sql
from gardenos.db.embedded import EmbeddedPostgres, ensure_database
from gardenos.db.pool import open_database
from gardenos.db.session import Database, Role

PAGE: Final = Path(__file__).parents[2] / "docs" / "permissions.md"
BEGIN: Final = "<!-- matrix -->\n"
END: Final = "<!-- end of matrix -->\n"
QUERIES = sql.load("gardenos.crm.agencies.permissions")
_VERBS: Final = ("read", "create", "update", "delete")


async def defaults(database: Database) -> list[Mapping[str, Any]]:
    """Every default: role, entity, verb, scope, and whether the entity's records have owners."""
    async with database.system(Role.WORKER) as session:
        return [dict(row) for row in await session.fetch(QUERIES["list_defaults"])]


def printed(rows: Iterable[Mapping[str, Any]]) -> str:
    """The defaults as a table: a line for each entity and role, a column for each verb."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        cells.setdefault((row["entity"], row["role"]), {})[row["verb"]] = row["scope"]
    lines = [
        f"| entity | role | {' | '.join(_VERBS)} |",
        f"|---|---|{'---|' * len(_VERBS)}",
        *(
            f"| `{entity}` | {role} | {' | '.join(scopes[verb] for verb in _VERBS)} |"
            for (entity, role), scopes in cells.items()
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def replaced(page: str, table: str) -> str:
    """The page with this table between its marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{begin}{table}{end}{tail}"


async def _of_migrations(server: EmbeddedPostgres, admin: str, app: str) -> str:
    await ensure_database(server.dsn("postgres", admin, database="postgres"))
    await migrate.migrate(server.dsn("postgres", admin), app_password=app)
    database = await open_database(server.dsn("gardenos_app", app), min_size=1, name="matrix")
    try:
        return printed(await defaults(database))
    finally:
        await database.pool.close()


def take() -> str:
    """The table of a fresh database that all migrations were applied to."""
    with tempfile.TemporaryDirectory(prefix="gos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "pg")
        password = secrets.token_hex(16)
        server.initialise(password)
        server.start({"fsync": "off"})
        try:
            return asyncio.run(_of_migrations(server, password, secrets.token_hex(16)))
        finally:
            server.stop()


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), take()), "utf-8")
    sys.stdout.write(f"{PAGE} has the defaults that the migrations make.\n")
