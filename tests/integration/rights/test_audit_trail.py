"""Whoever changes tenant data leaves a trace, and nobody takes it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest
import structlog

from gardenos.core.claims import UserRole
from gardenos.db.session import Role
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection

UNRECORDED = {
    "agent_tasks": "the queue is its own record: who asked, when, and what came of it",
    "audit_log": "it is the record",
    "bulk_chunks": "what a job is still to do and what it did, of which each record has its own entry",
    "custom_values": "kept by a trigger with the record, whose values are recorded",
    "deal_stages": "written by a trigger with the change of the deal, which is recorded",
    "dispatch_limits": "the operator's; operator_actions keeps who set them",
    "dispatch_pauses": "the queue's: a pause says itself who asked for it",
    "import_chunks": "what a file says and what became of it, of which each record has its own entry",
    "idempotency_keys": "answers kept for repeated requests, gone in a day",
    "lead_scores": "written once by the task it names and never changed; the lead's score is recorded",
    "llm_calls": "written once for each call and never changed",
    "llm_spend": "a sum of llm_calls",
    "outbox": "it is the record, for programs",
    "webhook_deliveries": "each is the log of how a change was told, and names the change",
    "task_schedules": "the queue's: the orchestrator moves it on at every due time",
}
"""The tables of agencies whose changes the log does not have, and why."""
TENANT_TABLES = """
SELECT c.relname AS name,
       ARRAY(SELECT t.tgtype::int & 28 FROM pg_trigger t
              WHERE t.tgrelid = c.oid AND t.tgfoid = 'app.record_changes'::regproc
                AND t.tgtype::int & 1 = 0 AND t.tgenabled = 'O' ORDER BY 1) AS events
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'
   AND (c.relname = 'agencies' OR EXISTS (
         SELECT FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attname = 'agency_id' AND NOT a.attisdropped))
"""
EVERY_EVENT = [4, 8, 16]
"""INSERT, DELETE and UPDATE, as pg_trigger has them."""
ADD = """
INSERT INTO leads (agency_id, created_by, last_name, email, custom)
VALUES (app.agency_id(), app.user_id(), 'Lovelace', 'ada@example.com', $1) RETURNING id
"""
ENTRIES = """
SELECT actor, actor_kind, request_id, entity, record_id, verb,
       app.told(verb, changes, '{}')::text AS changes
  FROM audit_log WHERE entity = $1 ORDER BY id
"""


async def entries(admin: AdminConnection, entity: str = "leads") -> list[dict[str, Any]]:
    rows = await admin.fetch(ENTRIES, entity)
    return [{**dict(row), "changes": json.loads(row["changes"])} for row in rows]


async def add_lead(session: TenantSession, **custom: Any) -> UUID:
    return await session.fetchval(ADD, custom)


async def unrecorded(admin: AdminConnection) -> set[str]:
    rows = await admin.fetch(TENANT_TABLES)
    return {row["name"] for row in rows if row["events"] != EVERY_EVENT}


async def test_every_table_of_agencies_is_recorded_or_excused(admin: AdminConnection) -> None:
    assert await unrecorded(admin) == UNRECORDED.keys()


async def test_a_new_table_that_is_forgotten_is_noticed_and_recorded_in_one_line(
    admin: AdminConnection,
) -> None:
    await admin.execute("CREATE TABLE notes (id uuid PRIMARY KEY, agency_id uuid, text text)")
    assert await unrecorded(admin) - UNRECORDED.keys() == {"notes"}
    await admin.execute("SELECT app.record('notes')")
    assert await unrecorded(admin) == UNRECORDED.keys()
    note, agency = UUID(int=1), UUID(int=2)
    await admin.execute("INSERT INTO notes VALUES ($1, $2, 'x')", note, agency)
    (entry,) = await entries(admin, "notes")
    assert (entry["record_id"], entry["changes"]) == (str(note), {"text": [None, "x"]})


async def test_no_computed_column_is_told_as_a_change(admin: AdminConnection) -> None:
    told = """
SELECT format('%s.%s', t.tgrelid::regclass, a.attname)
  FROM pg_trigger t JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attgenerated <> ''
 WHERE t.tgfoid = 'app.record_changes'::regproc
   AND encode(t.tgargs, 'escape') !~ format('[{,]%s[,}]', a.attname)"""
    assert await admin.fetch(told) == []
    await admin.execute(
        "ALTER TABLE leads ADD city_key text GENERATED ALWAYS AS (lower(city)) STORED"
    )
    assert {row[0] for row in await admin.fetch(told)} == {"leads.city_key"}
    await admin.execute("SELECT app.record('leads')")
    assert await admin.fetch(told) == []


async def test_a_life_of_a_lead_is_told_field_by_field(
    admin: AdminConnection, db: Database, owner: Claims
) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        async with db.session(owner) as session:
            lead_id = await add_lead(session, size=3, colour="green")
    async with db.session(owner) as session:
        change = (
            """UPDATE leads SET email = 'a@example.com', custom = '{"size": 4}' WHERE id = $1"""
        )
        await session.execute(change, lead_id)
        await session.execute("UPDATE leads SET last_name = last_name WHERE id = $1", lead_id)
    for change in ("UPDATE leads SET deleted_at = now()", "UPDATE leads SET deleted_at = NULL"):
        async with db.session(owner) as session:
            await session.execute(change)
    await admin.execute("UPDATE leads SET deleted_at = now()")
    async with db.system(Role.WORKER) as session:
        await session.execute("DELETE FROM leads WHERE id = $1", lead_id)
    found = await entries(admin)
    assert {entry["record_id"] for entry in found} == {str(lead_id)}
    assert [entry["verb"] for entry in found] == [
        *("create", "update", "delete", "restore", "delete", "purge")
    ]
    assert [entry["request_id"] for entry in found] == ["req-1", None, None, None, None, None]
    assert [entry["actor_kind"] for entry in found] == [*["member"] * 4, "system", "system"]
    assert [entry["actor"] for entry in found] == [*[owner.sub] * 4, None, None]
    assert found[0]["changes"] == {
        "last_name": [None, "Lovelace"],
        "email": [None, "ada@example.com"],
        "status": [None, "new"],
        "custom.size": [None, 3],
        "custom.colour": [None, "green"],
    }
    assert found[1]["changes"] == {
        "email": ["ada@example.com", "a@example.com"],
        "custom.size": [3, 4],
        "custom.colour": ["green", None],
    }
    assert [entry["changes"] for entry in found[2:]] == [{}, {}, {}, {}]


async def test_what_is_undone_leaves_no_trace(
    admin: AdminConnection, db: Database, owner: Claims
) -> None:
    async def fail_halfway() -> None:
        async with db.session(owner) as session:
            await add_lead(session)
            await session.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await fail_halfway()
    assert await entries(admin) == []


async def test_keys_and_agents_are_told_from_members(
    admin: AdminConnection, db: Database, owner: Claims
) -> None:
    async with db.session(owner) as session:
        lead_id = await add_lead(session)
        claims = json.loads(owner.json) | {"scopes": ["leads:write"]}
        await session.execute(
            "SELECT set_config('request.jwt.claims', $1::text, true)", json.dumps(claims)
        )
        await session.execute("UPDATE leads SET first_name = 'Ada'")
    async with db.session(owner, role=Role.AGENT) as session:
        await session.execute(
            "UPDATE leads SET quality_score = 80, conversion_probability = 0.5, scored_at = now()"
        )
    found = await entries(admin)
    assert [entry["actor_kind"] for entry in found] == ["member", "key", "agent"]
    assert found[-1]["changes"].keys() == {
        *("quality_score", "conversion_probability", "scored_at")
    }
    assert found[-1]["changes"]["quality_score"] == [None, 80]
    assert {entry["record_id"] for entry in found} == {str(lead_id)}


async def test_rows_without_an_id_go_by_their_key(
    admin: AdminConnection, db: Database, owner: Claims
) -> None:
    async with db.session(owner) as session:
        await session.execute(
            "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
            " SELECT app.agency_id(), 'agent', 'leads', 'delete', 'none'"
        )
        await session.execute("UPDATE permissions SET scope = 'own'")
        await session.execute("UPDATE permissions SET verb = 'update'")
        await session.execute("DELETE FROM permissions")
    told = [(e["record_id"], e["verb"], e["changes"]) for e in await entries(admin, "permissions")]
    first, second = "agent/leads/delete", "agent/leads/update"
    assert told[:2] == [
        (first, "create", {"scope": [None, "none"]}),
        (first, "update", {"scope": ["none", "own"]}),
    ]
    assert sorted(told[2:4]) == [
        (first, "delete", {"scope": ["own", None]}),
        (second, "create", {"scope": [None, "own"]}),
    ]
    assert told[4:] == [(second, "delete", {"scope": ["own", None]})]


async def test_every_row_of_a_statement_is_recorded_once_and_announced_once(
    server: Any, database_name: str, admin: AdminConnection, db: Database, owner: Claims
) -> None:
    heard: list[object] = []

    def hear(_conn: object, _pid: int, _channel: str, payload: object) -> None:
        heard.append(payload)

    listener = await asyncpg.connect(server.app(database_name))
    try:
        await listener.add_listener("gardenos_changes", hear)
        async with db.session(owner) as session:
            await session.execute(
                "INSERT INTO leads (agency_id, external_id)"
                " SELECT app.agency_id(), n::text FROM generate_series(1, 1000) n"
            )
            await session.execute("UPDATE leads SET first_name = 'Ada' WHERE external_id < '2'")
        # Notifications come before the answer to what was asked after them.
        await listener.execute("SELECT 1")
    finally:
        await listener.close()
    changed = await admin.fetchval("SELECT count(*) FROM leads WHERE first_name = 'Ada'")
    counts = (
        "SELECT verb, count(DISTINCT record_id), count(*) FROM {} WHERE entity = 'leads' GROUP BY 1"
    )
    for table in ("audit_log", "outbox"):
        found = [tuple(row) for row in await admin.fetch(counts.format(table) + " ORDER BY 1")]
        assert found == [("create", 1000, 1000), ("update", changed, changed)]
    assert len(set(await admin.fetch("SELECT txid::text FROM outbox WHERE entity = 'leads'"))) == 1
    assert heard == [""]


@pytest.mark.parametrize("role", UserRole)
async def test_only_owners_and_admins_read_the_log(
    admin: AdminConnection, db: Database, owner: Claims, stranger: Claims, role: UserRole
) -> None:
    member = await make_member(admin, role=role, agency_id=owner.agency_id)
    async with db.session(owner) as session:
        await add_lead(session)
    async with db.session(stranger) as session:
        await add_lead(session)
        await session.execute("UPDATE agencies SET name = 'Theirs'")
    async with db.session(member) as session:
        agencies = await session.fetch("SELECT DISTINCT agency_id FROM audit_log")
    seen = {row["agency_id"] for row in agencies}
    assert seen == ({owner.agency_id} if role.administers else set())


@pytest.mark.parametrize(
    "attempt",
    [
        "INSERT INTO audit_log (agency_id) SELECT app.agency_id()",
        "UPDATE audit_log SET changes = '{}'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO outbox (agency_id) SELECT app.agency_id()",
        "DELETE FROM outbox",
        "SELECT FROM outbox",
        "ALTER TABLE leads DISABLE TRIGGER ALL",
        "SET LOCAL session_replication_role = replica",
        "SELECT app.record('leads')",
    ],
)
async def test_nobody_writes_the_log_by_hand(db: Database, owner: Claims, attempt: str) -> None:
    for role in (Role.AUTHENTICATED, Role.AGENT):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.session(owner, role=role) as session:
                await session.execute(attempt)


async def test_the_owner_of_the_tables_removes_nothing_either(
    admin: AdminConnection, db: Database, owner: Claims
) -> None:
    async with db.session(owner) as session:
        await add_lead(session)
    async with admin.transaction():
        await admin.execute("SELECT set_config('request.jwt.claims', $1, true)", owner.json)
        await admin.execute("SET LOCAL ROLE gardenos_owner")
        assert await admin.execute("DELETE FROM audit_log") == "DELETE 0"
    assert len(await entries(admin)) == 1


@pytest.mark.parametrize("request_id", ["a b", "x'; DROP TABLE leads --", "", "ä", "y" * 65])
async def test_a_request_id_that_is_none_is_left_out(
    admin: AdminConnection, db: Database, owner: Claims, request_id: str
) -> None:
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        async with db.session(owner) as session:
            await add_lead(session)
    assert [entry["request_id"] for entry in await entries(admin)] == [None]
