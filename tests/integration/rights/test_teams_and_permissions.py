"""Teams, the matrix and masks over HTTP: set by those who run the agency, and in force at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

    SignIn = Callable[[Claims], httpx.AsyncClient]

ANY = {"If-Match": "*"}


def cell(role: str, entity: str, verb: str, scope: str | None) -> dict[str, Any]:
    return {"role": role, "entity": entity, "verb": verb, "scope": scope}


async def test_a_team_is_made_changed_and_removed(
    admin: AdminConnection, api: httpx.AsyncClient, outsider: httpx.AsyncClient, owner: Claims
) -> None:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    both = sorted([str(owner.sub), str(member.sub)])
    key = {"Idempotency-Key": "k"}
    body = {"name": "Outbound", "members": both}
    made = await api.post("/v1/teams", json=body, headers=key)
    assert (made.status_code, made.json()["members"], made.headers["etag"]) == (201, both, '"1"')
    assert (await api.post("/v1/teams", json=body, headers=key)).json() == made.json()
    path = made.headers["location"]
    assert (await api.post("/v1/teams", json={"name": "OUTBOUND"})).status_code == 409
    match = {"If-Match": '"1"'}
    changed = await api.patch(path, json={"members": [str(member.sub)]}, headers=match)
    assert (changed.json()["members"], changed.json()["name"]) == ([str(member.sub)], "Outbound")
    assert (await api.patch(path, json={"name": "X"}, headers=match)).status_code == 412
    renamed = await api.patch(path, json={"name": "Inbound"}, headers=ANY)
    assert (renamed.json()["name"], renamed.json()["version"]) == ("Inbound", 3)
    assert [t["id"] for t in (await api.get("/v1/teams")).json()["items"]] == [made.json()["id"]]
    assert (await outsider.get(path)).status_code == 404
    assert (await outsider.patch(path, json={"name": "X"}, headers=ANY)).status_code == 404
    assert (await outsider.delete(path)).status_code == 404
    assert (await api.delete(path, headers={"If-Match": '"2"'})).status_code == 412
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404


async def test_nobody_of_another_agency_is_put_into_a_team(
    api: httpx.AsyncClient, stranger: Claims
) -> None:
    body = {"name": "T", "members": [str(stranger.sub)]}
    refused = await api.post("/v1/teams", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/members")
    assert (await api.get("/v1/teams")).json() == {"items": []}


@pytest.mark.parametrize("role", [UserRole.MANAGER, UserRole.AGENT, UserRole.READ_ONLY])
async def test_who_does_not_run_the_agency_reads_all_this_and_sets_nothing(
    admin: AdminConnection, api: httpx.AsyncClient, sign_in: SignIn, owner: Claims, role: UserRole
) -> None:
    client = sign_in(await make_member(admin, role=role, agency_id=owner.agency_id))
    path = (await api.post("/v1/teams", json={"name": "T"})).headers["location"]
    for readable in ("/v1/teams", path, "/v1/permissions", "/v1/field-masks", "/v1/members"):
        assert (await client.get(readable)).status_code == 200
    cells = {"items": [cell(role, "leads", "delete", "agency")]}
    masks = {"items": [{"role": role, "entity": "leads", "field": "email", "access": "hidden"}]}
    for answer in (
        await client.post("/v1/teams", json={"name": "U"}),
        await client.patch(path, json={"name": "U"}, headers=ANY),
        await client.delete(path),
        await client.put("/v1/permissions", json=cells),
        await client.put("/v1/field-masks", json=masks),
    ):
        assert answer.status_code == 403


async def test_a_cell_holds_at_once_and_goes_back_to_its_default(
    admin: AdminConnection, api: httpx.AsyncClient, db: Database, owner: Claims
) -> None:
    agent = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    await api.post("/v1/leads", json={"last_name": "A"})

    async def seen() -> int:
        async with db.session(agent) as session:
            return await session.fetchval("SELECT count(*) FROM leads")

    async def put(scope: str | None) -> dict[str, Any]:
        cells = {"items": [cell("agent", "leads", "read", scope)]}
        answer = await api.put("/v1/permissions", json=cells)
        assert answer.status_code == 200, answer.text
        found = {(c["role"], c["entity"], c["verb"]): c for c in answer.json()["items"]}
        assert sum(not c["is_default"] for c in found.values()) == (scope not in (None, "agency"))
        return found["agent", "leads", "read"]

    assert await seen() == 1
    narrowed = await put("own")
    assert (narrowed["scope"], narrowed["default"], narrowed["is_default"]) == (
        *("own", "agency", False),
    )
    assert await seen() == 0
    assert (await put("agency"))["is_default"] is True
    await put("none")
    assert (await put(None))["scope"] == "agency"
    assert await seen() == 1
    assert await admin.fetchval("SELECT count(*) FROM permissions") == 0


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        (cell("owner", "leads", "read", "none"), "/items/1/role"),
        (cell("agent", "lead", "read", "none"), "/items/1/entity"),
        (cell("agent", "leads", "write", "none"), "/items/1/verb"),
        (cell("agent", "leads", "read", "all"), "/items/1/scope"),
        (cell("agent", "pipelines", "read", "own"), "/items/1/scope"),
        (cell("agent", "deals", "read", "own"), "/items/0"),
    ],
)
async def test_of_cells_with_a_faulty_one_none_is_set(
    admin: AdminConnection, api: httpx.AsyncClient, item: dict[str, Any], pointer: str
) -> None:
    body = {"items": [cell("agent", "deals", "read", "none"), item]}
    answer = await api.put("/v1/permissions", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert await admin.fetchval("SELECT count(*) FROM permissions") == 0


async def test_masks_are_set_and_taken_away(api: httpx.AsyncClient) -> None:
    def mask(field: str, access: str | None) -> dict[str, Any]:
        return {"role": "agent", "entity": "leads", "field": field, "access": access}

    both = [mask("custom.size", "read_only"), mask("email", "hidden")]
    answer = await api.put("/v1/field-masks", json={"items": both})
    assert answer.json()["items"] == both
    answer = await api.put("/v1/field-masks", json={"items": [mask("email", None)]})
    assert answer.json()["items"] == both[:1] == (await api.get("/v1/field-masks")).json()["items"]
    for wrong in (mask("id", "hidden"), mask("nothing", "hidden"), mask("custom.", "hidden")):
        refused = await api.put("/v1/field-masks", json={"items": [wrong]})
        assert refused.json()["errors"][0]["pointer"] == "/items/0/field"
    owners = mask("email", "hidden") | {"role": "owner"}
    refused = await api.put("/v1/field-masks", json={"items": [owners]})
    assert refused.json()["errors"][0]["pointer"] == "/items/0/role"
