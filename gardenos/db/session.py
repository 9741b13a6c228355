"""A session is a permission: one transaction bound to verified claims and a PostgreSQL role."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from gardenos.core.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from gardenos.core.claims import Claims

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What asyncpg raises when the server is gone, going, or not the leader any more."""


class Role(StrEnum):
    """The PostgreSQL roles a transaction can take on; each sees what its policies allow."""

    AUTHENTICATED = "authenticated"
    """A signed-in member: the rows of their agency, by their claims."""
    AGENT = "gardenos_agent"
    """An agent at work on a task: the task's agency only, and may finish the task."""
    WORKER = "gardenos_worker"
    """The orchestrator: every agency's tasks, and nothing else."""
    AUTH = "gardenos_auth"
    """The built-in sign-in: schema `auth` and memberships."""


class Session:
    """One open transaction. It ends with the `async with` block that gave it."""

    __slots__ = ("conn",)

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """All rows."""
        return await self.conn.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        return await self.conn.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return await self.conn.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement; its command tag."""
        return await self.conn.execute(query, *args)


class TenantSession(Session):
    """A session bound to one agency by verified claims: what CRM and AI code takes."""

    __slots__ = ("claims",)

    def __init__(self, conn: Connection, claims: Claims) -> None:
        super().__init__(conn)
        self.claims = claims


def _begin(role: Role, claims_json: str) -> str:
    # Simple protocol takes no parameters, and one round trip is the point; hex cannot carry a quote.
    encoded = claims_json.encode().hex()
    return (
        "BEGIN; SELECT set_config('request.jwt.claims', "
        f"convert_from(decode('{encoded}', 'hex'), 'UTF8'), true), "
        f"set_config('role', '{role.value}', true)"
    )


@asynccontextmanager
async def _transaction(pool: Pool, role: Role, claims_json: str) -> AsyncGenerator[Connection]:
    """BEGIN with role and claims in one round trip; COMMIT, or ROLLBACK where the block raised."""
    try:
        async with pool.acquire() as conn:
            await conn.execute(_begin(role, claims_json))
            try:
                yield conn
            except BaseException:
                if not conn.is_closed():
                    await conn.execute("ROLLBACK")
                raise
            else:
                await conn.execute("COMMIT")
    except UNREACHABLE as error:
        raise DatabaseUnavailable(retry_after_s=1) from error
    except asyncpg.InterfaceError as error:
        if "closed" in str(error) or "closing" in str(error):
            raise DatabaseUnavailable(retry_after_s=1) from error
        raise


class Database:
    """Opens sessions on a pool. Whoever holds it can act for anyone: keep it at the edges."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    @asynccontextmanager
    async def session(
        self, claims: Claims, *, role: Role = Role.AUTHENTICATED
    ) -> AsyncGenerator[TenantSession]:
        """A transaction that sees and changes what these claims allow, and nothing else.

        Raises `DatabaseUnavailable` where the server cannot be reached or goes away.
        """
        async with _transaction(self.pool, role, claims.json) as conn:
            yield TenantSession(conn, claims)

    @asynccontextmanager
    async def system(self, role: Role) -> AsyncGenerator[Session]:
        """A transaction for one of the system's own roles (`WORKER`, `AUTH`), bound to no agency."""
        async with _transaction(self.pool, role, "{}") as conn:
            yield Session(conn)
