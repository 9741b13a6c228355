from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from gardenos.testing.postgres import AdminConnection

KEY = {"Idempotency-Key": "order 66"}


async def test_a_repeated_post_is_answered_by_the_first(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    first = await api.post("/v1/leads", json={"first_name": "Ada"}, headers=KEY)
    again = await api.post("/v1/leads", json={"first_name": "Ada"}, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert await admin.fetchval("SELECT count(*) FROM leads") == 1


async def test_a_key_with_another_request_is_refused(api: httpx.AsyncClient) -> None:
    made = await api.post("/v1/leads", json={"first_name": "Ada"}, headers=KEY)
    other = await api.post("/v1/leads", json={"first_name": "Eve"}, headers=KEY)
    assert other.status_code == 409
    assert other.json()["type"] == "urn:gardenos:problem:idempotency-key-reused"
    path = f"/v1/leads/{made.json()['id']}/restore"
    assert (await api.post(path, headers=KEY)).status_code == 409


async def test_a_repeated_restore_does_not_undo_a_later_deletion(api: httpx.AsyncClient) -> None:
    path = f"/v1/leads/{(await api.post('/v1/leads', json={})).json()['id']}"
    await api.delete(path)
    first = await api.post(f"{path}/restore", headers=KEY)
    await api.delete(path)
    again = await api.post(f"{path}/restore", headers=KEY)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert (await api.get(path)).status_code == 404


async def test_a_key_belongs_to_one_agency(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    mine = await api.post("/v1/leads", json={}, headers=KEY)
    theirs = await outsider.post("/v1/leads", json={}, headers=KEY)
    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine.json()["id"]


async def test_a_failed_request_leaves_its_key_free(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    await api.post("/v1/leads", json={"external_id": "x"})
    assert (await api.post("/v1/leads", json={"external_id": "x"}, headers=KEY)).status_code == 409
    assert await admin.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    assert (await api.post("/v1/leads", json={}, headers=KEY)).status_code == 201


async def test_duplicates_at_the_same_time_take_effect_once(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    answers = await asyncio.gather(
        *(api.post("/v1/leads", json={"first_name": "Ada"}, headers=KEY) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer for answer in answers if "idempotent-replayed" in answer.headers]
    assert len(replayed) == 7
    assert await admin.fetchval("SELECT count(*) FROM leads") == 1


async def test_a_duplicate_waits_for_the_first_and_takes_over_if_that_fails(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    agency = (await api.get("/v1/agency")).json()["id"]
    transaction = admin.transaction()
    await transaction.start()
    await admin.execute(
        "INSERT INTO idempotency_keys (agency_id, key, fingerprint) VALUES ($1, $2, '')",
        agency,
        KEY["Idempotency-Key"],
    )
    waiting = asyncio.create_task(api.post("/v1/leads", json={}, headers=KEY))
    async with asyncio.timeout(20):
        while not await admin.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        ):
            await asyncio.wait([waiting], timeout=0.01)
            assert not waiting.done()
    await transaction.rollback()
    assert (await waiting).status_code == 201


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"a\x00b", b"\xff", b"tab\there"])
async def test_a_key_that_is_none_is_refused(api: httpx.AsyncClient, key: bytes) -> None:
    answer = await api.post("/v1/leads", json={}, headers={b"Idempotency-Key": key})
    assert answer.status_code == 400
    assert (await api.get("/v1/leads")).json()["items"] == []
