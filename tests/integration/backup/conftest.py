"""A server of its own, a place for its backups, and a restore of them into a new folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import pytest

from gardenos.backup import server as servers
from gardenos.backup.store import Place, Store
from gardenos.testing.postgres import TEMPLATE, PostgresServer, memory, running_server

if TYPE_CHECKING:
    from gardenos.backup.restore import Restored
    from gardenos.backup.server import Server
    from gardenos.testing.postgres import AdminConnection

Running: TypeAlias = "Callable[[Restored], AbstractAsyncContextManager[AdminConnection]]"


async def write(conn: AdminConnection, name: str, rows: int = 100) -> datetime:
    """Write rows, each in a transaction of its own; a moment after the last of them."""
    for _ in range(rows):
        await conn.execute("INSERT INTO agencies (name) VALUES ($1)", name)
    return await conn.fetchval("SELECT clock_timestamp()")


async def written(conn: AdminConnection) -> dict[str, int]:
    """How many rows there are of each name."""
    rows = await conn.fetch("SELECT name, count(*) FROM agencies GROUP BY name ORDER BY name")
    return {row["name"]: row["count"] for row in rows}


async def fill_segments(conn: AdminConnection, segments: int) -> None:
    """Have the log go on in a new segment so often."""
    for _ in range(segments):
        await conn.execute("CREATE TABLE IF NOT EXISTS filler (n integer)")
        await conn.execute("INSERT INTO filler VALUES (1)")
        await conn.fetchval("SELECT pg_switch_wal()")


@dataclass(frozen=True)
class Origin:
    """The server that is backed up."""

    postgres: PostgresServer

    @property
    def dsn(self) -> str:
        return self.postgres.admin(TEMPLATE)

    async def describe(self, conn: AdminConnection) -> Server:
        return await servers.describe(conn, self.dsn)


@pytest.fixture(scope="module")
def origin() -> Generator[Origin]:
    """A server with our schema, of the tests of one file."""
    with running_server() as postgres:
        yield Origin(postgres)


@pytest.fixture
async def conn(origin: Origin) -> AsyncGenerator[AdminConnection]:
    conn = await asyncpg.connect(origin.dsn)
    # A commit is in the log before it is acknowledged, as everywhere but on servers for tests.
    await conn.execute("SET synchronous_commit = on")
    try:
        yield conn
    finally:
        await servers.release_log(conn)
        await conn.close()


@contextmanager
def enterable_folder() -> Generator[Path]:
    """A folder that PostgreSQL's own user may enter, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="gos-", dir=memory()))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@pytest.fixture
def folder() -> Generator[Path]:
    with enterable_folder() as made:
        yield made


@pytest.fixture
def store(folder: Path) -> Store:
    return Place(url=str(folder / "store")).open()


@pytest.fixture
def running(origin: Origin) -> Running:
    """Starts a restored server, as it will be used, for the block."""

    @asynccontextmanager
    async def start(server: Restored) -> AsyncGenerator[AdminConnection]:
        server.start({"fsync": "off"})
        try:
            password = origin.postgres.admin_password
            conn = await asyncpg.connect(server.dsn("postgres", password, database=TEMPLATE))
            try:
                await conn.execute("SET synchronous_commit = on")
                yield conn
            finally:
                await conn.close()
        finally:
            server.stop()

    return start
