"""Agencies are kept apart in every table that there is, and the sweep that says so can fail."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from gardenos.auth.operators import ensure_operator
from gardenos.db import migrate
from gardenos.db.embedded import binary
from gardenos.db.migrate import Migration
from gardenos.db.session import Role

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import AgencyId
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

ROWS = Path(__file__).with_name("rows.sql").read_text("utf-8")
PAGE = (Path(__file__).parents[2] / "docs" / "row-level-security.md").read_text("utf-8")
NEW_TABLE, AS_A_MEMBER = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
LOGIN = "gardenos_app"
TENANTS = (Role.AUTHENTICATED, Role.AGENT)
ACROSS_AGENCIES: Mapping[str, set[str]] = {
    "gardenos_worker": {
        "agencies",
        "agent_tasks",
        "app.likeness_keys",
        "app.likeness_swept",
        "app.record_count_changes",
        "app.record_counts",
        "app.search_documents",
        "app.search_words",
        "app.search_words_gone",
        "attachments",
        "bulk_jobs",
        "companies",
        "contacts",
        "custom_fields",
        "custom_values",
        "deals",
        "dispatch_limits",
        "dispatch_pauses",
        "duplicates",
        "follow_ups",
        "idempotency_keys",
        "import_chunks",
        "imports",
        "lead_scores",
        "leads",
        "llm_calls",
        "llm_spend",
        "merges",
        "outbox",
        "pipelines",
        "tags",
        "task_schedules",
        "tasks",
        "views",
        "webhook_deliveries",
        "webhooks",
    },
    "gardenos_search": {"app.search_documents", "app.search_words"},
    "gardenos_auth": {"agencies", "api_keys", "invitations", "members"},
    "supabase_auth_admin": {"members"},
}
"""The roles that row-level security does not hold to one agency, and all they may touch."""
WRITTEN_FOR_ALL = {
    "audit_log_record",
    "outbox_record",
    "record_count_changes_record",
    "search_documents_record",
    "search_words_gone_record",
    "search_words_record",
}
"""What the owner's trigger puts in for every agency, also where there are no claims, as in purging."""
SAMPLES: Mapping[str, Any] = {
    "uuid": "00000000-0000-0000-0000-000000000001",
    "text": "sample",
    "date": "2026-01-01",
    "timestamp with time zone": "2026-01-01T00:00:00Z",
    "bytea": "\\x00",
    **dict.fromkeys(("smallint", "integer", "bigint", "double precision", "numeric"), 1),
}
"""What makes a row of any table, by the type of its columns."""

BY_NAME: Mapping[str, Any] = {
    "role": "agent",
    "scopes": ["read"],
    "digest": "\\x" + "00" * 32,
    "secret": "whsec_AAAA",
}
"""The same for columns that take few values."""

# The key of a table is the column that says whose a row is.
TABLES = """
SELECT c.oid, c.oid::regclass::text AS name, a.attname AS key,
       c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
       EXISTS (SELECT FROM pg_index i
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indkey[0] = a.attnum) AS indexed
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND a.attname = CASE c.oid WHEN 'public.agencies'::regclass THEN 'id' ELSE 'agency_id' END
 ORDER BY name
"""
POLICIES = """
SELECT policyname AS name, cmd AS verb, roles::text[] AS roles, qual, with_check
  FROM pg_policies
 WHERE format('%I.%I', schemaname, tablename)::regclass = $1 AND permissive = 'PERMISSIVE'
"""
GRANTS = """
SELECT r.rolname AS role, verb
  FROM pg_class c, pg_roles r,
       unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS verb
 WHERE c.oid = $1 AND r.rolname !~ '^pg_' AND NOT r.rolsuper
   AND NOT pg_has_role(r.oid, c.relowner, 'USAGE')
   AND (has_table_privilege(r.oid, c.oid, verb)
        OR verb IN ('SELECT', 'INSERT', 'UPDATE') AND has_any_column_privilege(r.oid, c.oid, verb))
"""
REQUIRED = """
SELECT attname, format_type(atttypid, NULL)
  FROM pg_attribute
 WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
   AND attnotnull AND NOT atthasdef AND attidentity = ''
"""
QUOTED = "SELECT string_agg(quote_ident(name), ', ') FROM unnest($1::text[]) AS name"
INSERT = "INSERT INTO %1$s (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, $1)"
# A view reads with its owner's rights unless it says otherwise; a materialised one has no policies.
VIEWS = """
SELECT c.oid::regclass::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT (c.relkind = 'v' AND coalesce(c.reloptions, '{}') @> '{security_invoker=true}')
"""
_WRAPPED = re.compile(r"\( SELECT app\.\w+\((?:'\w+'::text(?:, )?)*\) AS \w+\)")


async def sweep(admin: AdminConnection) -> list[str]:
    """A sentence for everything in the catalog that could let an agency see another."""
    found = [f"{row[0]}: passes by the policies" for row in await admin.fetch(VIEWS)]
    for table in await admin.fetch(TABLES):
        policies = await admin.fetch(POLICIES, table["oid"])
        grants = await admin.fetch(GRANTS, table["oid"])
        said = [
            *(["is not enabled"] if not table["enabled"] else []),
            *(["is not forced"] if not table["forced"] else []),
            *(["has no index that leads with the agency"] if not table["indexed"] else []),
            *gaps(policies, grants),
            *(fault for policy in policies for fault in openings(table["key"], policy)),
        ]
        found += [f"{table['name']}: {fault}" for fault in said]
    return found


def gaps(policies: list[asyncpg.Record], grants: list[asyncpg.Record]) -> list[str]:
    """The verbs that no policy speaks of: at all, and for a role that was granted them."""
    spoken: dict[str, set[str]] = defaultdict(set)
    for policy in policies:
        for verb in VERBS if policy["verb"] == "ALL" else [policy["verb"]]:
            spoken[verb] |= set(policy["roles"])
    silent = [f"no policy for {verb}" for verb in VERBS if verb not in spoken]
    return silent + [
        f"{role} may {verb} and no policy says what"
        for role, verb in grants
        if not {role, "public"} & spoken.get(verb, set())
    ]


def openings(key: str, policy: asyncpg.Record) -> list[str]:
    """What makes a policy wider than one agency, or slow."""
    found: list[str] = []
    bound = f"{key} = ( SELECT app.agency_id() AS agency_id)"
    for rule in filter(None, (policy["qual"], policy["with_check"])):
        if re.search(r"app\.|auth\.|current_setting", _WRAPPED.sub("", rule)):
            found.append(f"{policy['name']} calls a function for every row")
        narrow = rule == "false" or (bound in rule and " OR " not in rule)
        wide = set(policy["roles"]) <= ACROSS_AGENCIES.keys() or (
            policy["name"] in WRITTEN_FOR_ALL
            and (policy["roles"], policy["verb"]) == (["gardenos_owner"], "INSERT")
        )
        if not narrow and not wide:
            found.append(f"{policy['name']} reaches past the agency")
    return found


async def written(admin: AdminConnection, template: str, *names: str) -> str:
    """A statement about names from the catalog, put in by PostgreSQL's own `format`."""
    return await admin.fetchval("SELECT format($1, VARIADIC $2::text[])", template, list(names))


async def add_new_table(server: PostgresServer, database_name: str) -> None:
    """Apply the page's example as the next migration."""
    shipped = migrate.available()
    example = Migration(len(shipped) + 1, "create_notes", NEW_TABLE)
    await migrate.migrate(server.admin(database_name), shipped=[*shipped, example])


async def test_every_table_keeps_agencies_apart(admin: AdminConnection) -> None:
    names = {row["name"] for row in await admin.fetch(TABLES)}
    assert {"agencies", "members", "leads", "agent_tasks", "llm_calls"} <= names
    assert await sweep(admin) == []


async def test_the_pages_new_table_is_what_the_sweep_asks_for(
    server: PostgresServer, database_name: str, admin: AdminConnection
) -> None:
    await add_new_table(server, database_name)
    assert "notes" in {row["name"] for row in await admin.fetch(TABLES)}
    assert await sweep(admin) == []


PLANTED = {
    "ALTER TABLE notes DISABLE ROW LEVEL SECURITY": {"notes: is not enabled"},
    "ALTER TABLE notes NO FORCE ROW LEVEL SECURITY": {"notes: is not forced"},
    "DROP POLICY notes_delete ON notes": {"notes: no policy for DELETE"},
    "DROP POLICY notes_select ON notes": {
        "notes: no policy for SELECT",
        "notes: authenticated may SELECT and no policy says what",
    },
    "GRANT DELETE ON notes TO anon": {"notes: anon may DELETE and no policy says what"},
    "GRANT UPDATE (text) ON notes TO gardenos_agent": {
        "notes: gardenos_agent may UPDATE and no policy says what"
    },
    "GRANT TRUNCATE ON notes TO authenticated": {
        "notes: authenticated may TRUNCATE and no policy says what"
    },
    "DROP INDEX notes_agency_idx": {"notes: has no index that leads with the agency"},
    "ALTER POLICY notes_select ON notes USING (agency_id = app.agency_id())": {
        "notes: notes_select calls a function for every row",
        "notes: notes_select reaches past the agency",
    },
    "ALTER POLICY notes_select ON notes USING (true)": {
        "notes: notes_select reaches past the agency"
    },
    "ALTER POLICY notes_update ON notes WITH CHECK ((SELECT app.can_write()))": {
        "notes: notes_update reaches past the agency"
    },
    "CREATE POLICY shared ON notes USING (agency_id = (SELECT app.agency_id()) OR text = 'all')": {
        "notes: shared reaches past the agency"
    },
    "CREATE VIEW every_note AS SELECT * FROM notes": {"every_note: passes by the policies"},
    "CREATE MATERIALIZED VIEW kept AS SELECT * FROM notes": {"kept: passes by the policies"},
    "CREATE TABLE app.forgotten (agency_id uuid)": {
        "app.forgotten: is not enabled",
        "app.forgotten: is not forced",
        "app.forgotten: has no index that leads with the agency",
        *(f"app.forgotten: no policy for {verb}" for verb in VERBS),
    },
}


@pytest.mark.parametrize("planted", PLANTED)
async def test_the_sweep_finds_what_is_planted(
    server: PostgresServer, database_name: str, admin: AdminConnection, planted: str
) -> None:
    await add_new_table(server, database_name)
    await admin.execute(planted)
    assert set(await sweep(admin)) == PLANTED[planted]


async def test_only_the_orchestrator_and_the_sign_in_reach_across_agencies(
    admin: AdminConnection,
) -> None:
    touched: dict[str, set[str]] = defaultdict(set)
    for table in await admin.fetch(TABLES):
        for role, _ in await admin.fetch(GRANTS, table["oid"]):
            touched[role].add(table["name"])
    assert {role: touched[role] for role in ACROSS_AGENCIES} == ACROSS_AGENCIES
    assert touched.keys() - ACROSS_AGENCIES.keys() == set(TENANTS)
    readable = "SELECT has_table_privilege('gardenos_worker', 'idempotency_keys', 'SELECT')"
    assert await admin.fetchval(readable) is False


async def fill(admin: AdminConnection, table: asyncpg.Record, agency_id: AgencyId) -> None:
    """Put in a row of the agency, unless there is one."""
    name, key = table["name"], table["key"]
    count = await written(admin, "SELECT count(*) FROM %s WHERE %I = $1", name, key)
    if await admin.fetchval(count, agency_id):
        return
    kinds = await admin.fetch(REQUIRED, table["oid"])
    row = {column: BY_NAME.get(column) or SAMPLES[kind] for column, kind in kinds}
    row |= {key: str(agency_id)}
    columns = await admin.fetchval(QUOTED, list(row))
    insert = await written(admin, INSERT, name, columns)
    async with admin.transaction():
        # What a sample refers to need not be there.
        await admin.execute("SET LOCAL session_replication_role = replica")
        await admin.execute(insert, json.dumps(row))


@pytest.fixture
async def tables(
    server: PostgresServer,
    database_name: str,
    admin: AdminConnection,
    owner: Claims,
    stranger: Claims,
) -> list[asyncpg.Record]:
    """Every table of agencies, the page's example among them, with a row of the owner's agency.

    Members and agents are granted everything: what is refused now, the policies refuse.
    """
    await add_new_table(server, database_name)
    async with admin.transaction():
        await admin.execute("SELECT set_config('request.jwt.claims', $1, true)", owner.json)
        await admin.execute(ROWS)
    found = await admin.fetch(TABLES)
    for table in found:
        await fill(admin, table, owner.agency_id)
        everything = "GRANT ALL ON %s TO authenticated, gardenos_agent"
        await admin.execute(await written(admin, everything, table["name"]))
    return found


async def rows_of(admin: AdminConnection, table: asyncpg.Record, claims: Claims) -> list[Any]:
    """An agency's rows, and where each of their versions is stored."""
    query = await written(
        admin, "SELECT xmin, ctid, t::text FROM %s t WHERE %I = $1", table["name"], table["key"]
    )
    found = await admin.fetch(query, claims.agency_id)
    return sorted(tuple(row) for row in found)


async def test_a_stranger_sees_changes_and_removes_nothing(
    admin: AdminConnection,
    db: Database,
    tables: list[asyncpg.Record],
    owner: Claims,
    stranger: Claims,
) -> None:
    for table in tables:
        before = await rows_of(admin, table, owner)
        assert before, table["name"]
        names = table["name"], table["key"]
        count = await written(admin, "SELECT count(*) FROM %s WHERE %I <> $1", *names)
        change = await written(admin, "UPDATE %s SET %I = $1", *names)
        remove = await written(admin, "DELETE FROM %s", table["name"])
        for role in TENANTS:
            async with db.session(stranger, role=role) as session:
                assert await session.fetchval(count, stranger.agency_id) == 0, table["name"]
                await session.execute(change, stranger.agency_id)
            # Of their own rows one may have to stay: the last owner.
            with suppress(asyncpg.CheckViolationError):
                async with db.session(stranger, role=role) as session:
                    await session.execute(remove)
        assert await rows_of(admin, table, owner) == before, table["name"]


async def test_its_owner_sees_what_a_stranger_does_not(
    admin: AdminConnection, db: Database, tables: list[asyncpg.Record], owner: Claims
) -> None:
    for table in tables:
        count = await written(admin, "SELECT count(*) FROM %s", table["name"])
        seen = 0
        for role in TENANTS:
            async with db.session(owner, role=role) as session:
                seen += await session.fetchval(count)
        assert seen, table["name"]


async def test_nobody_puts_a_row_into_another_agency(
    admin: AdminConnection,
    db: Database,
    tables: list[asyncpg.Record],
    owner: Claims,
    stranger: Claims,
) -> None:
    for table in tables:
        before = await rows_of(admin, table, stranger)
        names = table["name"], table["key"]
        insert = await written(admin, "INSERT INTO %s (%I) VALUES ($1)", *names)
        move = await written(admin, "UPDATE %s SET %I = $1", *names)
        for role in TENANTS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                async with db.session(owner, role=role) as session:
                    await session.execute(insert, stranger.agency_id)
            # What may not be changed at all is passed over; what may be is not let go.
            with suppress(asyncpg.InsufficientPrivilegeError):
                async with db.session(owner, role=role) as session:
                    assert await session.execute(move, stranger.agency_id) == "UPDATE 0"
        assert await rows_of(admin, table, stranger) == before, table["name"]


async def test_without_claims_there_is_nothing_to_see(
    admin: AdminConnection, db: Database, tables: list[asyncpg.Record]
) -> None:
    for table in tables:
        count = await written(admin, "SELECT count(*) FROM %s", table["name"])
        for role in TENANTS:
            async with db.system(role) as session:
                assert await session.fetchval(count) == 0, table["name"]
        # Forced: whoever owns the tables is bound as well.
        async with admin.transaction():
            await admin.execute("SET LOCAL ROLE gardenos_owner")
            assert await admin.fetchval(count) == 0, table["name"]


async def test_the_page_shows_what_a_member_sees(
    server: PostgresServer,
    database_name: str,
    db: Database,
    admin: AdminConnection,
    stranger: Claims,
) -> None:
    (address,) = re.findall(r"WHERE email = '(.*?)'", AS_A_MEMBER)
    await ensure_operator(db, address, "a password of some length")
    mine = "SELECT agency_id FROM members JOIN auth.users ON id = user_id WHERE email = $1"
    for agency_id, name in (
        (await admin.fetchval(mine, address), "Ada"),
        (stranger.agency_id, "Bob"),
    ):
        await admin.execute(
            "INSERT INTO leads (agency_id, first_name) VALUES ($1, $2)", agency_id, name
        )
    shown = await asyncio.create_subprocess_exec(
        binary("psql"),
        *("--no-psqlrc", "--quiet", "--csv", "--set=ON_ERROR_STOP=1", f"--dbname={database_name}"),
        env={
            "PGHOST": str(server.postgres.folder),
            "PGUSER": LOGIN,
            "PGPASSWORD": server.app_password,
        },
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await shown.communicate(AS_A_MEMBER.encode())
    assert (shown.returncode, errors) == (0, b"")
    *_, header, lead = csv.reader(output.decode().splitlines())
    assert header == ["id", "first_name", "last_name", "quality_score"]
    assert lead[1:] == ["Ada", "", ""]
