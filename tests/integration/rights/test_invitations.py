"""Invitations: a link that lets one person in once, and what it does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.integration.rights.conftest import PASSWORD, Anybody, SignUp

if TYPE_CHECKING:
    import httpx

    from gardenos.testing.postgres import AdminConnection
    from tests.integration.rights.conftest import Person

BOB = "bob@example.org"


async def invite(person: Person, email: str = BOB, role: str = "manager", **more: Any) -> Any:
    body = {"email": email, "role": role, **more}
    answer = await person.client.post("/v1/invitations", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def agency_of(person: Person) -> str:
    return (await person.client.get("/v1/agency")).json()["name"]


async def join_by_sign_up(client: httpx.AsyncClient, token: str, email: str = BOB) -> Any:
    body = {"email": email, "password": PASSWORD, "data": {"invitation": token}}
    return await client.post("/auth/v1/signup", json=body)


async def test_an_invited_person_signs_up_into_the_agency_also_where_sign_up_is_closed(
    sign_up: SignUp, anybody: Anybody
) -> None:
    ada = await sign_up("ada@example.org", data={"agency_name": "Engines"})
    invited = await invite(ada, email=" BOB@Example.org ")
    assert invited["email"] == BOB
    assert invited["link"] == f"http://gardenos.test/v1/join/{invited['token']}"
    seen = await anybody().get(invited["link"])
    told = seen.json()
    assert (told["agency"], told["email"], told["role"]) == ("Engines", BOB, "manager")
    closed = anybody(signup="closed")
    refused = await closed.post("/auth/v1/signup", json={"email": BOB, "password": PASSWORD})
    assert refused.json()["error_code"] == "signup_disabled"
    for token, email in ((invited["token"], "eve@example.org"), (invited["token"] + "x", BOB)):
        refused = await join_by_sign_up(closed, token, email)
        assert (refused.status_code, refused.json()["error_code"]) == (422, "invite_not_found")
    bob = await sign_up(BOB, data={"invitation": invited["token"]}, signup="closed")
    assert await agency_of(bob) == "Engines"
    members = (await ada.client.get("/v1/members")).json()["items"]
    assert {m["email"]: m["role"] for m in members} == {ada.email: "owner", BOB: "manager"}
    (listed,) = (await ada.client.get("/v1/invitations")).json()["items"]
    assert listed["accepted_by"] == bob.user_id
    assert (await anybody().get(invited["link"])).status_code == 404
    assert (await bob.client.post(f"/v1/join/{invited['token']}")).status_code == 404


async def test_somebody_with_an_account_joins_and_goes_back_and_forth(sign_up: SignUp) -> None:
    ada = await sign_up("ada@example.org", data={"agency_name": "Engines"})
    bob = await sign_up(BOB, data={"agency_name": "Bob's"})
    token = (await invite(ada))["token"]
    assert (await ada.client.post(f"/v1/join/{token}")).status_code == 403
    answers = await asyncio.gather(*[bob.client.post(f"/v1/join/{token}") for _ in range(3)])
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404]
    assert await agency_of(bob) == "Bob's"
    await bob.refresh()
    assert await agency_of(bob) == "Engines"
    memberships = (await bob.client.get("/v1/memberships")).json()["items"]
    assert [(m["agency"], m["role"]) for m in memberships] == [
        ("Bob's", "owner"),
        ("Engines", "manager"),
    ]
    entered = await bob.client.post(f"/v1/memberships/{memberships[0]['agency_id']}/enter")
    assert entered.status_code == 200
    await bob.refresh()
    assert await agency_of(bob) == "Bob's"
    theirs = await ada.client.post(f"/v1/memberships/{memberships[0]['agency_id']}/enter")
    assert theirs.status_code == 404


async def test_a_removed_member_keeps_an_access_token_and_gets_no_other(sign_up: SignUp) -> None:
    ada = await sign_up("ada@example.org")
    bob = await sign_up(BOB, data={"invitation": (await invite(ada))["token"]})
    assert (await ada.client.delete(f"/v1/members/{bob.user_id}")).status_code == 204
    assert (await bob.client.get("/v1/leads")).status_code == 200
    await bob.refresh()
    answer = await bob.client.get("/v1/leads")
    assert answer.json()["type"] == "urn:gardenos:problem:agency-missing"
    assert (await bob.client.get("/v1/memberships")).json() == {"items": []}
    again = await bob.client.post(f"/v1/join/{(await invite(ada, role='agent'))['token']}")
    assert again.status_code == 200


async def test_a_new_role_counts_from_the_next_token_on(sign_up: SignUp) -> None:
    ada = await sign_up("ada@example.org")
    bob = await sign_up(BOB, data={"invitation": (await invite(ada))["token"]})
    changed = await ada.client.patch(
        f"/v1/members/{bob.user_id}", json={"role": "read_only"}, headers={"If-Match": "*"}
    )
    assert changed.status_code == 200
    assert (await bob.client.post("/v1/leads", json={"last_name": "A"})).status_code == 201
    await bob.refresh()
    assert (await bob.client.post("/v1/leads", json={"last_name": "A"})).status_code == 403


async def test_the_link_is_told_once_and_kept_nowhere(
    sign_up: SignUp, admin: AdminConnection
) -> None:
    ada = await sign_up("ada@example.org")
    body, key = {"email": BOB, "role": "agent"}, {"Idempotency-Key": "k"}
    first = await ada.client.post("/v1/invitations", json=body, headers=key)
    again = await ada.client.post("/v1/invitations", json=body, headers=key)
    token = first.json()["token"]
    assert again.json() == first.json() | {"token": None, "link": None}
    for table in ("invitations", "idempotency_keys", "audit_log"):
        rows = await admin.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")  # noqa: S608 ours
        assert rows
        assert not [row for row in rows if token in row[0] or token.encode().hex() in row[0]]


async def test_who_is_in_or_invited_is_not_invited_again(
    sign_up: SignUp, admin: AdminConnection
) -> None:
    ada = await sign_up("ada@example.org")
    first = await invite(ada)
    for email in (BOB, "ADA@example.org"):
        body = {"email": email, "role": "agent"}
        assert (await ada.client.post("/v1/invitations", json=body)).status_code == 409
    path = f"/v1/invitations/{first['id']}"
    assert (await ada.client.delete(path)).status_code == 204
    assert (await ada.client.delete(path)).status_code == 404
    assert (await ada.client.get(f"/v1/join/{first['token']}")).status_code == 404
    second = await invite(ada)
    await admin.execute("UPDATE invitations SET expires_at = now() - interval '1 second'")
    assert (await ada.client.get(f"/v1/join/{second['token']}")).status_code == 404
    await invite(ada)


async def test_invitations_are_for_those_who_run_the_agency(sign_up: SignUp) -> None:
    ada = await sign_up("ada@example.org")
    bob = await sign_up(BOB, data={"invitation": (await invite(ada))["token"]})
    body = {"email": "eve@example.org", "role": "read_only"}
    assert (await bob.client.post("/v1/invitations", json=body)).status_code == 403
    assert (await bob.client.get("/v1/invitations")).status_code == 403
    eve = await sign_up("eve@example.org")
    assert (await eve.client.get("/v1/invitations")).json() == {"items": []}
    for bad in (
        {"email": "nobody", "role": "agent"},
        {"email": "", "role": "agent"},
        {"email": BOB, "role": "god"},
        {"email": BOB, "role": "agent", "expires_in_days": 31},
        {"email": f"{'x' * 300}@example.org", "role": "agent"},
    ):
        assert (await ada.client.post("/v1/invitations", json=bad)).status_code == 422
    for token in ("x", "%00", "%ed%a0%80", "a" * 501):
        answer = await ada.client.get(f"/v1/join/{token}")
        assert 400 <= answer.status_code < 500
