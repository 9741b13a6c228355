"""A person is found, handed over and erased in every table; everybody else's data stays as it was."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from gardenos.core.claims import UserRole
from gardenos.core.errors import Erased
from gardenos.crm.attachments.store import Place, opened
from gardenos.crm.attachments.sweeper import Sweeper
from gardenos.crm.privacy.routes import router
from gardenos.crm.privacy.service import FILES
from gardenos.db.session import Role
from gardenos.db.sql import Queries
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

    SignIn = Callable[[Claims], httpx.AsyncClient]

PAGE = (Path(__file__).parents[3] / "docs" / "privacy.md").read_text("utf-8")
EMAIL = "ada@example.com"
SECRETS = re.compile(r"\bada\b|lovelace|analytical|engine street|secret", re.IGNORECASE)
"""What nobody may read of the person afterwards."""

SQL = Queries("rights", Path(__file__).with_name("person.sql").read_text("utf-8"))
TABLES = (
    *("leads", "contacts", "deals", "activities", "tasks", "lead_scores", "follow_ups"),
    *("agent_tasks", "task_schedules", "idempotency_keys", "audit_log"),
    *("attachments", "bulk_chunks", "views", "imports", "import_chunks", "webhook_deliveries"),
)
KEYS = {"idempotency_keys": "key", "bulk_chunks": "number", "import_chunks": "number"}
BOOKKEEPING = {"version", "updated_at", "email_key", "last_name_key", "name_key"}


async def add_person(
    admin: AdminConnection, db: Database, claims: Claims, email: str = EMAIL, number: int = 1
) -> UUID:
    async with db.session(claims) as session:
        lead_id = await session.fetchval(SQL["add_person"], email, number)
    await admin.execute(SQL["add_work"], claims.agency_id, lead_id, email)
    await admin.execute(SQL["add_traces"], claims.agency_id, lead_id, email, claims.sub)
    return lead_id


async def contents(admin: AdminConnection, table: str) -> list[dict[str, Any]]:
    query = f"SELECT to_jsonb(t)::text AS row FROM {table} t ORDER BY 1"  # noqa: S608 from above
    rows = [json.loads(row["row"]) for row in await admin.fetch(query)]
    for row in rows:
        for field, value in row.items():
            # Shown as the bytes they are.
            if isinstance(value, str) and value.startswith("\\x"):
                row[field] = bytes.fromhex(value[2:]).decode("utf-8", "replace")
    return rows


async def every_table(admin: AdminConnection) -> list[str]:
    """Whatever the catalog has, so that no table to come is forgotten."""
    found = await admin.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('public', 'app', 'auth') ORDER BY 1"
    )
    return [row["name"] for row in found]


@pytest.fixture(autouse=True)
def home(crm_app: FastAPI, tmp_path: Path) -> Path:
    """Of the application: where its files are."""
    services = crm_app.state.services
    settings = services.settings.model_copy(update={"home": tmp_path})
    crm_app.state.services = replace(services, settings=settings)
    return tmp_path


@pytest.fixture
def privacy(crm_app: FastAPI, api: httpx.AsyncClient) -> httpx.AsyncClient:
    """The agency's owner, with the routes of this folder."""
    crm_app.include_router(router)
    return api


async def test_a_person_is_found_in_leads_and_contacts_of_the_agency_alone(
    privacy: httpx.AsyncClient,
    admin: AdminConnection,
    db: Database,
    owner: Claims,
    stranger: Claims,
) -> None:
    for claims in (owner, stranger):
        await add_person(admin, db, claims)
    await add_person(admin, db, owner, "bob@example.com", 2)
    await admin.execute("UPDATE leads SET deleted_at = now()")
    answer = await privacy.get("/v1/privacy/persons", params={"email": " ADA@example.com"})
    assert sorted(record["kind"] for record in answer.json()["items"]) == ["contact", "lead"]
    for bad in ("", "ada", "%"):
        refused = await privacy.get("/v1/privacy/persons", params={"email": bad})
        assert refused.status_code == 400


async def test_an_export_holds_every_table_and_nobody_else(
    privacy: httpx.AsyncClient, admin: AdminConnection, db: Database, owner: Claims
) -> None:
    lead_id = await add_person(admin, db, owner)
    await add_person(admin, db, owner, "bob@example.com", 2)
    answer = await privacy.post("/v1/privacy/export", json={"email": EMAIL})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    assert found.keys() == FILES.keys()
    assert {name: len(rows) for name, rows in found.items()} == {
        **dict.fromkeys(FILES, 1),
        "agent_tasks.json": 3,
        "audit_log.json": 6,
        "bulk_jobs.json": 2,
        "imports.json": 3,
    }
    assert found["bulk_jobs.json"][0]["result"]["status"] == 409
    assert found["bulk_jobs.json"][1]["operation"]["record"]["last_name"] == "Lovelace"
    changed, rejected, waiting = found["imports.json"]
    assert (rejected["rejected"][4], waiting["row"]) == (
        ["Lovelace", EMAIL],
        ["Lovelace", EMAIL.upper()],
    )
    assert changed["changed"]["changes"] == {"last_name": ["Lovelace", "Byron"]}
    assert found["leads.json"][0]["email"] == EMAIL
    assert found["audit_log.json"][0]["changes"]["email"] == [None, EMAIL]
    assert "bob@example.com" not in json.dumps(found)
    by_id = await privacy.post("/v1/privacy/export", json={"lead_ids": [str(lead_id)]})
    with zipfile.ZipFile(io.BytesIO(by_id.content)) as archive:
        assert json.loads(archive.read("leads.json")) == found["leads.json"]
        assert json.loads(archive.read("contacts.json")) == []


async def test_nothing_of_an_erased_person_is_left_and_everything_of_others_is(
    privacy: httpx.AsyncClient,
    admin: AdminConnection,
    db: Database,
    owner: Claims,
    stranger: Claims,
) -> None:
    body = {"last_name": "Lovelace", "email": EMAIL.title(), "custom": {"size": "secret"}}
    key = {"Idempotency-Key": "of the erasing"}
    created = await privacy.post("/v1/leads", json=body, headers={"Idempotency-Key": "k"})
    await privacy.patch(
        f"/v1/leads/{created.json()['id']}", json={"notes": "secret"}, headers={"If-Match": "*"}
    )
    await add_person(admin, db, owner)
    before = {table: await contents(admin, table) for table in TABLES}
    await add_person(admin, db, stranger)
    await add_person(admin, db, owner, "bob@example.com", 2)
    others = {table: await contents(admin, table) for table in TABLES}
    for table in TABLES:
        others[table] = [row for row in others[table] if row not in before[table]]

    erased = await privacy.post("/v1/privacy/erase", json={"email": EMAIL}, headers=key)
    assert erased.status_code == 200, erased.text
    assert erased.json()["rows"] | {"audit_log": 0} == {
        **dict.fromkeys(TABLES, 1),
        **dict.fromkeys(("leads", "bulk_chunks", "import_chunks"), 2),
        "agent_tasks": 3,
        "merges": 1,
        "audit_log": 0,
    }
    for table in TABLES:
        after = await contents(admin, table)
        assert [row for row in others[table] if row not in after] == [], table
        left = [row for row in after if row not in others[table]]
        assert [row for row in left if SECRETS.search(json.dumps(row))] == [], table
    states = await admin.fetch(
        "SELECT state, count(*) FROM agent_tasks"
        " WHERE payload - 'lead_id' = '{}' AND agency_id = $1 GROUP BY 1",
        owner.agency_id,
    )
    assert ("cancelled", 1) in [tuple(row) for row in states]
    again = await privacy.post("/v1/leads", json=body, headers={"Idempotency-Key": "k"})
    assert {k: v for k, v in again.json().items() if k != "instance"} == Erased().problem()
    trail = await privacy.get("/v1/audit", params={"record_id": created.json()["id"]})
    entries = trail.json()["items"]
    assert [entry["verb"] for entry in entries] == ["erase", "update", "create"]
    assert {entry["actor"] for entry in entries} == {str(owner.sub)}
    assert all(set(map(str, e["changes"].values())) == {"[None, None]"} for e in entries)
    assert entries[1]["changes"].keys() == {"notes"}
    assert entries[2]["changes"].keys() == {"last_name", "email", "status", "custom.size"}


async def test_erasing_twice_changes_nothing_the_second_time(
    privacy: httpx.AsyncClient, admin: AdminConnection, db: Database, owner: Claims
) -> None:
    lead_id = await add_person(admin, db, owner)
    who = {"email": EMAIL, "lead_ids": [str(lead_id)]}
    assert (await privacy.post("/v1/privacy/erase", json=who)).status_code == 200
    before = {table: await contents(admin, table) for table in TABLES}
    again = await privacy.post("/v1/privacy/erase", json=who)
    assert set(again.json()["rows"].values()) == {0}
    assert {table: await contents(admin, table) for table in TABLES} == before


async def test_the_page_lists_what_is_replaced_and_nothing_else(
    privacy: httpx.AsyncClient, admin: AdminConnection, db: Database, owner: Claims
) -> None:
    documented = {
        row["table"]: set(re.findall(r"`(\w+)`", row["fields"]))
        for row in re.finditer(r"^\| `(?P<table>\w+)` \|(?P<fields>[^|]+)\|", PAGE, re.MULTILINE)
    }
    await privacy.post("/v1/leads", json={"email": EMAIL}, headers={"Idempotency-Key": "k"})
    await add_person(admin, db, owner)
    before = {table: await contents(admin, table) for table in TABLES}
    assert (await privacy.post("/v1/privacy/erase", json={"email": EMAIL})).status_code == 200
    replaced: dict[str, set[str]] = {}
    for table in TABLES:
        key = KEYS.get(table, "id")
        after = {row[key]: row for row in await contents(admin, table)}
        replaced[table] = {
            field
            for row in before[table]
            for field, value in row.items()
            if row[key] in after and after[row[key]][field] != value
        } - BOOKKEEPING
    # Attachments are not replaced but removed.
    assert await contents(admin, "attachments") == []
    assert replaced.pop("attachments") == set()
    assert replaced == documented


async def test_no_table_says_anything_of_an_erased_person(
    privacy: httpx.AsyncClient, admin: AdminConnection, db: Database, owner: Claims
) -> None:
    await privacy.post("/v1/leads", json={"email": EMAIL}, headers={"Idempotency-Key": "k"})
    await add_person(admin, db, owner)
    tables = await every_table(admin)
    assert {"public.leads", "public.audit_log", "app.erased_files"} <= set(tables)

    async def saying() -> set[str]:
        return {
            table
            for table in tables
            for row in await contents(admin, table)
            if SECRETS.search(json.dumps(list(row.values()), ensure_ascii=False))
        }

    assert {f"public.{table}" for table in TABLES} <= await saying()
    assert (await privacy.post("/v1/privacy/erase", json={"email": EMAIL})).status_code == 200
    assert await saying() == set()
    # It would be found, wherever it stood.
    await admin.execute("CREATE TABLE app.forgotten AS SELECT 'Ada Lovelace'::bytea AS said")
    tables = await every_table(admin)
    assert await saying() == {"app.forgotten"}


@pytest.mark.parametrize("said", [r"\u0000", r"\ud800", r"\\u0000\u0000", r"\ud83d\ude00"])
async def test_an_answer_that_no_jsonb_can_hold_is_searched_all_the_same(
    privacy: httpx.AsyncClient, admin: AdminConnection, owner: Claims, said: str
) -> None:
    answers = [f'["{said} {EMAIL}"]', f'["{said} bob@example.com"]']
    for key, body in enumerate(answers):
        await admin.execute(
            "INSERT INTO idempotency_keys (agency_id, key, fingerprint, status, body)"
            " VALUES ($1, $2, sha256('x'), 200, convert_to($3, 'UTF8'))",
            owner.agency_id,
            str(key),
            body,
        )
    erased = await privacy.post("/v1/privacy/erase", json={"email": EMAIL})
    assert erased.status_code == 200, erased.text
    assert erased.json()["rows"]["idempotency_keys"] == 1
    kept = await admin.fetch("SELECT convert_from(body, 'UTF8') AS body FROM idempotency_keys")
    assert {row["body"] for row in kept} >= {answers[1]}
    assert EMAIL not in str(kept)


async def test_attached_files_are_handed_over_and_go_with_the_person(
    crm_app: FastAPI,
    privacy: httpx.AsyncClient,
    admin: AdminConnection,
    db: Database,
    owner: Claims,
) -> None:
    await add_person(admin, db, owner)
    key = await admin.fetchval("SELECT storage_key FROM attachments")
    files = opened(Place.of(crm_app.state.services.settings))

    async def content() -> AsyncGenerator[bytes]:
        yield b"a file"

    await files.put(key, content())
    assert await files.settle(key)
    exported = await privacy.post("/v1/privacy/export", json={"email": EMAIL})
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        (name,) = [one for one in archive.namelist() if one.startswith("files/")]
        assert name.endswith("-ada-lovelace.pdf")
        assert archive.read(name) == b"a file"
    assert (await privacy.post("/v1/privacy/erase", json={"email": EMAIL})).status_code == 200
    with pytest.raises(FileNotFoundError):
        await anext(files.chunks(key))
    assert await admin.fetchval("SELECT count(*) FROM app.erased_files") == 0


async def test_a_file_that_was_left_over_is_removed_by_the_sweeper(
    crm_app: FastAPI, admin: AdminConnection, db: Database
) -> None:
    settings = crm_app.state.services.settings
    files = opened(Place.of(settings))

    async def content() -> AsyncGenerator[bytes]:
        yield b"left over"

    await files.put("left", content())
    assert await files.settle("left")
    await admin.execute("INSERT INTO app.erased_files (storage_key) VALUES ('left'), ('never was')")
    await Sweeper(settings, db).sweep()
    with pytest.raises(FileNotFoundError):
        await anext(files.chunks("left"))
    assert await admin.fetchval("SELECT count(*) FROM app.erased_files") == 0


async def test_two_who_erase_one_person_take_turns_with_those_who_edit(
    privacy: httpx.AsyncClient, admin: AdminConnection, db: Database, owner: Claims
) -> None:
    people = [f"ada{n}@example.com" for n in range(4)]
    leads = [await add_person(admin, db, owner, email, n) for n, email in enumerate(people, 1)]
    ids = [str(one) for one in leads]

    async def edit(lead: str) -> httpx.Response:
        headers = {"If-Match": "*"}
        return await privacy.patch(f"/v1/leads/{lead}", json={"city": "Bonn"}, headers=headers)

    answers = await asyncio.gather(
        privacy.post("/v1/privacy/erase", json={"lead_ids": ids}),
        privacy.post("/v1/privacy/erase", json={"lead_ids": ids[::-1]}),
        *(privacy.post("/v1/privacy/erase", json={"email": email}) for email in people),
        *(edit(lead) for lead in ids * 3),
    )
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("role", [UserRole.MANAGER, UserRole.AGENT, UserRole.READ_ONLY])
@pytest.mark.usefixtures("privacy")
async def test_only_owners_and_admins_do_any_of_this(
    admin: AdminConnection, sign_in: SignIn, db: Database, owner: Claims, role: UserRole
) -> None:
    lead_id = await add_person(admin, db, owner)
    member = await make_member(admin, role=role, agency_id=owner.agency_id)
    client = sign_in(member)
    for answer in (
        await client.get("/v1/privacy/persons", params={"email": EMAIL}),
        await client.post("/v1/privacy/export", json={"email": EMAIL}),
        await client.post("/v1/privacy/erase", json={"email": EMAIL}),
    ):
        assert answer.status_code == 403
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.session(member) as session:
            await session.fetch("SELECT app.erase(ARRAY[$1::uuid], '{}', '{}')", lead_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.session(owner, role=Role.AGENT) as session:
            await session.fetch("SELECT app.erase(ARRAY[$1::uuid], '{}', '{}')", lead_id)
    assert await admin.fetchval("SELECT count(*) FROM leads WHERE email = $1", EMAIL) == 1


async def test_another_agencys_person_is_not_erased_by_id(
    privacy: httpx.AsyncClient,
    admin: AdminConnection,
    db: Database,
    owner: Claims,
    stranger: Claims,
) -> None:
    theirs = await add_person(admin, db, stranger)
    before = {table: await contents(admin, table) for table in TABLES}
    body = {"lead_ids": [str(theirs)], "email": EMAIL}
    assert set((await privacy.post("/v1/privacy/erase", json=body)).json()["rows"].values()) == {0}
    async with db.session(owner) as session:
        await session.fetch("SELECT app.erase(ARRAY[$1::uuid], '{}', ARRAY[$2])", theirs, EMAIL)
    assert {table: await contents(admin, table) for table in TABLES} == before


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "x"}, {"email": None}, {"lead_ids": ["x"]}, {"email": EMAIL, "all": True}],
)
async def test_a_request_that_names_nobody_is_refused(
    privacy: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    for path in ("export", "erase"):
        answer = await privacy.post(f"/v1/privacy/{path}", json=body)
        assert answer.status_code == 422
