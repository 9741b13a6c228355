"""Whether a running process may use its database: reachable, an unprivileged login, this schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Self

import asyncpg

from gardenos.core.claims import Claims
from gardenos.core.errors import DatabaseUnavailable
from gardenos.db import migrate
from gardenos.db.pool import SchemaOutdated, open_pool, refuse_privileged_role
from gardenos.db.session import UNREACHABLE, Database, Pool, Role, Session, TenantSession

_APPLIED = "SELECT number, checksum FROM app.migrations ORDER BY number"


class PatientDatabase(Database):
    """A database that need not answer yet: sessions fail until it does, and then it is checked.

    A process that starts during an outage so lives on and heals by itself, and still never acts
    under a login that could see every agency.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._checked = False
        self._checking = asyncio.Lock()
        self._failures = 0

    @classmethod
    async def open(cls, dsn: str, *, max_size: int, name: str) -> Self:
        """A pool on `dsn`, and a first try at the check.

        Raises `PrivilegedRole` where the login could bypass row-level security.
        """
        # No connection at the start: asking for one would make an outage an error here.
        database = cls(await open_pool(dsn, min_size=0, max_size=max_size, name=name))
        try:
            with suppress(DatabaseUnavailable):
                await database.check()
        except BaseException:
            await database.pool.close()
            raise
        return database

    async def check(self) -> None:
        """Make sure, once, that the login is unprivileged.

        Raises `PrivilegedRole`, `DatabaseUnavailable`.
        """
        failures = self._failures
        async with self._checking:
            if self._checked:
                return
            if self._failures > failures:
                # Found out while we waited; each to its own try would be a queue of time-outs.
                raise DatabaseUnavailable(retry_after_s=1)
            try:
                await refuse_privileged_role(self.pool)
            except UNREACHABLE as error:
                self._failures += 1
                raise DatabaseUnavailable(retry_after_s=1) from error
            self._checked = True

    @asynccontextmanager
    async def session(
        self, claims: Claims, *, role: Role = Role.AUTHENTICATED
    ) -> AsyncGenerator[TenantSession]:
        """See `Database`."""
        if not self._checked:
            await self.check()
        async with super().session(claims, role=role) as session:
            yield session

    @asynccontextmanager
    async def system(self, role: Role) -> AsyncGenerator[Session]:
        """See `Database`."""
        if not self._checked:
            await self.check()
        async with super().system(role) as session:
            yield session


async def require_schema(database: Database) -> None:
    """Raise `SchemaOutdated` unless every migration this version ships has been applied."""
    try:
        async with database.system(Role.WORKER) as session:
            rows = await session.fetch(_APPLIED)
    except asyncpg.PostgresError as error:
        raise SchemaOutdated from error
    if migrate.pending([(row["number"], row["checksum"]) for row in rows], migrate.available()):
        raise SchemaOutdated
