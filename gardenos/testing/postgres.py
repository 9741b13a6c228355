"""A real PostgreSQL for tests: migrated once into a template, cloned for each test."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg

from gardenos.core.claims import Claims, UserRole
from gardenos.core.ids import AgencyId, UserId
from gardenos.db import migrate
from gardenos.db.embedded import EmbeddedPostgres, ensure_database

AdminConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TEMPLATE = "template_gardenos"
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server with the migrated template database in it."""

    postgres: EmbeddedPostgres
    admin_password: str
    app_password: str

    def admin(self, database: str) -> str:
        """The superuser's connection string: to arrange, and to look past the policies."""
        return self.postgres.dsn("postgres", self.admin_password, database=database)

    def app(self, database: str) -> str:
        """The app's own, unprivileged connection string."""
        return self.postgres.dsn("gardenos_app", self.app_password, database=database)

    @asynccontextmanager
    async def clone(self) -> AsyncGenerator[str]:
        """A fresh migrated database; its name. Dropped at the end."""
        name = f"t_{uuid4().hex[:16]}"
        admin = await asyncpg.connect(self.admin("postgres"))
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
            yield name
        finally:
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await admin.close()


@contextmanager
def running_server() -> Generator[PostgresServer]:
    """An embedded server in a temporary folder, without the durability a test does not need."""
    folder = Path(tempfile.mkdtemp(prefix="gos-"))
    folder.chmod(0o711)
    server = PostgresServer(
        EmbeddedPostgres(folder / "pg"), secrets.token_hex(16), secrets.token_hex(16)
    )
    try:
        server.postgres.initialise(server.admin_password)
        server.postgres.start(_NOT_DURABLE)
        asyncio.run(_make_template(server))
        yield server
    finally:
        server.postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _make_template(server: PostgresServer) -> None:
    await ensure_database(server.admin("postgres"), TEMPLATE)
    await migrate.migrate(server.admin(TEMPLATE), app_password=server.app_password)


async def make_member(
    admin: AdminConnection,
    *,
    role: UserRole = UserRole.OWNER,
    agency_id: AgencyId | None = None,
    operator: bool = False,
) -> Claims:
    """A new user in an agency (a new one unless given): their claims."""
    if agency_id is None:
        agency_id = AgencyId(
            await admin.fetchval("INSERT INTO agencies (name) VALUES ('Test') RETURNING id")
        )
    email = f"{uuid4().hex}@example.org"
    user_id = UserId(
        await admin.fetchval("INSERT INTO auth.users (email) VALUES ($1) RETURNING id", email)
    )
    await admin.execute(
        "INSERT INTO members (agency_id, user_id, role) VALUES ($1, $2, $3)",
        agency_id,
        user_id,
        role.value,
    )
    return Claims.of(user_id, agency_id, role, email=email, operator=operator)
