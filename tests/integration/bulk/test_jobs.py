"""A job is done chunk by chunk, each exactly once, as whoever sent it; and says how far it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from gardenos.core.claims import Claims, UserRole
from gardenos.core.errors import Forbidden, NotFound
from gardenos.crm.contacts.entity import CONTACTS
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.records.bulk import jobs
from gardenos.crm.records.bulk.jobs import AGENT_TYPE, CHUNK, Job
from gardenos.crm.records.bulk.models import MAX_AT_ONCE, MAX_OPERATIONS, Operation
from gardenos.testing.postgres import make_member
from tests.support.local import client_of, eventually, local_installation, signing_in
from tests.support.records import make

if TYPE_CHECKING:
    from gardenos.core.config import Settings
    from gardenos.crm.records import Entity
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

    from .conftest import SignIn

BULK = "/v1/leads/bulk"
MANY = 1_200
LEFT = "SELECT count(*) FROM bulk_chunks WHERE operations IS NOT NULL"
OPERATIONS: TypeAdapter[list[Operation]] = TypeAdapter(list[Operation])


@pytest.fixture
async def installation(settings: Settings) -> AsyncGenerator[FastAPI]:
    """The API, the orchestrator, and whoever works jobs off."""
    async with local_installation(settings, present=[AGENT_TYPE]) as app:
        yield app


@pytest.fixture
async def at_work(installation: FastAPI) -> AsyncGenerator[SignIn]:
    async with signing_in(installation) as client:
        yield client


def create(**record: Any) -> dict[str, Any]:
    return {"op": "create", "record": record}


def numbered(count: int) -> list[dict[str, Any]]:
    return [create(external_id=f"L{n}") for n in range(count)]


async def sent(db: Database, claims: Claims, entity: Entity, operations: Sequence[Any]) -> Job:
    """A job of these operations, however few."""
    async with db.session(claims) as session:
        return await jobs.create(session, entity, OPERATIONS.validate_python(operations))


async def work_off(db: Database, claims: Claims, job: Job) -> bool:
    async with db.session(claims) as session:
        return (await jobs.work_off(session, job.id)).finished


async def crash(db: Database, claims: Claims, job: Job) -> None:
    async with db.session(claims) as session:
        await jobs.work_off(session, job.id)
        raise KeyError


async def finished(api: httpx.AsyncClient, job_id: object) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        return (await api.get(f"/v1/jobs/{job_id}")).json()

    return await eventually(ask, lambda job: job["state"] == "finished")


async def results(api: httpx.AsyncClient, job_id: object, limit: int = 200) -> list[dict[str, Any]]:
    """Of every page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        answer = await api.get(f"/v1/jobs/{job_id}/results", params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        assert ("next" in answer.links) == (cursor is not None)
        if cursor is None:
            return found


async def test_a_large_request_is_worked_off_by_the_queue_and_answered_by_pages(
    at_work: SignIn, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    lead = await make(api, "leads", external_id="taken")
    operations = numbered(MANY)
    operations[3] = create(external_id="taken")
    operations[700] = create(email="none", first_name="\x00")
    operations[701] = {"op": "update", "id": lead["id"], "version": 1, "changes": {"city": "Rome"}}
    operations[1199] = {"op": "update", "id": lead["id"], "version": 1, "changes": {"city": "Oslo"}}
    headers = {"Idempotency-Key": "k"}
    answers = [
        await api.post(BULK, json={"operations": operations}, headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    job = answers[0].json()
    assert {answer.headers["Location"] for answer in answers} == {f"/v1/jobs/{job['id']}"}
    assert (job["entity"], job["state"], job["total"]) == ("leads", "queued", MANY)
    done = await finished(api, job["id"])
    assert (done["succeeded"], done["failed"]) == (MANY - 3, 3)
    assert done["started_at"] <= done["finished_at"]
    found = await results(api, job["id"])
    assert [result["index"] for result in found] == list(range(MANY))
    failed = {result["index"]: result["status"] for result in found if result["problem"]}
    assert failed == {3: 409, 700: 422, 1199: 412}
    pointers = [fault["pointer"] for fault in found[700]["problem"]["errors"]]
    assert "/operations/700/record/email" in pointers
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["city"] == "Rome"
    assert await admin.fetchval("SELECT count(*) FROM leads") == MANY - 3
    assert await admin.fetchval("SELECT count(*) FROM bulk_jobs") == 1
    assert await admin.fetchval(LEFT) == 0
    task = "SELECT result FROM agent_tasks WHERE id = $1"
    await eventually(lambda: admin.fetchval(task, UUID(job["task_id"])), bool)


async def test_a_crash_between_or_within_chunks_repeats_nothing(
    at_work: SignIn, db: Database, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute(
        "INSERT INTO dispatch_pauses (agency_id, agent_type) VALUES ($1, $2)",
        owner.agency_id,
        AGENT_TYPE,
    )
    job = await sent(db, owner, LEADS, numbered(3 * CHUNK))
    assert not await work_off(db, owner, job)
    with pytest.raises(KeyError):
        await crash(db, owner, job)
    assert await admin.fetchval("SELECT count(*) FROM leads") == CHUNK
    await asyncio.gather(*(work_off(db, owner, job) for _ in range(2)))
    assert await work_off(db, owner, job)
    assert await work_off(db, owner, job)
    assert await admin.fetchval("SELECT count(*) FROM leads") == 3 * CHUNK
    api = at_work(owner)
    await admin.execute("DELETE FROM dispatch_pauses")
    done = await finished(api, job.id)
    assert (done["succeeded"], done["failed"]) == (3 * CHUNK, 0)
    task = "SELECT state FROM agent_tasks WHERE id = $1"
    await eventually(lambda: admin.fetchval(task, job.task_id), lambda s: s == "succeeded")
    assert await admin.fetchval("SELECT count(*) FROM leads") == 3 * CHUNK


async def test_a_job_says_how_far_it_is(
    api: httpx.AsyncClient, db: Database, owner: Claims
) -> None:
    job = await sent(db, owner, LEADS, numbered(CHUNK + 10))
    assert await results(api, job.id) == []
    await work_off(db, owner, job)
    said = (await api.get(f"/v1/jobs/{job.id}")).json()
    assert (said["state"], said["succeeded"], said["finished_at"]) == ("running", CHUNK, None)
    assert len(await results(api, job.id)) == CHUNK
    await work_off(db, owner, job)
    assert [one["index"] for one in await results(api, job.id, 7)] == list(range(CHUNK + 10))


async def test_a_job_whose_task_was_cancelled_is_stopped(
    api: httpx.AsyncClient, db: Database, owner: Claims
) -> None:
    job = await sent(db, owner, LEADS, numbered(1))
    assert (await api.post(f"/ai/tasks/{job.task_id}/cancel")).is_success
    assert (await api.get(f"/v1/jobs/{job.id}")).json()["state"] == "stopped"


async def test_a_job_does_what_its_senders_role_may_do_and_no_more(
    at_work: SignIn, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    mask = {"role": "agent", "entity": "contacts", "field": "phone", "access": "hidden"}
    assert (await api.put("/v1/field-masks", json={"items": [mask]})).is_success
    theirs = await make(api, "contacts")
    operations = [create(last_name=f"C{n}") for n in range(MAX_AT_ONCE)]
    operations += [create(last_name="x", phone="1"), {"op": "delete", "id": theirs["id"]}]
    agent = at_work(member)
    answer = await agent.post("/v1/contacts/bulk", json={"operations": operations})
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["id"]
    done = await finished(agent, job_id)
    assert (done["succeeded"], done["failed"]) == (MAX_AT_ONCE, 2)
    assert [one["status"] for one in (await results(agent, job_id))[-2:]] == [403, 403]
    made = "SELECT DISTINCT created_by FROM contacts WHERE id <> $1"
    assert await admin.fetchval(made, UUID(theirs["id"])) == member.sub
    actors = "SELECT DISTINCT actor_kind FROM audit_log WHERE entity = 'contacts'"
    assert [row[0] for row in await admin.fetch(actors)] == ["member"]


@pytest.mark.parametrize(
    "end",
    [
        "DELETE FROM members WHERE user_id = $1",
        "UPDATE members SET role = 'read_only' WHERE user_id = $1",
    ],
)
async def test_who_may_not_do_it_any_more_has_nothing_done(
    api: httpx.AsyncClient, db: Database, admin: AdminConnection, owner: Claims, end: str
) -> None:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    job = await sent(db, member, LEADS, numbered(2))
    await admin.execute(end, member.sub)
    assert await work_off(db, member, job)
    found = await results(api, job.id)
    assert [one["status"] for one in found] == [403, 403]
    assert "any more" in found[0]["problem"]["detail"]
    assert await admin.fetchval("SELECT count(*) FROM leads") == 0


async def test_a_key_needs_to_write_and_a_revoked_one_does_nothing(
    api: httpx.AsyncClient, app: FastAPI, db: Database, admin: AdminConnection
) -> None:
    body = {"operations": numbered(MAX_AT_ONCE + 1)}
    for scope, status in (("leads:write", 403), ("write", 202)):
        key = (await api.post("/v1/api-keys", json={"name": "p", "scopes": [scope]})).json()
        async with client_of(app, key["key"]) as program:
            answer = await program.post(BULK, json=body)
        assert answer.status_code == status, answer.text
    assert (await api.delete(f"/v1/api-keys/{key['id']}")).is_success
    job_id = UUID(answer.json()["id"])
    row = await admin.fetchrow("SELECT * FROM bulk_jobs WHERE id = $1", job_id)
    assert row is not None
    assert (str(row["key_id"]), row["scopes"]) == (key["id"], ["write"])
    async with db.session(await sender(db, admin, job_id)) as session:
        assert (await jobs.work_off(session, job_id)).failed == CHUNK
    assert await admin.fetchval("SELECT count(*) FROM leads") == 0


async def sender(db: Database, admin: AdminConnection, job_id: UUID) -> Claims:
    agency_id = await admin.fetchval("SELECT agency_id FROM bulk_jobs WHERE id = $1", job_id)
    async with db.session(await make_member(admin, agency_id=agency_id)) as session:
        return (await jobs.senders(session, [job_id]))[job_id]


async def test_a_reader_sends_no_job(
    sign_in: SignIn, admin: AdminConnection, owner: Claims
) -> None:
    member = await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id)
    answer = await sign_in(member).post(BULK, json={"operations": numbered(MAX_AT_ONCE + 1)})
    assert answer.status_code == 403
    assert await admin.fetchval("SELECT count(*) FROM bulk_jobs") == 0


async def test_a_job_is_its_senders_and_the_admins(
    *,
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    sign_in: SignIn,
    db: Database,
    admin: AdminConnection,
    owner: Claims,
    stranger: Claims,
) -> None:
    sends, other = [
        await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id) for _ in range(2)
    ]
    job = await sent(db, sends, CONTACTS, [create(last_name="Ada")])
    for of_it in ("", "/results"):
        path = f"/v1/jobs/{job.id}{of_it}"
        seen = [(await client.get(path)).status_code for client in (sign_in(sends), api)]
        assert seen == [200, 200]
        hidden = [(await client.get(path)).status_code for client in (sign_in(other), outsider)]
        assert hidden == [404, 404]
    for claims in (other, stranger):
        with pytest.raises(NotFound):
            await work_off(db, claims, job)
    assert (await api.get(f"/v1/jobs/{uuid4()}")).status_code == 404


async def test_nobody_slips_an_operation_into_anothers_job(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    member = await make_member(admin, role=UserRole.ADMIN, agency_id=owner.agency_id)
    job = await sent(db, owner, LEADS, numbered(1))
    slip = (
        "INSERT INTO bulk_chunks (agency_id, job_id, number, operations) VALUES ($1, $2, 1, '[]')"
    )
    swap = "UPDATE bulk_chunks SET operations = '[]' WHERE job_id = $1"
    feign = (
        "INSERT INTO bulk_jobs (agency_id, entity, created_by, role, total)"
        " VALUES ($1, 'leads', $2, 'owner', 1)"
    )
    for claims in (member, owner):
        with pytest.raises(Exception, match="row-level security"):
            async with db.session(claims) as session:
                await session.execute(slip, owner.agency_id, job.id)
    async with db.session(member) as session:
        assert await session.execute(swap, job.id) == "UPDATE 0"
    for sub in (owner.sub, member.sub):
        with pytest.raises(Exception, match="row-level security"):
            async with db.session(member) as session:
                await session.execute(feign, owner.agency_id, sub)


async def test_a_cursor_of_another_job_is_none_of_this(
    api: httpx.AsyncClient, db: Database, owner: Claims
) -> None:
    first, second = [await sent(db, owner, LEADS, [create(), create()]) for _ in range(2)]
    await work_off(db, owner, first)
    page = (await api.get(f"/v1/jobs/{first.id}/results", params={"limit": 1})).json()
    for cursor in (page["next_cursor"], "x"):
        params = {"cursor": cursor}
        answer = await api.get(f"/v1/jobs/{second.id}/results", params=params)
        assert answer.json()["type"] == "urn:gardenos:problem:invalid-cursor"


async def test_more_than_a_job_takes_is_refused(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    operations = [{"op": "create", "record": {}}] * (MAX_OPERATIONS + 1)
    answer = await api.post(BULK, json={"operations": operations})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/operations"
    assert await admin.fetchval("SELECT count(*) FROM bulk_jobs") == 0


async def test_a_job_of_a_key_that_writes_too_little_is_not_made(
    db: Database, owner: Claims
) -> None:
    scopes = frozenset({"leads:write"})
    claims = Claims.of(owner.sub, owner.agency_id, owner.user_role, key_id=uuid4(), scopes=scopes)
    with pytest.raises(Forbidden, match="scope write"):
        await sent(db, claims, LEADS, [create()])


async def test_what_was_erased_with_a_person_is_not_done_and_the_rest_is(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    operations = [create(last_name="Lovelace", email="ADA@example.com"), create(last_name="Hopper")]
    job = await sent(db, owner, LEADS, operations)
    async with db.session(owner) as session:
        await session.fetch("SELECT app.erase('{}', '{}', ARRAY['ada@example.com'])")
    assert await work_off(db, owner, job)
    assert [row["last_name"] for row in await admin.fetch("SELECT last_name FROM leads")] == [
        "Hopper"
    ]
    (kept,) = await admin.fetch("SELECT convert_from(results, 'UTF8') AS said FROM bulk_chunks")
    assert [one["status"] for one in json.loads(kept["said"])] == [410, 201]
