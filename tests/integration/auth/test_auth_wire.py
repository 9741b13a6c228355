"""GoTrue's wire format, and what becomes of input that nobody should send."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gardenos.auth.tokens import TokenIssuer
from tests.integration.auth.conftest import MAX_BODY, PASSWORD, SignUp

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection

EMAIL = "ada@example.org"
SIGN_UP, SIGN_IN = "/auth/v1/signup", "/auth/v1/token?grant_type=password"


def bearer(grant: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {grant['access_token']}"}


async def test_a_grant_has_gotrues_fields(sign_up: SignUp) -> None:
    grant = await sign_up("Ada@Example.org", data={"full_name": "Ada", "nothing": None})
    assert grant.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "expires_at",
        "refresh_token",
        "user",
    }
    assert (grant["token_type"], grant["expires_in"]) == ("bearer", 3600)
    user = grant["user"]
    assert (user["aud"], user["role"], user["email"]) == ("authenticated", "authenticated", EMAIL)
    assert user["user_metadata"] == {"full_name": "Ada", "nothing": None}
    assert user["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert user["is_anonymous"] is False
    assert datetime.fromisoformat(user["last_sign_in_at"])
    (identity,) = user["identities"]
    assert identity["id"] == identity["user_id"] == user["id"]
    assert identity["identity_data"]["email"] == identity["email"] == EMAIL
    assert "encrypted_password" not in json.dumps(grant)


async def test_tokens_are_not_to_be_kept_by_caches(http: httpx.AsyncClient) -> None:
    answer = await http.post(SIGN_UP, json={"email": EMAIL, "password": PASSWORD})
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_agency_is_called_as_the_e_mail_unless_it_was_named(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    unnamed = await sign_up()
    named = await sign_up("b@example.org", data={"agency_name": "  Garten Größe  "})
    blank = await sign_up("c@example.org", data={"agency_name": "  "})
    names = [
        (await http.get("/v1/agency", headers=bearer(grant))).json()["name"]
        for grant in (unnamed, named, blank)
    ]
    assert names == [EMAIL, "Garten Größe", "c@example.org"]


async def test_an_error_has_the_shape_of_the_version_asked_for(http: httpx.AsyncClient) -> None:
    body = {"email": EMAIL, "password": "wrong password"}
    for asked in ({}, {"X-Supabase-Api-Version": "2023-01-01"}, {"X-Supabase-Api-Version": "ü"}):
        headers = [(name.encode(), value.encode("latin-1")) for name, value in asked.items()]
        answer = await http.post(SIGN_IN, json=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json() == {
            "code": 400,
            "error_code": "invalid_credentials",
            "msg": "Invalid login credentials",
        }
    answer = await http.post(SIGN_IN, json=body, headers={"X-Supabase-Api-Version": "2024-01-01"})
    assert answer.json() == {"code": "invalid_credentials", "message": "Invalid login credentials"}
    assert answer.headers["X-Supabase-Api-Version"] == "2024-01-01"
    assert answer.headers["x-sb-error-code"] == "invalid_credentials"


async def test_a_closed_sign_up_says_so(
    make_client: Callable[..., httpx.AsyncClient], admin: AdminConnection
) -> None:
    async with make_client(signup="closed") as http:
        answer = await http.post(SIGN_UP, json={"email": EMAIL, "password": PASSWORD})
        assert (answer.status_code, answer.json()["error_code"]) == (422, "signup_disabled")
        assert (await http.get("/auth/v1/settings")).json()["disable_signup"] is True
    assert await admin.fetchval("SELECT count(*) FROM auth.users") == 0


async def test_a_weak_password_says_why(http: httpx.AsyncClient) -> None:
    answer = await http.post(SIGN_UP, json={"email": EMAIL, "password": "1234567"})
    assert answer.status_code == 422
    assert answer.json()["error_code"] == "weak_password"
    assert answer.json()["weak_password"] == {"reasons": ["length"]}


async def test_a_password_longer_than_bcrypt_reads_is_refused(http: httpx.AsyncClient) -> None:
    fits = await http.post(SIGN_UP, json={"email": EMAIL, "password": "ü" * 36})
    assert fits.status_code == 200
    longer = await http.post(SIGN_UP, json={"email": "b@example.org", "password": "ü" * 36 + "x"})
    assert (longer.status_code, longer.json()["error_code"]) == (400, "validation_failed")
    # What begins with the right 72 bytes is another password.
    again = await http.post(SIGN_IN, json={"email": EMAIL, "password": "ü" * 36 + "x"})
    assert again.json()["error_code"] == "invalid_credentials"


async def test_a_second_account_with_the_same_address_is_refused_whatever_its_case(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    await sign_up()
    answer = await http.post(SIGN_UP, json={"email": " ADA@example.org ", "password": PASSWORD})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "user_already_exists")


async def test_health_settings_and_keys_are_public(
    http: httpx.AsyncClient, issuer: TokenIssuer
) -> None:
    assert (await http.get("/auth/v1/health")).json()["name"] == "GardenOS"
    settings = (await http.get("/auth/v1/settings")).json()
    assert settings["external"]["email"] is True
    assert settings["disable_signup"] is False
    keys = await http.get("/auth/v1/.well-known/jwks.json")
    assert keys.json() == issuer.jwks()
    assert keys.headers["Cache-Control"] == "public, max-age=600"


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_the_user_needs_a_token(http: httpx.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/auth/v1/user", json={})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "no_authorization")
    forged = await http.request(
        method, "/auth/v1/user", json={}, headers={"Authorization": "Bearer x.y.z"}
    )
    assert (forged.status_code, forged.json()["error_code"]) == (403, "bad_jwt")


async def test_a_genuine_token_of_nobody_here_is_refused(
    http: httpx.AsyncClient, issuer: TokenIssuer
) -> None:
    for sub, code in (("00000000-0000-0000-0000-000000000001", "user_not_found"), ("x", "bad_jwt")):
        token = issuer.issue({"sub": sub, "role": "authenticated"}, 60).token
        answer = await http.get("/auth/v1/user", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["error_code"]) == (403, code)


async def test_a_user_without_an_agency_can_still_read_and_sign_out(
    http: httpx.AsyncClient, sign_up: SignUp, admin: AdminConnection
) -> None:
    await sign_up()
    await admin.execute("DELETE FROM members")
    grant = (await http.post(SIGN_IN, json={"email": EMAIL, "password": PASSWORD})).json()
    assert (await http.get("/auth/v1/user", headers=bearer(grant))).status_code == 200
    refused = await http.get("/v1/agency", headers=bearer(grant))
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:gardenos:problem:agency-missing"
    assert (await http.post("/auth/v1/logout", headers=bearer(grant))).status_code == 204


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"app_metadata": {"user_role": "owner"}}, 403, "not_admin"),
        ({"email": "other@example.org"}, 422, "email_provider_disabled"),
        ({"phone": "+49 30 1234"}, 422, "email_provider_disabled"),
        ({"password": PASSWORD}, 422, "same_password"),
        ({"password": "short"}, 422, "weak_password"),
        (
            {"password": "another password", "current_password": "a wrong one"},
            400,
            "current_password_mismatch",
        ),
        ({"data": {"x": "y" * 5000}}, 400, "validation_failed"),
        ({"data": [1]}, 400, "validation_failed"),
    ],
)
async def test_what_a_user_cannot_change(
    http: httpx.AsyncClient, sign_up: SignUp, change: dict[str, Any], status: int, code: str
) -> None:
    grant = await sign_up()
    answer = await http.put("/auth/v1/user", json=change, headers=bearer(grant))
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


async def test_data_merged_bit_by_bit_never_outgrows_the_token(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    grant = await sign_up(data={"a": "x" * 3000})
    more = await http.put("/auth/v1/user", json={"data": {"b": "x" * 3000}}, headers=bearer(grant))
    assert (more.status_code, more.json()["error_code"]) == (400, "validation_failed")
    assert "with what is there" in more.json()["msg"]
    instead = {"data": {"a": None, "b": "x" * 3000}}
    answer = await http.put("/auth/v1/user", json=instead, headers=bearer(grant))
    assert answer.json()["user_metadata"] == {"b": "x" * 3000}
    renewed = await http.post(SIGN_IN, json={"email": EMAIL, "password": PASSWORD})
    assert (await http.get("/v1/agency", headers=bearer(renewed.json()))).status_code == 200


async def test_naming_the_address_one_has_changes_nothing(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    grant = await sign_up()
    answer = await http.put("/auth/v1/user", json={"email": EMAIL}, headers=bearer(grant))
    assert answer.status_code == 200


@pytest.mark.parametrize("grant_type", ["", "?grant_type=", "?grant_type=magic", "?grant_type=%00"])
async def test_an_unknown_grant_is_refused(http: httpx.AsyncClient, grant_type: str) -> None:
    answer = await http.post(f"/auth/v1/token{grant_type}", json={})
    assert answer.status_code == 400
    assert answer.json()["msg"] == "unsupported_grant_type"


async def test_an_unknown_scope_is_refused(http: httpx.AsyncClient, sign_up: SignUp) -> None:
    answer = await http.post("/auth/v1/logout?scope=moon", headers=bearer(await sign_up()))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "validation_failed")


BAD_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "text": b"no json",
    "bytes": b"\xff\xfe",
    "list": b"[]",
    "null": b"null",
    "deep": b"[" * 60_000,
    "deeper than a token may be": b'{"email":"a@b.c","password":"12345678","data":'
    + b'{"a":' * 33
    + b"1"
    + b"}" * 34,
    "deep data": b'{"email":"a@b.c","password":"12345678","data":'
    + b'{"a":' * 150
    + b"1"
    + b"}" * 151,
    "wrong types": b'{"email":7,"password":[],"refresh_token":{},"data":"x"}',
    "missing": b"{}",
    "NUL in the e-mail": b'{"email":"a\\u0000@b.c","password":"12345678"}',
    "NUL in the data": b'{"email":"a@b.c","password":"12345678","data":{"a":"\\u0000"}}',
    "NUL in a key": b'{"email":"a@b.c","password":"12345678","data":{"\\u0000":1}}',
    "half a pair": b'{"email":"a@b.c","password":"\\ud800\\ud800\\ud800\\ud800"}',
    "half a pair in the data": b'{"email":"a@b.c","password":"12345678","data":{"a":"\\udfff"}}',
    "no number": b'{"email":"a@b.c","password":"12345678","data":{"a":NaN}}',
    "infinite": b'{"email":"a@b.c","password":"12345678","data":{"a":1e999}}',
    "digits": b'{"email":"a@b.c","password":"12345678","data":{"a":' + b"9" * 50_000 + b"}}",
    "long e-mail": b'{"email":"' + b"a" * 50_000 + b'@b.c","password":"12345678"}',
    "no e-mail": b'{"email":"nobody","password":"12345678"}',
    "blanks": b'{"email":"a b@c.d","password":"12345678"}',
    "long password": b'{"email":"a@b.c","password":"' + b"x" * 50_000 + b'"}',
    "agency name": b'{"email":"a@b.c","password":"12345678","data":{"agency_name":7}}',
    "long agency name": b'{"email":"a@b.c","password":"12345678","data":{"agency_name":"'
    + b"x" * 201
    + b'"}}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
async def test_a_bad_body_is_a_client_error_in_gotrues_shape(
    http: httpx.AsyncClient, admin: AdminConnection, body: bytes, content_type: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await http.post(SIGN_UP, content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json().keys() >= {"code", "error_code", "msg"}
    for path in (SIGN_IN, "/auth/v1/token?grant_type=refresh_token"):
        answer = await http.post(path, content=body, headers=headers)
        assert answer.status_code == 400, answer.text
    assert await admin.fetchval("SELECT count(*) FROM auth.users") == 0


async def test_a_backslash_before_the_letters_u0000_is_no_nul(
    http: httpx.AsyncClient, sign_up: SignUp
) -> None:
    grant = await sign_up(data={"path": "C:\\u0000"})
    answer = await http.get("/auth/v1/user", headers=bearer(grant))
    assert answer.json()["user_metadata"]["path"] == "C:\\u0000"


async def test_a_body_that_is_too_large_is_413(http: httpx.AsyncClient) -> None:
    async def in_pieces() -> AsyncGenerator[bytes]:
        for _ in range(MAX_BODY // 1024 + 1):
            yield b" " * 1024

    for content in (b" " * (MAX_BODY + 1), in_pieces()):
        answer = await http.post(SIGN_UP, content=content)
        assert answer.status_code == 413


@pytest.mark.parametrize("password", ["with\x00nul", "ünïcödé ☃", " leading and trailing "])
async def test_a_password_is_taken_as_it_is(
    http: httpx.AsyncClient, sign_up: SignUp, password: str
) -> None:
    await sign_up(password=password)
    right = await http.post(SIGN_IN, json={"email": EMAIL, "password": password})
    assert right.status_code == 200
    wrong = await http.post(SIGN_IN, json={"email": EMAIL, "password": password + "x"})
    assert wrong.status_code == 400
