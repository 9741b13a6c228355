"""An import with `score` and with an Idempotency-Key: leads, tasks and answer are one transaction."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gardenos.core.claims import UserRole
from gardenos.core.config import Settings
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection

    ImportCsv = Callable[..., Awaitable[httpx.Response]]
    SignIn = Callable[[Claims], httpx.AsyncClient]

TABLES = ("imports", "leads", "agent_tasks", "idempotency_keys")


async def rows(admin: AdminConnection) -> list[int]:
    """How many rows each of `TABLES` has."""
    return [await admin.fetchval(f"SELECT count(*) FROM {name}") for name in TABLES]  # noqa: S608


async def test_every_imported_lead_gets_one_task_and_no_other_does(
    admin: AdminConnection, import_csv: ImportCsv, owner: Claims
) -> None:
    emails = "".join(f"p{n}@example.com\n" for n in range(2300))
    content = f"email\n{emails}p1@example.com\nnobody\n"
    answer = await import_csv(content, score="true")
    report = answer.json()
    assert (report["imported"], report["duplicates"], report["rejected"]) == (2300, 1, 1)
    assert report["tasks_enqueued"] == 2300
    wrong = await admin.fetchval(
        "SELECT count(*) FROM leads l FULL JOIN agent_tasks t ON t.payload ->> 'lead_id' = l.id::text"
        " WHERE l.id IS NULL OR t.id IS NULL OR l.import_id IS DISTINCT FROM $1::uuid"
        " OR t.idempotency_key <> 'import:' || l.import_id || ':' || l.id"
        " OR t.agent_type <> 'lead_analysis' OR t.priority <> 7 OR t.state <> 'queued'"
        " OR t.agency_id <> l.agency_id OR t.created_by <> $2",
        report["id"],
        owner.sub,
    )
    assert wrong == 0
    assert await rows(admin) == [1, 2300, 2300, 0]


@pytest.mark.parametrize("score", ["false", "", "FALSE"])
async def test_without_score_nothing_is_enqueued(
    admin: AdminConnection, import_csv: ImportCsv, score: str
) -> None:
    answer = await import_csv("email\na@example.com\n", score=score)
    assert answer.json()["tasks_enqueued"] == 0
    assert await rows(admin) == [1, 1, 0, 0]


async def break_inserts(admin: AdminConnection, table: str, condition: str) -> None:
    """Let the database fail on rows of `table` for which `condition` holds."""
    await admin.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$"
    )
    await admin.execute(
        f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW"
        f" WHEN ({condition}) EXECUTE FUNCTION refuse()"
    )


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ("leads", "NEW.email = 'p1100@example.com'"),
        ("agent_tasks", "NEW.priority = 7"),
        ("idempotency_keys", "NEW.status IS NULL"),
    ],
)
async def test_a_failure_on_the_way_takes_everything_back(
    admin: AdminConnection, import_csv: ImportCsv, table: str, condition: str
) -> None:
    content = "email\n" + "".join(f"p{n}@example.com\n" for n in range(1200))
    await break_inserts(admin, table, condition)
    failed = await import_csv(content, score="true", key="monday")
    assert failed.status_code in (500, 503)
    assert failed.headers["content-type"] == "application/problem+json"
    assert "disk" not in failed.text
    assert await rows(admin) == [0, 0, 0, 0]
    await admin.execute(f"DROP TRIGGER refuse ON {table}")
    again = await import_csv(content, score="true", key="monday")
    assert (again.status_code, again.json()["imported"]) == (201, 1200)
    assert await rows(admin) == [1, 1200, 1200, 1]


async def test_the_same_import_under_the_same_key_runs_once(
    admin: AdminConnection, import_csv: ImportCsv
) -> None:
    content = "email\na@example.com\nb@example.com\n"
    mapping = {"fields": {"email": "email"}}
    first = await import_csv(content, mapping=mapping, score="true", key="k")
    again = await import_csv(content, mapping=mapping, score="true", key="k")
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (
        None,
        "true",
    )
    assert await rows(admin) == [1, 2, 2, 1]


async def test_a_key_with_another_import_is_refused(
    admin: AdminConnection, import_csv: ImportCsv
) -> None:
    content = "email,mail 2\na@example.com,b@example.com\n"
    assert (await import_csv(content, key="k")).status_code == 201
    others = [
        await import_csv(content + "c@example.com,\n", key="k"),
        await import_csv(content, score="true", key="k"),
        await import_csv(content, mapping={"fields": {"email": "mail 2"}}, key="k"),
        await import_csv(content, encoding="latin-1", key="k"),
    ]
    for other in others:
        assert other.status_code == 409
        assert other.json()["type"] == "urn:gardenos:problem:idempotency-key-reused"
    assert await rows(admin) == [1, 1, 0, 1]


async def test_the_same_import_twice_at_once_runs_once(
    admin: AdminConnection, import_csv: ImportCsv
) -> None:
    content = "email\n" + "".join(f"p{n}@example.com\n" for n in range(1200))
    answers = await asyncio.gather(*(import_csv(content, score="true", key="k") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await rows(admin) == [1, 1200, 1200, 1]


async def test_imports_that_wait_keep_nobody_else_waiting(
    api: httpx.AsyncClient, admin: AdminConnection, import_csv: ImportCsv, owner: Claims
) -> None:
    key = f"gardenos.import:{owner.agency_id}"
    await admin.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", key)
    imports = [
        asyncio.ensure_future(import_csv(f"email\np{n}@example.com\n"))
        for n in range(2 * Settings().database_pool_max)
    ]
    async with asyncio.timeout(8):  # a lock is waited for ten seconds
        while not await admin.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        ):
            await asyncio.wait(imports, timeout=0.01)
        for _ in range(5):
            assert (await api.get("/v1/leads")).status_code == 200
        await admin.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key)
    answers = await asyncio.gather(*imports)
    assert {answer.status_code for answer in answers} == {201}
    assert sum(answer.json()["imported"] for answer in answers) == len(imports)


async def test_a_refused_import_leaves_its_key_free(
    admin: AdminConnection, import_csv: ImportCsv
) -> None:
    assert (await import_csv("nothing,known\n1,2\n", key="k")).status_code == 422
    assert await rows(admin) == [0, 0, 0, 0]
    assert (await import_csv("email\na@example.com\n", key="k")).status_code == 201


async def test_only_roles_that_write_import(
    admin: AdminConnection, import_csv: ImportCsv, sign_in: SignIn, owner: Claims
) -> None:
    for role in UserRole:
        member = await make_member(admin, role=role, agency_id=owner.agency_id)
        answer = await import_csv(f"email\n{role}@example.com\n", client=sign_in(member))
        assert answer.status_code == (201 if role.writes else 403)
    assert await admin.fetchval("SELECT count(*) FROM leads") == 4


async def test_an_import_belongs_to_the_agency_of_its_sender(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    content = "id,email\n1,a@example.com\n"
    ours = await import_csv(content, score="true", key="k")
    theirs = await import_csv(content, client=outsider, score="true", key="k")
    assert theirs.status_code == 201
    assert theirs.json()["imported"] == 1
    assert "idempotent-replayed" not in theirs.headers
    for client, answer, other in [(api, ours, theirs), (outsider, theirs, ours)]:
        assert (await client.get(answer.headers["location"])).status_code == 200
        assert (await client.get(other.headers["location"])).status_code == 404
        items = (await client.get("/v1/leads")).json()["items"]
        assert [lead["import_id"] for lead in items] == [answer.json()["id"]]
