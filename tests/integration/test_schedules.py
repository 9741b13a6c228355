"""Tasks that recur, through HTTP: made, listed, changed as they were read, deleted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from gardenos.orchestrator.control.schedules import MOST_OF_AGENCY
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from tests.support.local import settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

SCHEDULES = "/ai/schedules"
ANY = {"If-Match": "*"}


@pytest.fixture
def app(db: Database, server: PostgresServer, database_name: str) -> FastAPI:
    return create_api(compose(settings_for(server.app(database_name)), db))


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    async with signing_in(app) as client:
        yield client


def daily(name: str = "Every morning", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "agent_type": "lead_analysis",
        "payload": {"lead_data": {"first_name": "Ada"}},
        "cron": "0 7 * * *",
        "time_zone": "Europe/Berlin",
        **fields,
    }


async def made(api: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await api.post(SCHEDULES, json=daily(**fields))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def pointers(answer: httpx.Response) -> list[str]:
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def stored(admin: AdminConnection) -> int:
    count: int = await admin.fetchval("SELECT count(*) FROM task_schedules")
    return count


async def test_a_schedule_shows_its_next_five_times_by_the_clock_of_its_zone(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    answer = await api.post(SCHEDULES, json=daily())
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"{SCHEDULES}/{told['id']}"
    runs = [datetime.fromisoformat(at) for at in told["next_runs"]]
    now = datetime.now(UTC)
    assert now < runs[0] <= now + timedelta(days=1)
    in_berlin = [at.astimezone(ZoneInfo("Europe/Berlin")) for at in runs]
    assert [(at.hour, at.minute) for at in in_berlin] == [(7, 0)] * 5
    assert [at.date() - in_berlin[0].date() for at in in_berlin] == [
        timedelta(days=n) for n in range(5)
    ]
    row = await admin.fetchrow("SELECT * FROM task_schedules")
    assert row is not None
    assert (row["next_run_at"], row["created_by"]) == (runs[0], owner.sub)
    found = await api.get(answer.headers["location"])
    assert found.json() == told
    assert found.headers["etag"] == '"1"'


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"cron": "0 0 30 2 *"}, "/cron"),
        ({"cron": "0 0 31 4,6 *"}, "/cron"),
        ({"cron": "61 * * * *"}, "/cron"),
        ({"cron": "* * * *"}, "/cron"),
        ({"cron": "* * * * * *"}, "/cron"),
        ({"cron": "now"}, "/cron"),
        ({"cron": " "}, "/cron"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"agent_type": "painter"}, "/agent_type"),
        ({"payload": {}}, "/payload"),
        ({"payload": {"lead_data": {"notes": "a\x00"}}}, "/payload"),
        ({"priority": 0}, "/priority"),
        ({"max_retries": 1_000_000}, "/max_retries"),
        ({"name": " "}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"enabled": "yes"}, "/enabled"),
        ({"every": "day"}, "/every"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else None,
)
async def test_what_is_no_schedule_is_named_and_not_stored(
    api: httpx.AsyncClient, admin: AdminConnection, fault: dict[str, Any], pointer: str
) -> None:
    answer = await api.post(SCHEDULES, json=daily() | fault)
    assert answer.status_code == 422, answer.text
    assert pointers(answer) == [pointer]
    assert await stored(admin) == 0
    told = await made(api)
    path = f"{SCHEDULES}/{told['id']}"
    answer = await api.patch(path, json=fault, headers=ANY)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])
    assert (await api.get(path)).json() == told


async def test_a_line_that_never_fires_says_so(api: httpx.AsyncClient) -> None:
    answer = await api.post(SCHEDULES, json=daily(cron="0 0 30 2 *"))
    assert answer.json()["detail"] == (
        "The cron line '0 0 30 2 *' never fires: no such month has such a day."
    )


async def test_a_change_names_what_it_saw_and_a_new_time_counts_from_now(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    told = await made(api)
    path = f"{SCHEDULES}/{told['id']}"
    # As long ago as after an outage: only a change of the time moves it.
    await admin.execute("UPDATE task_schedules SET next_run_at = '2026-01-01T06:00:00Z'")
    assert (await api.patch(path, json={"priority": 1})).status_code == 428
    seen = {"If-Match": '"1"'}
    answer = await api.patch(path, json={"priority": 1}, headers=seen)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert (await api.patch(path, json={"priority": 2}, headers=seen)).status_code == 412
    assert answer.json()["next_runs"][0] == "2026-01-01T06:00:00Z"
    moved = await api.patch(path, json={"cron": "30 * * * *"}, headers=ANY)
    first = datetime.fromisoformat(moved.json()["next_runs"][0])
    assert datetime.now(UTC) < first <= datetime.now(UTC) + timedelta(hours=1)
    assert first.minute == 30
    kept = {"name", "agent_type", "payload", "max_retries", "time_zone", "enabled"}
    assert {name: moved.json()[name] for name in kept} == {name: told[name] for name in kept}


async def test_one_that_is_switched_off_has_no_times_until_it_is_switched_on(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    told = await made(api)
    path = f"{SCHEDULES}/{told['id']}"
    off = await api.patch(path, json={"enabled": False}, headers=ANY)
    assert off.json()["next_runs"] == []
    await admin.execute("UPDATE task_schedules SET next_run_at = '2026-01-01T06:00:00Z'")
    on = await api.patch(path, json={"enabled": True}, headers=ANY)
    assert on.json()["next_runs"] == told["next_runs"]


async def test_names_are_an_agencys_own_and_given_once(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, admin: AdminConnection
) -> None:
    first, second = await made(api), await made(api, name="Every evening")
    await made(outsider)
    again = await api.post(SCHEDULES, json=daily())
    assert (again.status_code, pointers(again)) == (409, ["/name"])
    taken = await api.patch(
        f"{SCHEDULES}/{second['id']}", json={"name": first["name"]}, headers=ANY
    )
    assert taken.status_code == 409
    assert await stored(admin) == 3


async def test_making_one_twice_with_a_key_makes_one(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    key = {"Idempotency-Key": "once"}
    first = await api.post(SCHEDULES, json=daily(), headers=key)
    again = await api.post(SCHEDULES, json=daily(), headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    other = await api.post(SCHEDULES, json=daily(name="Another"), headers=key)
    assert other.status_code == 409
    assert await stored(admin) == 1


async def test_the_list_is_paged_the_newest_first(api: httpx.AsyncClient) -> None:
    ids = [(await made(api, name=f"schedule {n}"))["id"] for n in range(5)]
    found: list[str] = []
    answer = await api.get(SCHEDULES, params={"limit": 2})
    while True:
        found += [item["id"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
        answer = await api.get(SCHEDULES, params={"limit": 2, "cursor": cursor})
    assert found == ids[::-1]


async def test_one_is_deleted_as_it_was_read(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    path = f"{SCHEDULES}/{(await made(api))['id']}"
    assert (await api.delete(path, headers={"If-Match": '"7"'})).status_code == 412
    assert (await api.delete(path, headers={"If-Match": '"1"'})).status_code == 204
    assert (await api.delete(path)).status_code == 404
    assert await stored(admin) == 0


async def test_another_agencys_is_not_there_and_who_only_reads_changes_none(
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    admin: AdminConnection,
) -> None:
    told = await made(api)
    path = f"{SCHEDULES}/{told['id']}"
    for client, status in ((outsider, 404), (reader, 403)):
        assert (await client.patch(path, json={"priority": 1}, headers=ANY)).status_code == status
        assert (await client.delete(path)).status_code == status
    assert (await outsider.get(path)).status_code == 404
    assert (await outsider.get(SCHEDULES)).json()["items"] == []
    assert (await reader.get(path)).json() == told
    assert (await reader.post(SCHEDULES, json=daily(name="x"))).status_code == 403
    assert (await api.get(f"{SCHEDULES}/{uuid4()}")).status_code == 404
    assert await stored(admin) == 1


async def test_an_agency_has_so_many_and_no_more(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute(
        "INSERT INTO task_schedules (agency_id, name, agent_type, cron, next_run_at)"
        " SELECT $1, n::text, 'lead_analysis', '* * * * *', now() FROM generate_series(1, $2::integer) n",
        owner.agency_id,
        MOST_OF_AGENCY,
    )
    answer = await api.post(SCHEDULES, json=daily())
    assert answer.status_code == 409
    assert f"has {MOST_OF_AGENCY} schedules" in answer.json()["detail"]
