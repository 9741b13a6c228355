"""`GET /v1/audit`: who may read it, what it leaves out, and that pages lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection

    SignIn = Callable[[Claims], httpx.AsyncClient]


async def listed(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def add(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/leads", json=fields)
    assert answer.status_code == 201
    return answer.json()


async def test_a_change_over_http_is_found_by_each_of_its_marks(
    api: httpx.AsyncClient, owner: Claims
) -> None:
    lead = await add(api, last_name="Lovelace")
    await add(api, last_name="Babbage")
    changed = await api.patch(
        f"/v1/leads/{lead['id']}",
        json={"status": "contacted", "custom": {"size": 3}},
        headers={"If-Match": '"1"', "X-Request-Id": "of-the-change"},
    )
    assert changed.status_code == 200
    (entry,) = await listed(api, record_id=lead["id"], verb="update")
    assert entry["changes"] == {"status": ["new", "contacted"], "custom.size": [None, 3]}
    assert (entry["actor"], entry["actor_kind"]) == (str(owner.sub), "member")
    assert await listed(api, request_id="of-the-change") == [entry]
    for query, count in (
        ({"entity": "leads"}, 3),
        ({"entity": "leads", "verb": "create"}, 2),
        ({"entity": "deals"}, 0),
        ({"entity": "leads", "actor": str(owner.sub)}, 3),
        ({"actor": str(uuid4())}, 0),
        ({"entity": "leads", "at.gte": entry["at"]}, 1),
        ({"entity": "leads", "at.lt": entry["at"]}, 2),
        ({"record_id": "' OR 1 = 1 --"}, 0),
    ):
        assert len(await listed(api, **query)) == count, query


async def test_pages_show_every_entry_once(api: httpx.AsyncClient) -> None:
    for number in range(7):
        await add(api, last_name=str(number))
    whole = await listed(api, entity="leads")
    seen: list[dict[str, Any]] = []
    path = "/v1/audit?entity=leads&limit=3"
    while path:
        answer = await api.get(path)
        seen += answer.json()["items"]
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    assert seen == whole
    assert len(seen) == 7


@pytest.mark.parametrize("query", [{"verb": "read"}, {"actor": "me"}, {"at.gte": "1"}, {"to": "x"}])
async def test_a_filter_that_cannot_be_is_refused(
    api: httpx.AsyncClient, query: dict[str, str]
) -> None:
    answer = await api.get("/v1/audit", params=query)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cursor_serves_its_own_list_and_agency_only(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    for client in (api, outsider):
        await add(client, last_name="A")
        await add(client, last_name="B")
    page = await api.get("/v1/audit", params={"entity": "leads", "limit": 1})
    cursor = page.json()["next_cursor"]
    for client, query in ((api, {"entity": "deals"}), (outsider, {"entity": "leads"})):
        refused = await client.get("/v1/audit", params={**query, "cursor": cursor})
        assert refused.json()["type"] == "urn:gardenos:problem:invalid-cursor"


@pytest.mark.parametrize("role", UserRole)
async def test_who_does_not_read_the_log_is_told_so(
    admin: AdminConnection, sign_in: SignIn, owner: Claims, role: UserRole
) -> None:
    client = sign_in(await make_member(admin, role=role, agency_id=owner.agency_id))
    answer = await client.get("/v1/audit")
    assert answer.status_code == (200 if role.administers else 403)


async def test_a_role_that_may_read_it_sees_no_field_that_is_hidden_from_it(
    admin: AdminConnection, sign_in: SignIn, api: httpx.AsyncClient, owner: Claims
) -> None:
    manager = await make_member(admin, role=UserRole.MANAGER, agency_id=owner.agency_id)
    await admin.execute(
        "INSERT INTO permissions VALUES ($1, 'manager', 'audit', 'read', 'agency')", owner.agency_id
    )
    await admin.execute(
        "INSERT INTO field_masks (agency_id, role, entity, field, access) SELECT"
        " $1, 'manager', 'leads', field, 'hidden' FROM unnest(ARRAY['email', 'custom.size']) field",
        owner.agency_id,
    )
    lead = await add(api, last_name="A", email="a@example.com", custom={"size": 1, "seen": 2})
    match = {"If-Match": "*"}
    body = {"email": "b@example.com", "phone": "1", "custom": {"size": 5}}
    await api.patch(f"/v1/leads/{lead['id']}", json=body, headers=match)
    changed, created = await listed(sign_in(manager), entity="leads")
    assert changed["changes"] == {"phone": [None, "1"]}
    assert created["changes"] == {
        "last_name": [None, "A"],
        "status": [None, "new"],
        "custom.seen": [None, 2],
    }
    changed, _ = await listed(api, entity="leads")
    assert changed["changes"].keys() == {"email", "phone", "custom.size"}


async def test_another_agency_sees_nothing_of_it(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    lead = await add(api, last_name="A")
    assert await listed(outsider, record_id=lead["id"]) == []
