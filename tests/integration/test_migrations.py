"""Migrations run once, in order, one run at a time, and say what keeps them from it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from gardenos.core.errors import DatabaseUnavailable
from gardenos.db import migrate
from gardenos.db.embedded import EmbeddedPostgres, ensure_database
from gardenos.db.migrate import Migration, MigrationError
from gardenos.db.pool import open_database
from gardenos.db.readiness import require_schema

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection, PostgresServer

SHIPPED = migrate.available()
BEFORE_SEARCH = 16
"""The last migration before counts and search, which take in what is there."""
GOOD = Migration(len(SHIPPED) + 1, "create_things", "CREATE TABLE things (id integer)")
BAD = Migration(
    len(SHIPPED) + 2, "break_things", "ALTER TABLE things ADD name text; SELECT no_such_function()"
)


@pytest.fixture
async def empty(server: PostgresServer) -> AsyncGenerator[str]:
    """A database with nothing in it; its name."""
    name = f"t_{uuid4().hex[:16]}"
    await ensure_database(server.admin("postgres"), name)
    yield name
    maintenance = await asyncpg.connect(server.admin("postgres"))
    try:
        await maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await maintenance.close()


@pytest.fixture
def bare() -> Generator[tuple[EmbeddedPostgres, str]]:
    """A server that has no roles of ours, and its superuser's password."""
    folder = Path(tempfile.mkdtemp(prefix="gos-"))
    folder.chmod(0o711)
    postgres, password = EmbeddedPostgres(folder / "pg"), secrets.token_hex(16)
    try:
        postgres.initialise(password)
        postgres.start({"fsync": "off"})
        yield postgres, password
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def applied(admin: AdminConnection) -> list[int]:
    rows = await admin.fetch("SELECT number FROM app.migrations ORDER BY number")
    return [row["number"] for row in rows]


async def test_a_second_run_applies_nothing(server: PostgresServer, database_name: str) -> None:
    assert await migrate.migrate(server.admin(database_name)) == []


async def test_progress_names_each_one(server: PostgresServer, empty: str) -> None:
    told: list[Migration] = []
    assert await migrate.migrate(server.admin(empty), on_progress=told.append) == SHIPPED
    assert told == SHIPPED


async def test_runs_at_once_apply_each_migration_once(server: PostgresServer, empty: str) -> None:
    runs = await asyncio.gather(*(migrate.migrate(server.admin(empty)) for _ in range(4)))
    assert sorted(runs, key=len) == [[], [], [], SHIPPED]


async def test_a_failing_migration_is_undone_and_named_and_those_before_it_stay(
    server: PostgresServer, database_name: str, admin: AdminConnection
) -> None:
    dsn = server.admin(database_name)
    with pytest.raises(MigrationError, match=r"break_things failed and was undone: .*no_such"):
        await migrate.migrate(dsn, shipped=[*SHIPPED, GOOD, BAD])
    assert await applied(admin) == [m.number for m in (*SHIPPED, GOOD)]
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0"
    assert await admin.fetchval(columns) == 1
    mended = Migration(BAD.number, BAD.name, "ALTER TABLE things ADD name text")
    assert await migrate.migrate(dsn, shipped=[*SHIPPED, GOOD, mended]) == [mended]
    assert await admin.fetchval("SELECT tableowner FROM pg_tables WHERE tablename = 'things'") == (
        "gardenos_owner"
    )


async def test_an_edited_migration_is_refused_before_anything_is_applied(
    server: PostgresServer, database_name: str, admin: AdminConnection
) -> None:
    first, *rest = SHIPPED
    edited = Migration(first.number, first.name, first.sql + "\n-- One more word.")
    with pytest.raises(MigrationError, match="0001_create_claims was applied with another text"):
        await migrate.migrate(server.admin(database_name), shipped=[edited, *rest, GOOD])
    assert await applied(admin) == [m.number for m in SHIPPED]


def test_an_edited_migration_is_refused() -> None:
    shipped = [Migration(1, "create_things", "SELECT 1")]
    with pytest.raises(MigrationError, match="another text"):
        migrate.pending([(1, "0" * 64)], shipped)


def test_a_database_from_the_future_is_refused() -> None:
    with pytest.raises(MigrationError, match="does not know"):
        migrate.pending([(7, "0" * 64)], [])


def test_the_migrations_shipped_are_numbered_without_a_gap() -> None:
    assert [m.number for m in SHIPPED] == list(range(1, len(SHIPPED) + 1))


async def test_a_login_that_may_not_migrate_is_told_what_it_lacks(
    server: PostgresServer, database_name: str
) -> None:
    with pytest.raises(MigrationError, match="has to be a superuser, or to own the database"):
        await migrate.migrate(server.app(database_name))


async def test_a_wrong_password_is_a_sentence(server: PostgresServer) -> None:
    with pytest.raises(MigrationError, match="refused the admin login"):
        await migrate.migrate(server.postgres.dsn("postgres", "wrong"))


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    nobody = EmbeddedPostgres(tmp_path).dsn("postgres", "none")
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        await migrate.migrate(nobody)


@pytest.mark.parametrize("password", ["it's", "back\\slash", "$$; DROP ROLE x; --", "ü ☃"])
async def test_the_apps_login_gets_its_password_whatever_it_is(
    server: PostgresServer, database_name: str, password: str
) -> None:
    dsn = server.admin(database_name)
    try:
        await migrate.migrate(dsn, app_password=password)
        database = await open_database(
            server.postgres.dsn("gardenos_app", password, database=database_name), name="test"
        )
        await database.pool.close()
    finally:
        await migrate.migrate(dsn, app_password=server.app_password)


async def test_an_admin_that_is_no_superuser_can_migrate_a_database_it_owns(
    bare: tuple[EmbeddedPostgres, str],
) -> None:
    postgres, password = bare
    root = await asyncpg.connect(postgres.dsn("postgres", password, database="postgres"))
    try:
        await root.execute("CREATE ROLE manager LOGIN CREATEROLE PASSWORD 'secret'")
        await root.execute("CREATE DATABASE crm OWNER manager")
    finally:
        await root.close()
    manager = postgres.dsn("manager", "secret", database="crm")
    assert await migrate.migrate(manager, app_password="of the app") == SHIPPED
    assert await migrate.migrate(manager, app_password="of the app") == []
    app = postgres.dsn("gardenos_app", "of the app", database="crm")
    database = await open_database(app, name="test")
    try:
        await require_schema(database)
    finally:
        await database.pool.close()


async def test_what_is_there_already_is_counted_and_found(
    server: PostgresServer, empty: str
) -> None:
    """Of every agency, though the migrations run as an owner whom policies bind."""
    dsn = server.admin(empty)
    await migrate.migrate(dsn, shipped=[one for one in SHIPPED if one.number <= BEFORE_SEARCH])
    admin: AdminConnection = await asyncpg.connect(dsn)
    try:
        for name in ("Ada", "Grace"):
            agency = await admin.fetchval(
                "INSERT INTO agencies (name) VALUES ($1) RETURNING id", name
            )
            await admin.execute(
                "INSERT INTO leads (agency_id, last_name) VALUES ($1, $2)", agency, name
            )
            await admin.execute("INSERT INTO companies (agency_id, name) VALUES ($1, 'Co')", agency)
        await migrate.migrate(dsn)
        counted = await admin.fetch("SELECT entity, n FROM app.record_counts ORDER BY entity")
        assert [tuple(row) for row in counted] == [*[("companies", 1)] * 2, *[("leads", 1)] * 2]
        words = await admin.fetch("SELECT word FROM app.search_words ORDER BY word")
        assert [row["word"] for row in words] == ["ada", "grace"]
        assert await admin.fetchval("SELECT count(*) FROM app.search_documents") == 4
        forced = "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname = 'leads'"
        assert await admin.fetchval(forced)
    finally:
        await admin.close()
