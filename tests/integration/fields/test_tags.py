"""Tags over HTTP: once on a record, found by lists, kept to who may change the record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member
from tests.integration.fields.conftest import etag

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn
    from tests.integration.fields.conftest import Make

NOBODY = "00000000-0000-0000-0000-000000000001"
RECORDS = {
    "leads": {"last_name": "Byron"},
    "contacts": {"last_name": "Lovelace"},
    "companies": {"name": "Engines"},
    "deals": {"name": "Engine"},
    "tasks": {"title": "Call"},
}


@pytest.mark.parametrize("noun", RECORDS)
async def test_a_record_carries_a_tag_once_and_lists_find_it(
    api: httpx.AsyncClient, make: Make, noun: str
) -> None:
    vip = await make("tags", name="VIP", color="#2f855a")
    record = await make(noun, **RECORDS[noun])
    await make(noun, **RECORDS[noun])
    address = f"/v1/{noun}/{record['id']}/tags/{vip['id']}"
    both = await asyncio.gather(api.put(address), api.put(address))
    assert [one.status_code for one in both] == [204, 204]
    tags = (await api.get(f"/v1/{noun}/{record['id']}/tags")).json()["items"]
    assert [(tag["name"], tag["color"]) for tag in tags] == [("VIP", "#2f855a")]
    found = (await api.get(f"/v1/{noun}", params={"tag": "vip", "total": "true"})).json()
    assert ([one["id"] for one in found["items"]], found["total"]) == ([record["id"]], 1)
    for _ in range(2):
        assert (await api.delete(address)).status_code == 204
    assert (await api.get(f"/v1/{noun}", params={"tag": "vip"})).json()["items"] == []


async def test_names_of_tags_are_unique_whatever_their_capitals(
    api: httpx.AsyncClient, make: Make
) -> None:
    vip = await make("tags", name="VIP")
    again = await api.post("/v1/tags", json={"name": "vip"})
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (409, "/name")
    await api.delete(f"/v1/tags/{vip['id']}")
    await make("tags", name="vip")
    assert (await api.post(f"/v1/tags/{vip['id']}/restore")).status_code == 409


async def test_a_deleted_tag_finds_nothing_and_its_records_have_it_again_when_restored(
    api: httpx.AsyncClient, make: Make
) -> None:
    vip, lead = await make("tags", name="VIP"), await make("leads", last_name="Byron")
    await api.put(f"/v1/leads/{lead['id']}/tags/{vip['id']}")
    await api.delete(f"/v1/tags/{vip['id']}")
    assert (await api.get("/v1/leads", params={"tag": "VIP"})).json()["items"] == []
    assert (await api.put(f"/v1/leads/{lead['id']}/tags/{vip['id']}")).status_code == 404
    await api.post(f"/v1/tags/{vip['id']}/restore")
    assert len((await api.get("/v1/leads", params={"tag": "VIP"})).json()["items"]) == 1


async def test_what_is_not_there_is_not_tagged(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, make: Make
) -> None:
    vip, lead = await make("tags", name="VIP"), await make("leads", last_name="Byron")
    assert (await api.put(f"/v1/leads/{NOBODY}/tags/{vip['id']}")).status_code == 404
    assert (await api.put(f"/v1/leads/{lead['id']}/tags/{NOBODY}")).status_code == 404
    theirs = (await outsider.post("/v1/tags", json={"name": "VIP"})).json()
    assert (await api.put(f"/v1/leads/{lead['id']}/tags/{theirs['id']}")).status_code == 404
    assert (await outsider.get(f"/v1/leads/{lead['id']}/tags")).status_code == 404


async def test_a_tag_is_for_who_may_change_the_record(
    admin: AdminConnection, owner: Claims, sign_in: SignIn, reader: httpx.AsyncClient, make: Make
) -> None:
    vip, lead = await make("tags", name="VIP"), await make("leads", last_name="Byron")
    address = f"/v1/leads/{lead['id']}/tags/{vip['id']}"
    assert (await reader.put(address)).status_code == 403
    await admin.execute(
        "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
        " VALUES ($1, 'agent', 'leads', 'update', 'own')",
        owner.agency_id,
    )
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    agent = sign_in(member)
    assert (await agent.put(address)).status_code == 403
    mine = (await agent.post("/v1/leads", json={"last_name": "Mine"})).json()
    assert (await agent.put(f"/v1/leads/{mine['id']}/tags/{vip['id']}")).status_code == 204


async def test_tags_that_a_role_may_not_see_are_not_guessed_by_a_filter(
    admin: AdminConnection,
    owner: Claims,
    api: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    make: Make,
) -> None:
    vip, lead = await make("tags", name="VIP"), await make("leads", last_name="Byron")
    await api.put(f"/v1/leads/{lead['id']}/tags/{vip['id']}")
    await admin.execute(
        "INSERT INTO field_masks (agency_id, role, entity, field, access)"
        " VALUES ($1, 'read_only', 'leads', 'tags', 'hidden')",
        owner.agency_id,
    )
    assert (await reader.get("/v1/leads", params={"tag": "VIP"})).status_code == 403
    assert (await reader.get(f"/v1/leads/{lead['id']}/tags")).json() == {"items": []}


@pytest.mark.parametrize("tag", ["", " ", "x" * 51, "a\x00b"])
async def test_a_filter_by_what_no_tag_is_called_is_refused(
    api: httpx.AsyncClient, tag: str
) -> None:
    assert (await api.get("/v1/leads", params={"tag": tag})).status_code == 400


async def test_a_tag_changes_at_the_version_that_was_read(
    api: httpx.AsyncClient, make: Make
) -> None:
    vip = await make("tags", name="VIP")
    path = f"/v1/tags/{vip['id']}"
    renamed = await api.patch(path, json={"name": "Vip!"}, headers=etag(vip))
    assert renamed.json()["name"] == "Vip!"
    assert (await api.patch(path, json={"name": "x"}, headers=etag(vip))).status_code == 412
