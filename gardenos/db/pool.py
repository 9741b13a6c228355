"""The connection pool, and the refusal to run as a role that could see every agency."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

from gardenos.core.errors import DatabaseUnavailable, GardenOSError
from gardenos.db.session import UNREACHABLE, Database, Pool


class PrivilegedRole(GardenOSError):
    """The database login can bypass row-level security. Use the `gardenos_app` role instead."""

    code = "privileged-role"


class SchemaOutdated(GardenOSError):
    """The database has no GardenOS schema, or an older one. Run `gardenos migrate` first."""

    code = "schema-outdated"


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


async def _prepare_connection(conn: asyncpg.Connection[asyncpg.Record]) -> None:
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=_dump, decoder=json.loads, schema="pg_catalog")


async def _keep_connection(_conn: asyncpg.Connection[asyncpg.Record]) -> None:
    """Nothing session-scoped is ever set, so asyncpg's reset would be a wasted round trip."""


async def open_pool(dsn: str, *, min_size: int, max_size: int, name: str) -> Pool:
    """A pool on `dsn`; `name` shows in pg_stat_activity. Raises `DatabaseUnavailable`."""
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=_prepare_connection,
            reset=_keep_connection,
            timeout=5,
            command_timeout=60,
            max_inactive_connection_lifetime=300,
            server_settings={"application_name": name, "jit": "off"},
        )
    except UNREACHABLE as error:
        raise DatabaseUnavailable(f"The database does not answer: {error}") from error


# The login counts, not the role it begins as: a superuser who is told `?role=gardenos_app` can
# always go back. An owner can take policies off, or put another app.agency_id() under them.
_PRIVILEGES = """
WITH login AS (SELECT * FROM pg_roles WHERE rolname = session_user),
ours AS (SELECT oid, nspowner FROM pg_namespace WHERE nspname IN ('public', 'auth', 'app'))
SELECT rolname, rolsuper, rolbypassrls,
       EXISTS (SELECT FROM pg_roles r
                WHERE (r.rolsuper OR r.rolbypassrls OR r.rolname IN (
                         'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
                  AND pg_has_role(login.oid, r.oid, 'MEMBER')) AS can_become,
       EXISTS (SELECT FROM (SELECT nspowner AS owner FROM ours
                            UNION SELECT relowner FROM pg_class JOIN ours ON relnamespace = ours.oid
                            UNION SELECT proowner FROM pg_proc JOIN ours ON pronamespace = ours.oid)
                WHERE pg_has_role(login.oid, owner, 'MEMBER')) AS owns
  FROM login
"""


async def refuse_privileged_role(pool: Pool) -> None:
    """Raise `PrivilegedRole` where the login could read past row-level security."""
    async with pool.acquire() as conn:
        row = await conn.fetchrow(_PRIVILEGES)
    if row is None:
        raise PrivilegedRole
    if row["rolsuper"] or row["rolbypassrls"] or row["can_become"] or row["owns"]:
        raise PrivilegedRole(
            f"The database login {row['rolname']!r} can bypass row-level security (superuser, "
            "BYPASSRLS, access to the server's files, or owner of schemas, tables or functions). "
            "Point GARDENOS_DATABASE_URL at a login that is a plain member of authenticated, "
            "gardenos_agent, gardenos_worker and gardenos_auth, as `gardenos migrate` sets up."
        )


async def open_database(dsn: str, *, min_size: int = 2, max_size: int = 10, name: str) -> Database:
    """The pool for the app, checked: reachable and unprivileged."""
    pool = await open_pool(dsn, min_size=min_size, max_size=max_size, name=name)
    try:
        await refuse_privileged_role(pool)
    except BaseException:
        await pool.close()
        raise
    return Database(pool)
