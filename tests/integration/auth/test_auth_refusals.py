"""What a route of the API says to each token that will not do: a status, a type, a sentence."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import jwt
import pytest

from gardenos.auth.jwks import PAUSE
from tests.support.tokens import ES256Key, Publisher, claims, signed

if TYPE_CHECKING:
    from gardenos.auth.tokens import TokenIssuer
    from gardenos.core.config import Settings

Good: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture
def good(settings: Settings) -> Good:
    """The claims of a token that would do, with changes."""

    def make(**changes: Any) -> dict[str, Any]:
        return claims(datetime.now(UTC), issuer=settings.issuer, **changes)

    return make


async def refusal(
    http: httpx.AsyncClient, authorization: str | None, status: int
) -> tuple[str, httpx.Response]:
    """The code of the problem that a route answers with."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await http.get("/v1/agency", headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")
    return answer.json()["type"].removeprefix("urn:gardenos:problem:"), answer


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def in_seconds(offset: float) -> int:
    return int(datetime.now(UTC).timestamp() + offset)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic YTpi", "Bearer "])
async def test_no_token_is_401_and_says_how_to_sign_in(
    http: httpx.AsyncClient, authorization: str | None
) -> None:
    code, answer = await refusal(http, authorization, 401)
    assert code == "unauthenticated"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"aud": "other"}, "audience"),
        ({"iss": "https://elsewhere.example.org"}, "issuer"),
        ({"exp": in_seconds(-1)}, "expired"),
        ({"nbf": in_seconds(86_400)}, "not valid yet"),
        ({"iat": in_seconds(86_400)}, "not valid yet"),
        ({"sub": "ada"}, "UUID"),
        ({"agency_id": "mine"}, "UUID"),
        ({"exp": None}, "no exp claim"),
        ({"role": "anon"}, "anon key"),
    ],
)
async def test_a_token_that_is_not_valid_here_is_401(
    http: httpx.AsyncClient, issuer: TokenIssuer, good: Good, changes: dict[str, Any], says: str
) -> None:
    code, answer = await refusal(http, f"Bearer {issuer.sign(good(**changes))}", 401)
    assert code == "invalid-token"
    assert says in answer.json()["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"agency_id": None}, "agency-missing"),
        ({"user_role": "king"}, "forbidden"),
        ({"user_role": None}, "forbidden"),
        ({"role": "service_role"}, "forbidden"),
        ({"role": "gardenos_worker"}, "forbidden"),
    ],
)
async def test_a_genuine_token_that_may_not_is_403(
    http: httpx.AsyncClient, issuer: TokenIssuer, good: Good, changes: dict[str, Any], code: str
) -> None:
    said, answer = await refusal(http, f"Bearer {issuer.sign(good(**changes))}", 403)
    assert said == code
    assert "WWW-Authenticate" not in answer.headers


async def test_a_forged_token_is_401(
    http: httpx.AsyncClient, issuer: TokenIssuer, good: Good
) -> None:
    (key,) = issuer.jwks()["keys"]
    unsigned = {"alg": "none", "typ": "JWT", "kid": key["kid"]}
    for token in (
        f"{part(unsigned)}.{part(good())}.",
        jwt.encode(good(), key["x"], "HS256", headers={"kid": key["kid"]}),
        jwt.encode(good(), "another secret of enough bytes!!", "HS256"),
        signed(good(), ES256Key(key["kid"])),
        signed(good(), ES256Key("unheard of")),
        "no.token.atall",
    ):
        code, _ = await refusal(http, f"Bearer {token}", 401)
        assert code == "invalid-token"


async def test_keys_out_of_reach_are_503_and_say_when_to_come_back(
    make_client: Callable[..., httpx.AsyncClient], issuer: TokenIssuer, good: Good
) -> None:
    publisher = Publisher()
    publisher.close()
    async with make_client(jwks_url=publisher.url) as http:
        theirs = signed(good(iss=publisher.issuer), ES256Key("one"))
        code, answer = await refusal(http, f"Bearer {theirs}", 503)
        assert code == "signing-keys-unavailable"
        assert answer.headers["Retry-After"] == str(int(PAUSE.total_seconds()))
        # Ours need none of those keys: the agency of this one is merely not there.
        await refusal(http, f"Bearer {issuer.sign(good())}", 404)
