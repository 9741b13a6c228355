"""Members: who may make whom what, and that an agency always has an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
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
NARROWER = (UserRole.ADMIN, UserRole.MANAGER, UserRole.AGENT, UserRole.READ_ONLY)


async def roles(admin: AdminConnection, owner: Claims) -> dict[object, str]:
    found = await admin.fetch(
        "SELECT user_id, role FROM members WHERE agency_id = $1", owner.agency_id
    )
    return {row["user_id"]: row["role"] for row in found}


async def test_everybody_sees_who_belongs_and_nobody_of_another_agency(
    admin: AdminConnection, sign_in: SignIn, owner: Claims, stranger: Claims
) -> None:
    reader = await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id)
    answer = await sign_in(reader).get("/v1/members")
    listed = {member["user_id"]: member for member in answer.json()["items"]}
    assert listed.keys() == {str(owner.sub), str(reader.sub)}
    assert listed[str(reader.sub)]["email"] == reader.email
    assert listed[str(reader.sub)]["role"] == "read_only"
    missing = await sign_in(reader).get(f"/v1/members/{stranger.sub}")
    assert missing.status_code == 404


async def test_a_role_changes_for_whoever_read_the_latest_version(
    admin: AdminConnection, api: httpx.AsyncClient, owner: Claims
) -> None:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    path = f"/v1/members/{member.sub}"
    read = await api.get(path)
    assert (await api.get(path, headers={"If-None-Match": read.headers["etag"]})).status_code == 304
    match = {"If-Match": read.headers["etag"]}
    assert (await api.patch(path, json={"role": "manager"})).status_code == 428
    changed = await api.patch(path, json={"role": "manager"}, headers=match)
    assert (changed.status_code, changed.json()["role"]) == (200, "manager")
    assert (await api.patch(path, json={"role": "admin"}, headers=match)).status_code == 412
    assert (await api.delete(path, headers=match)).status_code == 412
    assert (await api.patch(path, json={"role": "boss"}, headers=ANY)).status_code == 422
    nobody = await api.patch(f"/v1/members/{uuid4()}", json={"role": "admin"}, headers=ANY)
    assert nobody.status_code == 404
    assert (
        await api.delete(path, headers={"If-Match": changed.headers["etag"]})
    ).status_code == 204
    assert (await api.delete(path)).status_code == 404
    assert await roles(admin, owner) == {owner.sub: "owner"}
    trail = await admin.fetch(
        "SELECT verb, changes::text FROM audit_log"
        " WHERE entity = 'members' AND record_id = $1 AND actor = $2 ORDER BY id",
        str(member.sub),
        owner.sub,
    )
    assert [tuple(row) for row in trail] == [
        ("update", '{"role": ["agent", "manager"]}'),
        ("delete", '{"role": ["manager", null]}'),
    ]


@pytest.mark.parametrize("role", NARROWER)
async def test_nobody_but_an_owner_makes_or_unmakes_one(
    admin: AdminConnection, sign_in: SignIn, db: Database, owner: Claims, role: UserRole
) -> None:
    await make_member(admin, agency_id=owner.agency_id)
    member = await make_member(admin, role=role, agency_id=owner.agency_id)
    before = await roles(admin, owner)
    client = sign_in(member)
    for path, body in (
        (f"/v1/members/{member.sub}", {"role": "owner"}),
        (f"/v1/members/{owner.sub}", {"role": "admin"}),
    ):
        assert (await client.patch(path, json=body, headers=ANY)).status_code == 403
    assert (await client.delete(f"/v1/members/{owner.sub}")).status_code == 403
    invited = await client.post("/v1/invitations", json={"email": "x@example.com", "role": "owner"})
    assert invited.status_code == 403
    assert await roles(admin, owner) == before
    for attempt in (
        "UPDATE members SET role = 'owner' WHERE user_id = app.user_id()",
        "UPDATE members SET role = 'agent' WHERE role = 'owner'",
        "DELETE FROM members WHERE role = 'owner'",
        "UPDATE members SET user_id = app.user_id() WHERE role = 'owner'",
        "INSERT INTO members (agency_id, user_id, role) SELECT app.agency_id(), app.user_id(), 'owner'",
    ):
        try:
            async with db.session(member) as session:
                # Whoever runs nothing finds no row to change; an admin is refused.
                assert (await session.execute(attempt)).endswith(" 0")
        except asyncpg.InsufficientPrivilegeError:
            pass
        assert await roles(admin, owner) == before


async def test_an_admin_runs_everybody_else(
    admin: AdminConnection, sign_in: SignIn, owner: Claims
) -> None:
    client = sign_in(await make_member(admin, role=UserRole.ADMIN, agency_id=owner.agency_id))
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    path = f"/v1/members/{member.sub}"
    assert (await client.patch(path, json={"role": "admin"}, headers=ANY)).status_code == 200
    assert (await client.delete(path)).status_code == 204


async def test_the_last_owner_stays(
    admin: AdminConnection, api: httpx.AsyncClient, db: Database, owner: Claims
) -> None:
    path = f"/v1/members/{owner.sub}"
    for refused in (
        await api.patch(path, json={"role": "admin"}, headers=ANY),
        await api.delete(path),
    ):
        assert refused.status_code == 409
        assert "last owner" in refused.json()["detail"]
    with pytest.raises(asyncpg.CheckViolationError, match="last owner"):
        async with db.session(owner) as session:
            await session.execute("DELETE FROM members")
    second = await make_member(admin, agency_id=owner.agency_id)
    assert (await api.delete(path)).status_code == 204
    assert await roles(admin, owner) == {second.sub: "owner"}


async def test_of_two_owners_who_remove_each_other_at_once_one_stays(
    admin: AdminConnection, sign_in: SignIn, owner: Claims
) -> None:
    second = await make_member(admin, agency_id=owner.agency_id)
    answers = await asyncio.gather(
        sign_in(owner).delete(f"/v1/members/{second.sub}"),
        sign_in(second).delete(f"/v1/members/{owner.sub}"),
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert list((await roles(admin, owner)).values()) == ["owner"]


async def test_what_a_removed_member_owned_is_nobodys_then(
    admin: AdminConnection, api: httpx.AsyncClient, owner: Claims
) -> None:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    body = {"last_name": "A", "owner_id": str(member.sub)}
    lead = (await api.post("/v1/leads", json=body)).json()
    team = await api.post("/v1/teams", json={"name": "T", "members": [str(member.sub)]})
    assert (await api.delete(f"/v1/members/{member.sub}")).status_code == 204
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["owner_id"] is None
    assert (await api.get(team.headers["location"])).json()["members"] == []
    told = await api.get("/v1/audit", params={"record_id": lead["id"], "verb": "update"})
    assert told.json()["items"][0]["changes"] == {"owner_id": [str(member.sub), None]}
