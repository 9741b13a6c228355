"""Refresh tokens work once; sessions end where they are told to."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import httpx

from tests.integration.auth.conftest import PASSWORD, SignUp

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection


async def refresh(http: httpx.AsyncClient, token: Any) -> httpx.Response:
    return await http.post("/auth/v1/token?grant_type=refresh_token", json={"refresh_token": token})


async def refreshed(http: httpx.AsyncClient, token: str) -> dict[str, Any]:
    answer = await refresh(http, token)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sign_in(http: httpx.AsyncClient, email: str = "ada@example.org") -> dict[str, Any]:
    answer = await http.post(
        "/auth/v1/token?grant_type=password", json={"email": email, "password": PASSWORD}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(grant: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {grant['access_token']}"}


async def let_the_reuse_interval_pass(admin: AdminConnection) -> None:
    await admin.execute("UPDATE auth.refresh_tokens SET updated_at = now() - interval '11 s'")


async def test_only_digests_of_refresh_tokens_are_stored(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    first = (await sign_up())["refresh_token"]
    second = (await refreshed(http, first))["refresh_token"]
    stored = await admin.fetch("SELECT token, parent, revoked FROM auth.refresh_tokens ORDER BY id")
    digests = [hashlib.sha256(token.encode()).hexdigest() for token in (first, second)]
    assert [tuple(row) for row in stored] == [
        (digests[0], None, True),
        (digests[1], digests[0], False),
    ]


async def test_a_refresh_repeated_at_once_gets_the_same_answer(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    first = (await sign_up())["refresh_token"]
    lost = (await refreshed(http, first))["refresh_token"]
    assert (await refreshed(http, first))["refresh_token"] == lost


async def test_an_old_token_within_the_interval_leads_to_the_active_one(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    first = (await sign_up())["refresh_token"]
    second = (await refreshed(http, first))["refresh_token"]
    third = (await refreshed(http, second))["refresh_token"]
    assert (await refreshed(http, first))["refresh_token"] == third
    assert (await refreshed(http, third))["refresh_token"] not in (first, second, third)


async def test_refreshes_at_the_same_time_agree_on_one_token(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    first = (await sign_up())["refresh_token"]
    answers = await asyncio.gather(*(refreshed(http, first) for _ in range(8)))
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert await admin.fetchval("SELECT count(*) FROM auth.refresh_tokens WHERE NOT revoked") == 1


async def test_a_token_used_again_later_ends_its_session_and_no_other(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    stolen = await sign_up()
    elsewhere = await sign_in(http)
    current = await refreshed(http, stolen["refresh_token"])
    await let_the_reuse_interval_pass(admin)
    reused = await refresh(http, stolen["refresh_token"])
    assert reused.status_code == 400
    assert reused.json()["error_code"] == "refresh_token_already_used"
    after = await refresh(http, current["refresh_token"])
    assert after.json()["error_code"] == "refresh_token_already_used"
    user = await http.get("/auth/v1/user", headers=bearer(current))
    assert user.json()["error_code"] == "session_not_found"
    await refreshed(http, elsewhere["refresh_token"])


async def test_a_revoked_token_of_an_ended_session_leads_nowhere_within_the_interval(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    first = await sign_up()
    second = await refreshed(http, first["refresh_token"])
    await let_the_reuse_interval_pass(admin)
    await refresh(http, first["refresh_token"])
    await admin.execute("UPDATE auth.refresh_tokens SET updated_at = now()")
    for token in (first, second):
        answer = await refresh(http, token["refresh_token"])
        assert answer.json()["error_code"] == "refresh_token_already_used"


async def test_an_unknown_refresh_token_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await refresh(http, "no such token")
    assert answer.status_code == 400
    assert answer.json() == {
        "code": 400,
        "error_code": "refresh_token_not_found",
        "msg": "Invalid Refresh Token: Refresh Token Not Found",
    }


async def test_a_session_past_its_end_is_expired(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    grant = await sign_up()
    await admin.execute("UPDATE auth.sessions SET not_after = now() - interval '1 s'")
    answer = await refresh(http, grant["refresh_token"])
    assert (answer.status_code, answer.json()["error_code"]) == (400, "session_expired")


async def test_a_banned_user_can_neither_refresh_nor_sign_in_nor_read(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    grant = await sign_up()
    await admin.execute("UPDATE auth.users SET banned_until = now() + interval '1 day'")
    answer = await refresh(http, grant["refresh_token"])
    assert (answer.status_code, answer.json()["error_code"]) == (400, "user_banned")
    again = await http.post(
        "/auth/v1/token?grant_type=password",
        json={"email": "ada@example.org", "password": PASSWORD},
    )
    assert (again.status_code, again.json()["error_code"]) == (400, "user_banned")
    user = await http.get("/auth/v1/user", headers=bearer(grant))
    assert (user.status_code, user.json()["error_code"]) == (403, "user_banned")


async def test_a_refreshed_token_carries_the_role_as_it_is_now(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    grant = await sign_up()
    await admin.execute("UPDATE members SET role = 'read_only'")
    renewed = await refreshed(http, grant["refresh_token"])
    answer = await http.patch(
        "/v1/agency", json={"name": "New"}, headers=bearer(renewed) | {"If-Match": '"1"'}
    )
    assert answer.status_code == 403


async def test_signing_out_locally_leaves_other_places_signed_in(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    here, there = await sign_up(), await sign_in(http)
    answer = await http.post("/auth/v1/logout?scope=local", headers=bearer(here))
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await refresh(http, here["refresh_token"])).status_code == 400
    await refreshed(http, there["refresh_token"])


async def test_signing_out_elsewhere_leaves_this_place_signed_in(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    here, there = await sign_up(), await sign_in(http)
    assert (await http.post("/auth/v1/logout?scope=others", headers=bearer(here))).is_success
    await refreshed(http, here["refresh_token"])
    assert (await refresh(http, there["refresh_token"])).status_code == 400


async def test_signing_out_means_everywhere_and_nobody_else(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    here, there = await sign_up(), await sign_in(http)
    other = await sign_up("bob@example.org")
    assert (await http.post("/auth/v1/logout", headers=bearer(here))).is_success
    for grant in (here, there):
        assert (await refresh(http, grant["refresh_token"])).status_code == 400
    await refreshed(http, other["refresh_token"])


async def test_a_new_password_ends_the_other_sessions(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    here, there = await sign_up(), await sign_in(http)
    answer = await http.put(
        "/auth/v1/user", json={"password": "another password"}, headers=bearer(here)
    )
    assert answer.status_code == 200
    await refreshed(http, here["refresh_token"])
    assert (await refresh(http, there["refresh_token"])).status_code == 400
