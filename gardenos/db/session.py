"""A session is a permission: one transaction bound to verified claims and a PostgreSQL role."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import structlog

from gardenos.core.errors import DatabaseUnavailable, GardenOSError

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
    # A server's farewell to an idle connection was read and its end was not: the next statement
    # finds the connection busy with nothing.
    asyncpg.InternalClientError,
)
"""What asyncpg raises when the server is gone, going, or not the leader any more."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_GONE = ("closed", "closing", "released back to the pool")
"""How it says the same of a connection or pool; a pool takes back what is cut between statements."""


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


@contextmanager
def _reaching() -> Generator[None]:
    """Turn what asyncpg raises for a server out of reach into `DatabaseUnavailable`.

    Only around asyncpg's own calls: what else fails in a transaction, such as reading a file, says
    nothing about the database.
    """
    try:
        yield
    except UNREACHABLE as error:
        raise DatabaseUnavailable(retry_after_s=1) from error
    except asyncpg.InterfaceError as error:
        if any(word in str(error) for word in _GONE):
            raise DatabaseUnavailable(retry_after_s=1) from error
        raise


class Session:
    """One open transaction. It ends with the `async with` block that gave it.

    Every method raises `DatabaseUnavailable` where the server cannot be reached or goes away.
    """

    __slots__ = ("conn",)

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """All rows."""
        with _reaching():
            return await self.conn.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        with _reaching():
            return await self.conn.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        with _reaching():
            return await self.conn.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement; its command tag."""
        with _reaching():
            return await self.conn.execute(query, *args)


class TenantSession(Session):
    """A session bound to one agency by verified claims: what CRM and AI code takes."""

    __slots__ = ("claims",)

    def __init__(self, conn: Connection, claims: Claims) -> None:
        super().__init__(conn)
        self.claims = claims


def _set(name: str, value: str) -> str:
    # Simple protocol takes no parameters, and one round trip is the point; hex cannot carry a quote.
    text = f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"
    return f"set_config('{name}', {text}, true)"


def _begin(role: Role, claims_json: str) -> str:
    settings = [_set("request.jwt.claims", claims_json)]
    # What the log calls the request, for the audit log to call it the same.
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
        settings.append(_set("gardenos.request_id", request_id))
    settings.append(f"set_config('role', '{role.value}', true)")
    return f"BEGIN; SELECT {', '.join(settings)}"


def _is_gone(conn: Connection) -> bool:
    try:
        return conn.is_closed()
    except asyncpg.InterfaceError:
        return True


@asynccontextmanager
async def _transaction(pool: Pool, role: Role, claims_json: str) -> AsyncGenerator[Connection]:
    """BEGIN with role and claims in one round trip; COMMIT, or ROLLBACK where the block raised."""
    with _reaching():
        conn = await pool.acquire()
    try:
        try:
            with _reaching():
                await conn.execute(_begin(role, claims_json))
            yield conn
            with _reaching():
                ended = await conn.execute("COMMIT")
        except BaseException:
            # A BEGIN or COMMIT that was given up half-way may have left a transaction, too.
            if not _is_gone(conn):
                with _reaching():
                    await conn.execute("ROLLBACK")
            raise
        # PostgreSQL answers a COMMIT with ROLLBACK where a statement before it had failed.
        if ended != "COMMIT":
            raise GardenOSError("Nothing was stored: a statement had failed and was passed over.")
    finally:
        with _reaching():
            await pool.release(conn)


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
