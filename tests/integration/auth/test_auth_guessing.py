"""Guessing passwords: slow, counted, and without a word on who has an account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from gardenos.auth.accounts import MAX_GUESSES
from tests.integration.auth.conftest import PASSWORD, SignUp

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection

EMAIL = "ada@example.org"
SIGN_IN = "/auth/v1/token?grant_type=password"


async def guess(http: httpx.AsyncClient, email: str, password: str | None = None) -> httpx.Response:
    return await http.post(SIGN_IN, json={"email": email, "password": password or "a guess"})


async def test_too_many_guesses_are_refused_and_the_right_password_with_them(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    await sign_up()
    # At once, as a guesser would.
    answers = await asyncio.gather(*(guess(http, EMAIL) for _ in range(MAX_GUESSES + 5)))
    codes = sorted(answer.json()["error_code"] for answer in answers)
    assert codes == ["invalid_credentials"] * MAX_GUESSES + ["over_request_rate_limit"] * 5
    late = await guess(http, EMAIL.upper(), PASSWORD)
    assert late.status_code == 429
    assert 0 < int(late.headers["Retry-After"]) <= 300
    await admin.execute("UPDATE app.sign_in_attempts SET until = now() - interval '1 s'")
    assert (await guess(http, EMAIL, PASSWORD)).status_code == 200


async def test_a_right_password_starts_the_count_again(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    await sign_up()
    await guess(http, EMAIL)
    assert await admin.fetchval("SELECT attempts FROM app.sign_in_attempts") == 1
    assert (await guess(http, EMAIL, PASSWORD)).status_code == 200
    assert await admin.fetchval("SELECT count(*) FROM app.sign_in_attempts") == 0


async def test_guesses_at_one_account_do_not_lock_another(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    await sign_up()
    await asyncio.gather(*(guess(http, "bob@example.org") for _ in range(MAX_GUESSES + 1)))
    assert (await guess(http, "bob@example.org")).status_code == 429
    assert (await guess(http, EMAIL, PASSWORD)).status_code == 200


async def test_counts_that_are_over_are_cleared_away(
    http: httpx.AsyncClient, admin: AdminConnection
) -> None:
    await asyncio.gather(*(guess(http, f"{n}@example.org") for n in range(5)))
    await admin.execute("UPDATE app.sign_in_attempts SET until = now() - interval '1 s'")
    await guess(http, "other@example.org")
    assert await admin.fetchval("SELECT count(*) FROM app.sign_in_attempts") == 1


async def test_nobody_and_a_wrong_password_get_the_same_answer(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    await sign_up()
    await sign_up("imported@example.org")
    await admin.execute(
        "UPDATE auth.users SET encrypted_password = '$argon2id$v=19$m=65536,t=3,p=4$AA$AA'"
        " WHERE email = 'imported@example.org'"
    )
    wrong = await guess(http, EMAIL)
    nobody = await guess(http, "nobody@example.org")
    imported = await guess(http, "imported@example.org")
    assert wrong.status_code == nobody.status_code == imported.status_code == 400
    assert wrong.content == nobody.content == imported.content
