"""A process may start before its database, and never works on a login or a schema that is not fit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from gardenos.core.errors import DatabaseUnavailable
from gardenos.db import migrate
from gardenos.db.migrate import MigrationError
from gardenos.db.pool import PrivilegedRole, SchemaOutdated, open_database
from gardenos.db.readiness import PatientDatabase, require_schema
from gardenos.db.session import Role
from gardenos.testing.postgres import TEMPLATE, PostgresServer, running_server

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection


@pytest.fixture
def absent() -> Generator[PostgresServer]:
    """A server of its own, which does not run."""
    with running_server() as server:
        server.postgres.stop()
        yield server


@asynccontextmanager
async def patient(dsn: str) -> AsyncGenerator[PatientDatabase]:
    database = await PatientDatabase.open(dsn, max_size=2, name="test")
    try:
        yield database
    finally:
        await database.pool.close()


async def test_a_process_outlives_an_outage_it_was_started_in(absent: PostgresServer) -> None:
    with pytest.raises(DatabaseUnavailable):
        await open_database(absent.app(TEMPLATE), name="test")
    async with patient(absent.app(TEMPLATE)) as fit, patient(absent.admin(TEMPLATE)) as unfit:
        for database in (fit, unfit):
            with pytest.raises(DatabaseUnavailable):
                async with database.system(Role.WORKER):
                    pytest.fail("there is nothing to have a session on")
        await asyncio.to_thread(absent.postgres.start)
        await require_schema(fit)
        # Checked now that it can be, before the first statement.
        with pytest.raises(PrivilegedRole):
            async with unfit.system(Role.WORKER):
                pytest.fail("a superuser has got a session")
        await asyncio.to_thread(absent.postgres.stop)
        with pytest.raises(DatabaseUnavailable):
            await require_schema(fit)
        await asyncio.to_thread(absent.postgres.start)
        async with fit.system(Role.WORKER) as session:
            assert await session.fetchval("SELECT count(*) FROM agent_tasks") == 0


async def test_those_who_wait_for_a_database_that_hangs_wait_together() -> None:
    asked = 0
    reached, hung_up = asyncio.Event(), asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        reached.set()
        await hung_up.wait()
        writer.close()

    async def ask(database: PatientDatabase) -> None:
        async with database.system(Role.WORKER):
            pytest.fail("there is nothing to have a session on")

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        hung_up.set()
        async with patient(f"postgresql://nobody@127.0.0.1:{port}/x?sslmode=disable") as database:
            reached.clear()
            hung_up.clear()
            asking = [asyncio.create_task(ask(database)) for _ in range(10)]
            await reached.wait()
            hung_up.set()
            answers = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    assert asked == 2  # once by opening


async def test_a_schema_that_is_current_will_do(db: Database) -> None:
    await require_schema(db)


async def test_a_schema_that_lacks_a_migration_will_not_do(
    db: Database, admin: AdminConnection
) -> None:
    await admin.execute(
        "DELETE FROM app.migrations WHERE number = $1", migrate.available()[-1].number
    )
    with pytest.raises(SchemaOutdated, match="gardenos migrate"):
        await require_schema(db)


async def test_a_database_without_a_schema_of_ours_will_not_do(
    db: Database, admin: AdminConnection
) -> None:
    await admin.execute("DROP SCHEMA app CASCADE")
    with pytest.raises(SchemaOutdated):
        await require_schema(db)


async def test_a_schema_of_a_newer_version_is_named_as_such(
    db: Database, admin: AdminConnection
) -> None:
    await admin.execute("INSERT INTO app.migrations VALUES (9999, 'from_the_future', '')")
    with pytest.raises(MigrationError, match="migration 9999, which this version does not know"):
        await require_schema(db)
