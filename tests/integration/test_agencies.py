from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection

    SignIn = Callable[[Claims], httpx.AsyncClient]

ANY = {"If-Match": "*"}


async def test_the_agency_is_renamed_by_those_who_run_it(
    api: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    owner: Claims,
    admin: AdminConnection,
) -> None:
    await make_member(admin)
    mine = await api.get("/v1/agency")
    assert (mine.json()["id"], mine.json()["name"]) == (str(owner.agency_id), "Test")
    match = {"If-Match": mine.headers["etag"]}
    assert (await reader.get("/v1/agency")).status_code == 200
    refused = await reader.patch("/v1/agency", json={"name": "X"}, headers=match)
    assert refused.status_code == 403
    assert (await api.patch("/v1/agency", json={"name": "X"})).status_code == 428
    renamed = await api.patch("/v1/agency", json={"name": " Grün & Söhne "}, headers=match)
    assert renamed.json()["name"] == "Grün & Söhne"
    assert renamed.headers["etag"] == '"2"'
    assert (await api.patch("/v1/agency", json={"name": "Y"}, headers=match)).status_code == 412
    names = await admin.fetch("SELECT name FROM agencies ORDER BY name")
    assert [row["name"] for row in names] == ["Grün & Söhne", "Test"]


@pytest.mark.parametrize("role", UserRole)
async def test_owners_and_admins_rename_and_everybody_reads(
    admin: AdminConnection, sign_in: SignIn, owner: Claims, role: UserRole
) -> None:
    client = sign_in(await make_member(admin, role=role, agency_id=owner.agency_id))
    assert (await client.get("/v1/agency")).status_code == 200
    answer = await client.patch("/v1/agency", json={"name": "New"}, headers=ANY)
    assert answer.status_code == (200 if role.administers else 403)
    kept = await admin.fetchval("SELECT name FROM agencies WHERE id = $1", owner.agency_id)
    assert (kept == "New") == role.administers


async def test_a_name_that_will_not_do_is_refused(api: httpx.AsyncClient) -> None:
    for body in [
        {},
        {"name": None},
        {"name": "  "},
        {"name": "x" * 201},
        {"name": "a\0b"},
        {"name": 7},
        {"name": "New", "id": "x"},
    ]:
        answer = await api.patch("/v1/agency", json=body, headers=ANY)
        assert answer.status_code == 422, body
    for content, status in [
        (b'{"name": "\\ud800"}', 422),
        (b'{"name": "\xff"}', 400),
        (b'{"name": "' + b"x" * 10_000_000 + b'"}', 413),
    ]:
        headers = ANY | {"Content-Type": "application/json"}
        answer = await api.patch("/v1/agency", content=content, headers=headers)
        assert answer.status_code == status, content[:50]
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.get("/v1/agency")).headers["etag"] == '"1"'


async def test_a_reader_of_the_current_version_gets_304(api: httpx.AsyncClient) -> None:
    tag = (await api.get("/v1/agency")).headers["etag"]
    held = await api.get("/v1/agency", headers={"If-None-Match": tag})
    assert (held.status_code, held.content) == (304, b"")
    await api.patch("/v1/agency", json={"name": "New"}, headers=ANY)
    assert (await api.get("/v1/agency", headers={"If-None-Match": tag})).status_code == 200


async def test_an_agency_that_was_removed_is_not_there(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute("DELETE FROM agencies WHERE id = $1", owner.agency_id)
    assert (await api.get("/v1/agency")).status_code == 404
    gone = await api.patch("/v1/agency", json={"name": "New"}, headers=ANY)
    assert gone.status_code == 404
    # What it had is gone with it, and nothing new can be written under it.
    assert (await api.get("/v1/leads")).json()["items"] == []
    for answer in [
        await api.post("/v1/leads", json={"first_name": "Ada"}),
        await api.post("/v1/leads", json={}, headers={"Idempotency-Key": "k"}),
        await api.post("/v1/imports", files={"file": b"email\na@example.com\n"}),
    ]:
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:gardenos:problem:agency-missing"
