"""Large files wait, are carried out as whoever sent them, chunk by chunk, each exactly once."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from gardenos.core.claims import Claims, UserRole
from gardenos.core.ids import ImportId
from gardenos.crm.records.bulk.jobs import AGENT_TYPE
from gardenos.crm.transfer.service import AT_ONCE
from gardenos.crm.transfer.work import step
from gardenos.sdk.events import EventReader
from gardenos.testing.postgres import make_member
from tests.support.local import eventually, local_installation, signing_in

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gardenos.core.config import Settings
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

    ImportCsv = Callable[..., Awaitable[httpx.Response]]
    SignIn = Callable[[Claims], httpx.AsyncClient]

MANY = AT_ONCE + 2_500
COUNTS = ("imported", "updated", "duplicates", "rejected")


def file(first: int = 0, rows: int = MANY) -> str:
    """Of a hundred rows 97 are new, two are faulty, and one says what the row before it says."""
    lines = ["id,email,name"]
    for n in range(first, first + rows):
        match n % 100:
            case 7 | 57:
                lines.append(f"{n},nobody,Person {n}")
            case 99:
                lines.append(f"{n - 1},person-{n - 1}@example.com,Again")
            case _:
                lines.append(f"{n},person-{n}@example.com,Person {n}")
    return "\n".join(lines) + "\n"


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in COUNTS)


async def carry_out(db: Database, claims: Claims, import_id: str) -> int:
    """Do what is left of an import; how many steps that took."""
    steps = 0
    finished = False
    while not finished:
        async with db.session(claims) as session:
            finished = (await step(session, ImportId(UUID(import_id)))).finished
        steps += 1
    return steps


@pytest.fixture
async def installation(settings: Settings) -> AsyncGenerator[FastAPI]:
    """The API, the orchestrator, and whoever carries imports out."""
    async with local_installation(settings, present=[AGENT_TYPE]) as app:
        yield app


async def test_a_large_file_is_carried_out_by_the_queue_and_followed_on_the_way(
    installation: FastAPI, admin: AdminConnection, owner: Claims
) -> None:
    async with signing_in(installation) as sign_in:
        client = sign_in(owner)
        answer = await client.post("/v1/imports", files={"file": ("many.csv", file())})
        assert answer.status_code == 202, answer.text
        place = answer.headers["location"]
        assert place == f"/v1/imports/{answer.json()['id']}"
        stream = await client.get(f"{place}/events", timeout=60)
        reader = EventReader()
        events = [event for line in stream.text.splitlines() if (event := reader.take(line))]
        assert [event.name for event in events[:-1]] == ["progress"] * (len(events) - 1)
        assert events[-1].name == "rested"
        read = [json.loads(event.data)["rows_read"] for event in events]
        assert read == sorted(read)
        found = (await client.get(place)).json()
        assert json.loads(events[-1].data) == found
        assert found["state"] == "finished"
        assert counts(found) == (97 * MANY // 100, 0, MANY // 100, 2 * MANY // 100)
        [listed] = (await client.get("/v1/imports")).json()["items"]
        assert listed == found

        task = (await client.get(f"/ai/tasks/{found['task_id']}")).json()
        assert task["result"] == {"succeeded": 0, "failed": 0, "state": "finished"}
    assert await admin.fetchval("SELECT count(*) FROM leads") == 97 * MANY // 100
    assert await admin.fetchval("SELECT count(*) FROM import_chunks WHERE data IS NOT NULL") == 0


async def test_steps_that_die_or_meet_do_every_row_once(
    import_csv: ImportCsv,
    admin: AdminConnection,
    db: Database,
    owner: Claims,
    api: httpx.AsyncClient,
) -> None:
    import_id = (await import_csv(file())).json()["id"]

    async def die() -> None:
        async with db.session(owner) as session:
            await step(session, ImportId(UUID(import_id)))
            raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            await die()
    assert await admin.fetchval("SELECT count(*) FROM leads") == 0
    took = await asyncio.gather(*(carry_out(db, owner, import_id) for _ in range(3)))
    # Each chunk once, and everybody finds out once that there are no more.
    chunks = await admin.fetchval("SELECT count(*) FROM import_chunks")
    assert sum(took) == chunks + 3
    found = (await api.get(f"/v1/imports/{import_id}")).json()
    assert sum(counts(found)) == found["rows_read"] == found["rows_total"] == MANY
    assert (
        await admin.fetchval("SELECT count(DISTINCT external_id) FROM leads") == found["imported"]
    )


async def test_rejected_rows_come_back_as_a_file_to_correct(
    import_csv: ImportCsv, db: Database, owner: Claims, api: httpx.AsyncClient
) -> None:
    import_id = (await import_csv(file())).json()["id"]
    await carry_out(db, owner, import_id)
    rejected = await api.get(f"/v1/imports/{import_id}/rejected")
    assert rejected.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(rejected.text, newline="")))
    assert len(rows) == 2 * MANY // 100
    error = rows[1].pop("import error")
    assert error.startswith("email: 'nobody' ")
    assert rows[1] == {"id": "57", "email": "nobody", "name": "Person 57", "import row": "58"}
    again = (await import_csv(rejected.text.replace(",nobody,", ",,"))).json()
    assert counts(again) == (len(rows), 0, 0, 0)
    added = [use["read_as"] for use in again["columns"] if use["column"].startswith("import ")]
    assert added == [None, None]


async def test_what_a_file_says_is_for_its_sender_and_those_who_run_the_agency(
    import_csv: ImportCsv, admin: AdminConnection, owner: Claims, sign_in: SignIn
) -> None:
    place = (await import_csv("email\nnobody\n")).headers["location"]
    for role, status in [(UserRole.AGENT, 403), (UserRole.MANAGER, 403), (UserRole.ADMIN, 200)]:
        client = sign_in(await make_member(admin, role=role, agency_id=owner.agency_id))
        assert (await client.get(place)).status_code == 200
        assert (await client.get(f"{place}/rejected")).status_code == status
        assert (await client.post(f"{place}/revert")).status_code == (202 if status == 200 else 403)


DATED = "Nr;Mail;Seit\n1;a@example.com;03.04.2026\n2;b@example.com;31.12.2025\n3;;\n4;x;\n"
DATED_MAPPING = {"fields": {"external_id": "Nr", "email": "Mail"}}


def dated(**order: str) -> dict[str, Any]:
    return DATED_MAPPING | {"custom": {"since": {"column": "Seit", "type": "date", **order}}}


async def test_a_dry_run_says_what_would_become_of_the_rows(
    import_csv: ImportCsv, admin: AdminConnection, api: httpx.AsyncClient
) -> None:
    answer = await import_csv(DATED, dry_run="true")
    assert answer.status_code == 202, answer.text
    report = answer.json()
    assert (report["state"], report["rows_total"], report["rows_read"]) == ("staged", 4, 0)
    assert {use["column"]: use["read_as"] for use in report["columns"]} == {
        "Nr": "custom.nr",
        "Mail": "email",
        "Seit": "custom.seit",
    }
    tried = {"rows": 4, "imported": 3, "updated": 0, "duplicates": 0, "rejected": 1}
    assert report["tried"] == tried

    place = answer.headers["location"]
    changed = await api.patch(place, json={"mapping": dated(), "on_duplicate": "update"})
    assert changed.status_code == 200, changed.text
    assert [(e["row"], e["code"]) for e in changed.json()["errors"]] == [
        (1, "ambiguous-date"),
        (4, "invalid-email"),
    ]
    changed = await api.patch(place, json={"mapping": dated(order="day-first")})
    assert changed.json()["tried"] == tried
    assert changed.json()["options"]["on_duplicate"] == "update"
    wrong = await api.patch(place, json={"mapping": {"fields": {"email": "E-Mail"}}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/mapping/fields/email"
    assert await admin.fetchval("SELECT count(*) FROM leads") == 0


async def test_a_staged_file_is_carried_out_as_it_was_changed(
    import_csv: ImportCsv,
    admin: AdminConnection,
    db: Database,
    owner: Claims,
    api: httpx.AsyncClient,
) -> None:
    staged = await import_csv(DATED, dry_run="true")
    place = staged.headers["location"]
    assert (await api.post(f"{place}/revert")).status_code == 409
    await api.patch(place, json={"mapping": dated(order="day-first")})
    started = await api.post(f"{place}/start")
    assert (started.status_code, started.json()["state"]) == (202, "running")
    assert (await api.post(f"{place}/start")).status_code == 409
    assert (await api.patch(place, json={"score": True})).status_code == 409
    await carry_out(db, owner, staged.json()["id"])
    found = (await api.get(place)).json()
    assert (found["state"], counts(found)) == ("finished", (3, 0, 0, 1))
    days = await admin.fetch("SELECT custom ->> 'since' AS since FROM leads ORDER BY external_id")
    assert [row["since"] for row in days] == ["2026-04-03", "2025-12-31", None]


async def test_a_file_is_not_imported_twice_unless_that_is_meant(
    import_csv: ImportCsv, api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    content = "name,city\nAda,London\nGrace,New York\n"
    answers = await asyncio.gather(*(import_csv(content) for _ in range(3)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 2}
    [first] = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {problem["import_id"] for problem in refused} == {first["id"]}
    assert all("again" in problem["detail"] for problem in refused)
    assert (await import_csv(content, client=outsider)).status_code == 201
    assert counts((await import_csv(content, again="true")).json()) == (2, 0, 0, 0)

    staged = await import_csv(content, dry_run="true")
    assert staged.status_code == 202
    place = staged.headers["location"]
    assert (await api.post(f"{place}/start")).status_code == 409
    assert (await api.post(f"{place}/start", params={"again": "true"})).status_code == 202


async def test_what_its_sender_may_not_do_any_more_is_rejected(
    import_csv: ImportCsv, admin: AdminConnection, db: Database, owner: Claims, sign_in: SignIn
) -> None:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    client = sign_in(member)
    import_id = (await import_csv(file(), client=client)).json()["id"]
    async with db.session(member) as session:
        await step(session, ImportId(UUID(import_id)))
    await admin.execute("DELETE FROM members WHERE user_id = $1", member.sub)
    await carry_out(db, member, import_id)
    found = (await client.get(f"/v1/imports/{import_id}")).json()
    assert (found["state"], found["imported"]) == ("finished", 970)
    assert sum(counts(found)) == MANY


async def test_a_stopped_import_goes_on_where_it_was(
    import_csv: ImportCsv,
    admin: AdminConnection,
    db: Database,
    owner: Claims,
    api: httpx.AsyncClient,
) -> None:
    answer = await import_csv(file())
    place, task_id = answer.headers["location"], answer.json()["task_id"]
    async with db.session(owner) as session:
        await step(session, ImportId(UUID(answer.json()["id"])))
    assert (await api.post(f"{place}/revert")).status_code == 409
    assert (await api.post(f"/ai/tasks/{task_id}/cancel")).status_code in (200, 202)
    stopped = await eventually_stopped(api, place)
    assert 0 < stopped["rows_read"] < MANY
    went_on = await api.post(f"{place}/start")
    assert (went_on.status_code, went_on.json()["state"]) == (202, "running")
    assert went_on.json()["task_id"] != task_id
    await carry_out(db, owner, answer.json()["id"])
    found = (await api.get(place)).json()
    assert (found["state"], sum(counts(found))) == ("finished", MANY)
    assert await admin.fetchval("SELECT count(*) FROM leads") == 97 * MANY // 100


async def eventually_stopped(api: httpx.AsyncClient, place: str) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        return (await api.get(place)).json()

    return await eventually(ask, lambda found: found["state"] == "stopped")
