from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from gardenos.db import snapshot

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection, PostgresServer


def test_the_snapshot_is_what_the_migrations_make(
    server: PostgresServer, database_name: str
) -> None:
    kept = snapshot.FILE.read_text("utf-8").splitlines()
    made = snapshot.dump(server.admin(database_name)).splitlines()
    difference = "\n".join(
        difflib.unified_diff(kept, made, "schema.sql", "migrations", lineterm="")
    )
    assert not difference, (
        f"Run `python -m gardenos.db.snapshot` and review the difference:\n{difference}"
    )


async def test_the_snapshot_shows_every_policy_and_grant(
    server: PostgresServer, database_name: str, admin: AdminConnection
) -> None:
    before = snapshot.dump(server.admin(database_name))
    await admin.execute("DROP POLICY leads_select ON leads")
    await admin.execute("GRANT DELETE ON leads TO authenticated")
    after = snapshot.dump(server.admin(database_name))
    changed = {
        line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"
    }
    assert any("CREATE POLICY leads_select" in line for line in changed)
    assert any("GRANT" in line and "DELETE" in line for line in changed)


def test_two_dumps_of_one_schema_are_equal(server: PostgresServer, database_name: str) -> None:
    dsn = server.admin(database_name)
    assert snapshot.dump(dsn) == snapshot.dump(dsn)
