"""Which logins a process starts on: the app's own, and none that could pass by the policies."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from gardenos.db.pool import PrivilegedRole, open_database
from gardenos.db.readiness import PatientDatabase
from gardenos.db.session import Role

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection, PostgresServer

APP = "gardenos_app"
MEMBER_OF = {"anon", "authenticated", "gardenos_agent", "gardenos_worker", "gardenos_auth"}
# With all that other roles bring along.
MEMBERSHIPS = """
WITH RECURSIVE reached AS (
  SELECT roleid, admin_option FROM pg_auth_members WHERE member = $1::regrole
  UNION
  SELECT m.roleid, m.admin_option FROM pg_auth_members m JOIN reached ON m.member = reached.roleid
)
SELECT roleid::regrole::text AS role, admin_option FROM reached
"""
OWNED = """
SELECT classid::regclass::text, objid FROM pg_shdepend
 WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1::regrole AND deptype = 'o'
"""
Make: TypeAlias = Callable[[str], Awaitable[str]]


@pytest.fixture
async def make_login(
    server: PostgresServer, database_name: str, admin: AdminConnection
) -> AsyncGenerator[Make]:
    """Makes a login of which a statement says more; its connection string. Gone at the end."""
    made: list[str] = []

    async def run(statement: str, name: str) -> None:
        await admin.execute(
            await admin.fetchval("SELECT format($1::text, $2::text)", statement, name)
        )

    async def make(more: str) -> str:
        name, password = f"login_{uuid4().hex[:12]}", secrets.token_hex(8)
        made.append(name)
        await run(f"CREATE ROLE %1$I LOGIN PASSWORD '{password}'", name)
        await run(more, name)
        return server.postgres.dsn(name, password, database=database_name)

    yield make
    for name in made:
        await run("REASSIGN OWNED BY %1$I TO postgres; DROP OWNED BY %1$I; DROP ROLE %1$I", name)


PRIVILEGED = {
    "superuser": "ALTER ROLE %1$I SUPERUSER",
    "bypasses": "ALTER ROLE %1$I BYPASSRLS",
    "may become a superuser": "GRANT postgres TO %1$I WITH INHERIT FALSE",
    "reads the server's files": "GRANT pg_read_server_files TO %1$I",
    "runs programs": "GRANT pg_execute_server_program TO %1$I",
    "may become the owner": "GRANT gardenos_owner TO %1$I WITH INHERIT FALSE",
    "owns a table": "ALTER TABLE leads OWNER TO %1$I",
    "owns a function of the policies": "ALTER FUNCTION app.agency_id() OWNER TO %1$I",
    "owns a schema": "ALTER SCHEMA auth OWNER TO %1$I",
    "begins as the app's role": "ALTER ROLE %1$I SUPERUSER; ALTER ROLE %1$I SET role = 'gardenos_app'",
}


@pytest.mark.parametrize("more", PRIVILEGED.values(), ids=PRIVILEGED)
async def test_a_login_that_could_pass_by_the_policies_is_refused(
    make_login: Make, more: str
) -> None:
    dsn = await make_login(more)
    with pytest.raises(PrivilegedRole, match="can bypass row-level security"):
        await open_database(dsn, name="test")
    with pytest.raises(PrivilegedRole, match="can bypass row-level security"):
        await PatientDatabase.open(dsn, max_size=1, name="test")


async def test_a_superuser_is_refused_whatever_role_the_url_begins_with(
    server: PostgresServer, database_name: str
) -> None:
    dsn = server.admin(database_name)
    for url in (dsn, f"{dsn}&role=gardenos_app", f"{dsn}&options=-crole%3Dgardenos_app"):
        with pytest.raises(PrivilegedRole, match="'postgres' can bypass"):
            await open_database(url, name="test")


async def test_a_plain_login_is_taken(make_login: Make) -> None:
    plain = await make_login("GRANT authenticated, gardenos_worker TO %1$I WITH INHERIT FALSE")
    for opening in (
        open_database(plain, name="test"),
        PatientDatabase.open(plain, max_size=1, name="test"),
    ):
        database = await opening
        try:
            async with database.system(Role.WORKER) as session:
                assert await session.fetchval("SELECT current_user::text") == Role.WORKER
        finally:
            await database.pool.close()


async def test_the_apps_login_may_do_nothing_by_itself(admin: AdminConnection) -> None:
    login = await admin.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit"
        " FROM pg_roles WHERE rolname = $1",
        APP,
    )
    assert login is not None
    assert [name for name, value in login.items() if value] == []


async def test_the_apps_login_takes_on_the_roles_of_the_app_and_no_other(
    server: PostgresServer, database_name: str, admin: AdminConnection
) -> None:
    reached = await admin.fetch(MEMBERSHIPS, APP)
    assert {row["role"] for row in reached} == MEMBER_OF
    assert not any(row["admin_option"] for row in reached)
    app = await asyncpg.connect(server.app(database_name))
    try:
        for (role,) in await admin.fetch("SELECT rolname FROM pg_roles"):
            if role in MEMBER_OF | {APP}:
                await app.fetchval("SELECT set_config('role', $1, false)", role)
                continue
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="set role"):
                await app.fetchval("SELECT set_config('role', $1, false)", role)
    finally:
        await app.close()


async def test_nothing_that_the_app_can_be_owns_anything_or_bypasses(
    admin: AdminConnection,
) -> None:
    assert await admin.fetch(OWNED, "gardenos_owner")
    for role in (APP, *MEMBER_OF):
        assert await admin.fetch(OWNED, role) == [], role
    bypassing = await admin.fetch("SELECT rolname FROM pg_roles WHERE rolsuper OR rolbypassrls")
    assert not {name for (name,) in bypassing} & {APP, *MEMBER_OF}
