"""Supabase's own client, unmodified, against the built-in sign-in on a real port."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import httpx
import pytest
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from gardenos.auth.tokens import Verifier
from gardenos.core.claims import UserRole

if TYPE_CHECKING:
    from gardenos.core.config import Settings
    from gardenos.testing.postgres import AdminConnection

EMAIL = "Grace.Hopper@Example.org"
PASSWORD = "nanoseconds are short"


@pytest.fixture
async def client(url: str) -> AsyncGenerator[AsyncGoTrueClient]:
    # Its own, but for the time it gives a password to be hashed while other tests compute.
    http = httpx.AsyncClient(follow_redirects=True, http2=True, timeout=60)
    async with AsyncGoTrueClient(url=url, auto_refresh_token=False, http_client=http) as made:
        yield made


async def sign_up(client: AsyncGoTrueClient) -> None:
    await client.sign_up(
        {
            "email": EMAIL,
            "password": PASSWORD,
            "options": {"data": {"agency_name": "Hopper & Co", "full_name": "Grace"}},
        }
    )


async def test_it_signs_up_and_its_token_opens_the_new_agency(
    client: AsyncGoTrueClient, url: str, settings: Settings
) -> None:
    await sign_up(client)
    session = await client.get_session()
    assert session is not None
    assert session.user.email == EMAIL.lower()
    assert session.user.user_metadata["full_name"] == "Grace"
    assert session.user.identities
    assert session.user.identities[0].provider == "email"
    claims = await Verifier.of(settings).verify(session.access_token)
    assert str(claims.sub) == session.user.id
    assert claims.user_role is UserRole.OWNER
    assert claims.operator is False
    async with httpx.AsyncClient() as http:
        answer = await http.get(
            url.replace("/auth/v1", "/v1/agency"),
            headers={"Authorization": f"Bearer {session.access_token}"},
        )
    assert answer.status_code == 200
    assert answer.json()["name"] == "Hopper & Co"
    assert answer.json()["id"] == str(claims.agency_id)


async def test_it_signs_in_reads_its_user_and_verifies_its_claims(
    client: AsyncGoTrueClient,
) -> None:
    await sign_up(client)
    await client.sign_out()
    answer = await client.sign_in_with_password({"email": EMAIL, "password": PASSWORD})
    assert answer.session is not None
    user = await client.get_user()
    assert user is not None
    assert user.user.email == EMAIL.lower()
    # The client fetches the JWK set and checks the ES256 signature itself.
    found = await client.get_claims()
    assert found is not None
    assert found["headers"]["alg"] == "ES256"
    claims = dict(found["claims"])
    assert claims["sub"] == user.user.id
    assert claims["user_role"] == "owner"


async def test_it_refreshes_and_the_session_goes_on(client: AsyncGoTrueClient) -> None:
    await sign_up(client)
    before = await client.get_session()
    assert before is not None
    answer = await client.refresh_session()
    assert answer.session is not None
    assert answer.session.refresh_token != before.refresh_token
    again = await client.refresh_session()
    assert again.session is not None
    assert again.session.refresh_token != answer.session.refresh_token


async def test_a_token_used_twice_ends_the_session(
    client: AsyncGoTrueClient, admin: AdminConnection
) -> None:
    await sign_up(client)
    before = await client.get_session()
    assert before is not None
    after = await client.refresh_session()
    assert after.session is not None
    await admin.execute(
        "UPDATE auth.refresh_tokens SET updated_at = now() - interval '11 seconds' WHERE revoked"
    )
    with pytest.raises(AuthApiError) as refused:
        await client.refresh_session(before.refresh_token)
    assert refused.value.code == "refresh_token_already_used"
    with pytest.raises(AuthApiError) as over:
        await client.refresh_session(after.session.refresh_token)
    assert over.value.code == "refresh_token_already_used"


async def test_it_changes_its_password_and_data(client: AsyncGoTrueClient) -> None:
    await sign_up(client)
    changed = await client.update_user({"password": "a new password", "data": {"full_name": None}})
    assert "full_name" not in changed.user.user_metadata
    assert changed.user.user_metadata["agency_name"] == "Hopper & Co"
    await client.sign_out({"scope": "local"})
    with pytest.raises(AuthApiError) as refused:
        await client.sign_in_with_password({"email": EMAIL, "password": PASSWORD})
    assert refused.value.code == "invalid_credentials"
    await client.sign_in_with_password({"email": EMAIL, "password": "a new password"})


async def test_it_signs_out_and_the_refresh_token_is_gone(client: AsyncGoTrueClient) -> None:
    await sign_up(client)
    session = await client.get_session()
    assert session is not None
    await client.sign_out()
    assert await client.get_session() is None
    with pytest.raises(AuthApiError) as refused:
        await client.refresh_session(session.refresh_token)
    assert refused.value.code == "refresh_token_not_found"
    with pytest.raises(AuthApiError) as gone:
        await client.get_user(session.access_token)
    assert gone.value.code == "session_not_found"


async def test_it_understands_refusals(client: AsyncGoTrueClient) -> None:
    with pytest.raises(AuthWeakPasswordError) as weak:
        await client.sign_up({"email": EMAIL, "password": "short"})
    assert weak.value.reasons == ["length"]
    await sign_up(client)
    with pytest.raises(AuthApiError) as taken:
        await client.sign_up({"email": EMAIL, "password": PASSWORD})
    assert taken.value.code == "user_already_exists"
    assert taken.value.message == "User already registered"
    with pytest.raises(AuthApiError) as wrong:
        await client.sign_in_with_password({"email": EMAIL, "password": "not the password"})
    assert (wrong.value.code, wrong.value.status) == ("invalid_credentials", 400)
    assert wrong.value.message == "Invalid login credentials"
