"""What a request asks of PostgreSQL, in round trips: counted on the connection itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

import pytest

from gardenos.db.pool import open_database
from tests.support.records import make

if TYPE_CHECKING:
    import httpx
    from asyncpg.connection import LoggedQuery

    from gardenos.db.session import Database
    from gardenos.testing.postgres import PostgresServer

READ, WRITE = 3, 4
TRIPS: Final[list[str]] = []


@pytest.fixture
async def db(server: PostgresServer, database_name: str) -> AsyncGenerator[Database]:
    """The app's view of a fresh database, by one connection that tells of every statement."""
    TRIPS.clear()

    def told(query: LoggedQuery) -> None:
        TRIPS.append(query.query)

    dsn = server.app(database_name)
    database = await open_database(dsn, min_size=1, max_size=1, name="test")
    try:
        async with database.pool.acquire() as conn:
            conn.add_query_logger(told)
        yield database
    finally:
        await database.pool.close()


async def trips(client: httpx.AsyncClient, method: str, path: str, **sent: Any) -> list[str]:
    """The statements of a request, each of them a round trip, when it is asked once more.

    The first time, asyncpg has to learn of each statement what it takes and gives.
    """
    for _ in range(2):
        TRIPS.clear()
        answer = await client.request(method, path, **sent)
        assert answer.is_success or answer.status_code == 304, answer.text
    return list(TRIPS)


@pytest.mark.parametrize("noun", ["leads", "contacts", "companies", "deals", "tasks", "activities"])
async def test_reading_takes_three_round_trips(api: httpx.AsyncClient, noun: str) -> None:
    record = await make(api, noun)
    one = f"/v1/{noun}/{record['id']}"
    for path, asked, headers in (
        (one, {}, {}),
        (one, {"fields": "id"}, {}),
        (one, {}, {"If-None-Match": f'"{record.get("version", 1)}"'}),
        (f"/v1/{noun}", {}, {}),
        (f"/v1/{noun}", {"total": "true", "sort": "created_at", "q": "x"}, {}),
        (f"/v1/{noun}", {"id": record["id"]}, {}),
    ):
        if noun == "activities" and "q" in asked:
            continue
        found = await trips(api, "GET", path, params=asked, headers=headers)
        assert len(found) <= READ, (path, asked, found)


async def test_a_board_and_a_history_take_three_round_trips(api: httpx.AsyncClient) -> None:
    deal = await make(api, "deals")
    for path in (
        f"/v1/pipelines/{deal['pipeline_id']}/board",
        f"/v1/deals/{deal['id']}/stages",
        "/v1/audit",
        "/v1/members",
        "/v1/agency",
    ):
        assert len(await trips(api, "GET", path)) <= READ, (path, TRIPS)


@pytest.mark.parametrize("noun", ["leads", "contacts", "companies", "tasks"])
async def test_writing_takes_three_round_trips_with_a_key_or_without(
    api: httpx.AsyncClient, noun: str
) -> None:
    body = {"title": "Call"} if noun == "tasks" else {"name": "Ada"}
    body = {"last_name": "Ada"} if noun in ("leads", "contacts") else body
    sure = {"Allow-Duplicate": "true"}
    assert len(await trips(api, "POST", f"/v1/{noun}", json=body, headers=sure)) == READ
    for key in ("one", "two"):
        TRIPS.clear()
        headers = {"Idempotency-Key": key, **sure}
        answer = await api.post(f"/v1/{noun}", json=body, headers=headers)
        assert answer.status_code == 201
        assert len(TRIPS) == READ, TRIPS
    path = f"/v1/{noun}/{answer.json()['id']}"
    matching = {"If-Match": "*"}
    assert len(await trips(api, "PATCH", path, json=body, headers=matching)) <= WRITE, TRIPS
    TRIPS.clear()
    assert (await api.delete(path)).status_code == 204
    assert len(TRIPS) <= WRITE, TRIPS
    TRIPS.clear()
    assert (await api.post(f"{path}/restore")).status_code == 200
    assert len(TRIPS) <= WRITE, TRIPS


@pytest.mark.parametrize("noun", ["leads", "contacts"])
async def test_asking_whether_a_record_is_there_takes_one_more(
    api: httpx.AsyncClient, noun: str
) -> None:
    for n in range(2):
        TRIPS.clear()
        body = {"last_name": "Ada", "email": f"{n}@example.com", "phone": "+4930123456"}
        answer = await api.post(f"/v1/{noun}", json=body | {"phone": f"+4930{n}23456"})
        assert answer.status_code == 201, answer.text
    assert len(TRIPS) == WRITE, TRIPS


async def test_a_deal_takes_four_round_trips_with_a_key(api: httpx.AsyncClient) -> None:
    await make(api, "deals")
    for key in ("one", "two"):
        TRIPS.clear()
        headers = {"Idempotency-Key": key}
        answer = await api.post("/v1/deals", json={"name": "Engine"}, headers=headers)
        assert answer.status_code == 201
        won = f"/v1/deals/{answer.json()['id']}/win"
    assert len(TRIPS) <= WRITE, TRIPS
    for key in ("three", "four"):
        TRIPS.clear()
        assert (await api.post(won, json={}, headers={"Idempotency-Key": key})).status_code == 200
    assert len(TRIPS) <= WRITE, TRIPS


async def test_what_is_included_takes_one_more_for_each_kind(api: httpx.AsyncClient) -> None:
    company = await make(api, "companies")
    contact = await make(api, "contacts", company_id=company["id"])
    path = f"/v1/contacts/{contact['id']}"
    assert len(await trips(api, "GET", path, params={"include": "company"})) == READ + 1


async def test_a_repeated_request_takes_three_round_trips(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    await trips(api, "POST", "/v1/leads", json={"last_name": "Ada"}, headers=headers)
    found = await trips(api, "POST", "/v1/leads", json={"last_name": "Ada"}, headers=headers)
    assert len(found) == READ, found


async def test_what_goes_with_begin_and_commit_is_kept_to_the_letter(
    api: httpx.AsyncClient,
) -> None:
    name = "Ødå' \\' \\\\ \" $1 \u2028 😀'; DROP TABLE leads; --"
    key = {"Idempotency-Key": "".join(map(chr, range(0x21, 0x7F)))}
    first = await api.post("/v1/leads", json={"last_name": name, "notes": "\t\n"}, headers=key)
    assert first.json()["last_name"] == name
    again = await api.post("/v1/leads", json={"last_name": name, "notes": "\t\n"}, headers=key)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert again.headers["location"] == first.headers["location"]
