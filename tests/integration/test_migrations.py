from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gardenos.db import migrate
from gardenos.db.migrate import Migration, MigrationError
from gardenos.db.pool import PrivilegedRole, open_database

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import PostgresServer


async def test_a_second_run_applies_nothing(server: PostgresServer, database_name: str) -> None:
    assert await migrate.migrate(server.admin(database_name)) == []


async def test_start_up_refuses_a_superuser(server: PostgresServer, database_name: str) -> None:
    with pytest.raises(PrivilegedRole, match="row-level security"):
        await open_database(server.admin(database_name), name="test")


def test_an_edited_migration_is_refused() -> None:
    shipped = [Migration(1, "create_things", "SELECT 1")]
    with pytest.raises(MigrationError, match="another text"):
        migrate.pending([(1, "0" * 64)], shipped)


def test_a_database_from_the_future_is_refused() -> None:
    with pytest.raises(MigrationError, match="does not know"):
        migrate.pending([(7, "0" * 64)], [])


async def test_a_session_sees_only_its_agency(
    db: Database, owner: Claims, stranger: Claims
) -> None:
    async with db.session(owner) as session:
        await session.execute("INSERT INTO leads (agency_id) VALUES ($1)", owner.agency_id)
        assert await session.fetchval("SELECT count(*) FROM leads") == 1
    async with db.session(stranger) as session:
        assert await session.fetchval("SELECT count(*) FROM leads") == 0
