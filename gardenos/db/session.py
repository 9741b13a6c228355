"""A session is a permission: one transaction bound to verified claims and a PostgreSQL role."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import structlog

from gardenos.core.errors import DatabaseUnavailable, GardenOSError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from gardenos.core.claims import Claims

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Value: TypeAlias = int | str | bytes | UUID | Mapping[str, Any]
"""What can be written into a statement that goes together with another."""
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
_SPECIAL = re.compile(r'[^A-Za-z0-9 .,:;/_{}"\[\]@+=-]', re.ASCII)
_FIVE_DIGITS = 0x10000
_PARAMETER = re.compile(r"\$(\d+)")
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
    """One transaction. It begins with its first statement, and ends with the block that gave it.

    Every method raises `DatabaseUnavailable` where the server cannot be reached or goes away.
    """

    __slots__ = ("begin", "begun", "conn", "depth", "last")

    def __init__(self, conn: Connection, begin: str) -> None:
        self.conn = conn
        self.begin = begin
        self.begun = False
        self.depth = 0
        self.last: list[str] = []

    async def _begin(self) -> None:
        if not self.begun:
            self.begun = True
            await self.conn.execute(self.begin)

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """All rows."""
        with _reaching():
            await self._begin()
            return await self.conn.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        with _reaching():
            await self._begin()
            return await self.conn.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        with _reaching():
            await self._begin()
            return await self.conn.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement; its command tag."""
        with _reaching():
            await self._begin()
            return await self.conn.execute(query, *args)

    async def execute_first(self, query: str, *args: Value) -> str:
        """The same, together with BEGIN where the transaction has not begun: a round trip less."""
        if self.begun:
            return await self.execute(query, *args)
        self.begun = True
        with _reaching():
            return await self.conn.execute(f"{self.begin}; {_written_out(query, args)}")

    def execute_last(self, query: str, *args: Value) -> None:
        """Run a statement together with COMMIT: where it fails, nothing is stored."""
        self.last.append(_written_out(query, args))

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """What the block does takes effect as a whole, or where it raises not at all.

        The transaction goes on either way. What the block left for `execute_last` goes with it.
        """
        name = f"s{self.depth}"
        await self.execute_first(f"SAVEPOINT {name}")
        self.depth += 1
        kept = len(self.last)
        try:
            yield
        except Exception:
            del self.last[kept:]
            if not _is_gone(self.conn):
                await self.execute(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            raise
        else:
            await self.execute(f"RELEASE SAVEPOINT {name}")
        finally:
            self.depth -= 1


class TenantSession(Session):
    """A session bound to one agency by verified claims: what CRM and AI code takes."""

    __slots__ = ("claims",)

    def __init__(self, conn: Connection, begin: str, claims: Claims) -> None:
        super().__init__(conn, begin)
        self.claims = claims


S = TypeVar("S", bound=Session)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\{code:04x}" if code < _FIVE_DIGITS else f"\\+{code:06x}"


def _literal(value: Value) -> str:
    # Simple protocol takes no parameters, and one round trip is the point. A constant and no call of
    # a function: behind row-level security, no index would serve a condition with one.
    match value:
        case int():
            return str(int(value))
        case bytes():
            return f"{_literal(chr(92) + 'x' + value.hex())}::bytea"
        case UUID():
            return f"'{value}'::uuid"
        case str():
            # PostgreSQL refuses U&'' where a backslash could mean something else.
            return f"U&'{_SPECIAL.sub(_escape, value)}'"
        case _:
            return f"{_literal(json.dumps(dict(value)))}::jsonb"


def _written_out(query: str, args: Sequence[Value]) -> str:
    """A statement with its arguments in it. It has a `$` nowhere but in `$1`, `$2`, ..."""
    return _PARAMETER.sub(lambda found: _literal(args[int(found[1]) - 1]), query)


def _set(name: str, value: str) -> str:
    return f"set_config('{name}', {_literal(value)}, true)"


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
async def _transaction(pool: Pool, session_on: Callable[[Connection], S]) -> AsyncGenerator[S]:
    """A session on a connection of the pool; COMMIT, or ROLLBACK where the block raised."""
    with _reaching():
        conn = await pool.acquire()
    try:
        session = session_on(conn)
        try:
            yield session
            await _commit(session)
        except BaseException:
            # A BEGIN or COMMIT that was given up half-way may have left a transaction, too.
            if session.begun and not _is_gone(conn):
                with _reaching():
                    await conn.execute("ROLLBACK")
            raise
    finally:
        with _reaching():
            await pool.release(conn)


async def _commit(session: Session) -> None:
    statements = [*session.last, "COMMIT"]
    if not session.begun:
        if not session.last:
            return
        session.begun = True
        statements.insert(0, session.begin)
    with _reaching():
        ended = await session.conn.execute("; ".join(statements))
    # PostgreSQL answers a COMMIT with ROLLBACK where a statement before it had failed.
    if ended != "COMMIT":
        raise GardenOSError("Nothing was stored: a statement had failed and was passed over.")


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
        begin = _begin(role, claims.json)
        async with _transaction(self.pool, lambda c: TenantSession(c, begin, claims)) as session:
            yield session

    @asynccontextmanager
    async def system(self, role: Role) -> AsyncGenerator[Session]:
        """A transaction for one of the system's own roles (`WORKER`, `AUTH`), bound to no agency."""
        begin = _begin(role, "{}")
        async with _transaction(self.pool, lambda conn: Session(conn, begin)) as session:
            yield session
