"""Which access tokens are taken, and each way in which one is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr

from gardenos.auth.keys import new_signing_key
from gardenos.auth.tokens import KEPT_S, LEEWAY_S, SigningKeyUnusable, TokenIssuer, Verifier
from gardenos.core.claims import UserRole
from gardenos.core.config import Settings
from gardenos.core.errors import AgencyMissing, Forbidden, InvalidToken
from tests.support.tokens import AGENCY, SUB, ES256Key, TurnedClock, claims, signed

ISSUER = "https://crm.example.org/auth/v1"


def part(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def public_pem(settings: Settings) -> bytes:
    assert settings.jwt_signing_key
    pem = settings.jwt_signing_key.get_secret_value().encode()
    private = serialization.load_pem_private_key(pem, None)
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def shared(settings: Settings, body: dict[str, Any]) -> str:
    """Signed with the shared secret; unlike `jwt.encode`, whatever it says."""
    assert settings.jwt_secret
    secret = settings.jwt_secret.get_secret_value()
    return jwt.PyJWS().encode(json.dumps(body).encode(), secret, "HS256")


async def test_our_own_token_becomes_claims(
    issuer: TokenIssuer, verifier: Verifier, clock: TurnedClock
) -> None:
    issued = issuer.issue(claims(clock.now(), issuer=ISSUER, operator=True), 60)
    found = await verifier.verify(issued.token)
    assert (found.sub, found.agency_id, found.user_role) == (SUB, AGENCY, UserRole.OWNER)
    assert found.operator is True
    assert issued.expires_at == (clock.now() + timedelta(seconds=60)).replace(microsecond=0)
    assert jwt.get_unverified_header(issued.token)["alg"] == "ES256"


async def test_a_token_signed_with_the_shared_secret_is_taken(
    settings: Settings, verifier: Verifier, clock: TurnedClock
) -> None:
    token = shared(settings, claims(clock.now(), issuer=ISSUER))
    assert (await verifier.verify(token)).agency_id == AGENCY


async def test_agency_and_role_may_stand_in_the_app_metadata(
    issuer: TokenIssuer, verifier: Verifier, clock: TurnedClock
) -> None:
    body = claims(clock.now(), issuer=ISSUER, agency_id=None, user_role=None)
    body["app_metadata"] = {"agency_id": str(AGENCY), "user_role": "read_only"}
    found = await verifier.verify(issuer.sign(body))
    assert (found.agency_id, found.user_role) == (AGENCY, UserRole.READ_ONLY)


async def test_what_users_say_about_themselves_gives_them_nothing(
    issuer: TokenIssuer, verifier: Verifier, clock: TurnedClock
) -> None:
    said = {"agency_id": str(SUB), "user_role": "owner", "operator": True}
    body = claims(clock.now(), issuer=ISSUER, user_role="agent", user_metadata=said)
    found = await verifier.verify(issuer.sign(body))
    assert (found.agency_id, found.user_role, found.operator) == (AGENCY, UserRole.AGENT, False)


async def test_alg_none_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    kid = issuer.jwks()["keys"][0]["kid"]
    for header in ({"alg": "none"}, {"alg": "None", "kid": kid}, {"alg": "none", "kid": kid}):
        token = f"{part(header)}.{part(claims(clock.now(), issuer=ISSUER))}."
        with pytest.raises(InvalidToken, match="not signed with"):
            await verifier.verify(token)


@pytest.mark.parametrize("with_kid", [True, False])
async def test_the_public_key_as_an_hmac_secret_is_refused(
    settings: Settings,
    verifier: Verifier,
    issuer: TokenIssuer,
    clock: TurnedClock,
    with_kid: bool,
) -> None:
    header = {"alg": "HS256", "typ": "JWT"}
    if with_kid:
        header["kid"] = issuer.jwks()["keys"][0]["kid"]
    said = f"{part(header)}.{part(claims(clock.now(), issuer=ISSUER))}"
    # PyJWT itself refuses to sign with a PEM, so this forger does it by hand.
    mac = hmac.digest(public_pem(settings), said.encode(), "sha256")
    forged = f"{said}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(InvalidToken, match="signature"):
        await verifier.verify(forged)


async def test_another_key_under_our_key_id_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    forger = ES256Key(issuer.jwks()["keys"][0]["kid"])
    with pytest.raises(InvalidToken, match="signature"):
        await verifier.verify(signed(claims(clock.now(), issuer=ISSUER), forger))


async def test_an_unknown_key_is_refused(verifier: Verifier, clock: TurnedClock) -> None:
    with pytest.raises(InvalidToken, match="key that is not trusted"):
        await verifier.verify(signed(claims(clock.now(), issuer=ISSUER), ES256Key("unheard of")))


async def test_another_secret_is_refused(verifier: Verifier, clock: TurnedClock) -> None:
    with pytest.raises(InvalidToken, match="signature"):
        await verifier.verify(jwt.encode(claims(clock.now(), issuer=ISSUER), "x" * 40, "HS256"))


async def test_a_shared_secret_is_refused_where_there_is_none(
    settings: Settings, clock: TurnedClock
) -> None:
    alone = Verifier.of(settings.model_copy(update={"jwt_secret": None}), clock)
    with pytest.raises(InvalidToken, match="shared secret"):
        await alone.verify(shared(settings, claims(clock.now(), issuer=ISSUER)))


async def test_a_changed_payload_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    header, _, signature = issuer.sign(claims(clock.now(), issuer=ISSUER)).split(".")
    forged = part(claims(clock.now(), issuer=ISSUER, agency_id=str(SUB)))
    with pytest.raises(InvalidToken, match="signature"):
        await verifier.verify(f"{header}.{forged}.{signature}")


@pytest.mark.parametrize("audience", ["other", ["other", "more"], 7, []])
async def test_another_audience_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock, audience: Any
) -> None:
    with pytest.raises(InvalidToken, match="audience"):
        await verifier.verify(issuer.sign(claims(clock.now(), issuer=ISSUER, aud=audience)))


async def test_our_audience_among_others_is_taken(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    body = claims(clock.now(), issuer=ISSUER, aud=["other", "authenticated"])
    assert (await verifier.verify(issuer.sign(body))).sub == SUB


@pytest.mark.parametrize("other", ["https://elsewhere.example.org/auth/v1", "", 5, [ISSUER]])
async def test_another_issuer_is_refused(
    settings: Settings, verifier: Verifier, clock: TurnedClock, other: Any
) -> None:
    with pytest.raises(InvalidToken, match="issuer"):
        await verifier.verify(shared(settings, claims(clock.now(), issuer=ISSUER, iss=other)))


async def test_an_expired_token_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    token = issuer.issue(claims(clock.now(), issuer=ISSUER), 60).token
    clock.turn(timedelta(seconds=61))
    with pytest.raises(InvalidToken, match="expired"):
        await verifier.verify(token)


async def test_a_token_taken_before_does_not_outlive_its_end(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    token = issuer.issue(claims(clock.now(), issuer=ISSUER), 30).token
    assert KEPT_S > 30
    await verifier.verify(token)
    clock.turn(timedelta(seconds=29))
    await verifier.verify(token)
    clock.turn(timedelta(seconds=1))
    with pytest.raises(InvalidToken, match="expired"):
        await verifier.verify(token)


@pytest.mark.parametrize("name", ["nbf", "iat"])
async def test_a_token_that_is_not_valid_yet_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock, name: str
) -> None:
    begins = int(clock.now().timestamp()) + LEEWAY_S + 5
    token = issuer.sign(claims(clock.now(), issuer=ISSUER, **{name: begins}))
    with pytest.raises(InvalidToken, match="not valid yet"):
        await verifier.verify(token)
    clock.turn(timedelta(seconds=10))
    assert (await verifier.verify(token)).sub == SUB


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["soon", True, [1], 1e400])
async def test_a_time_that_is_none_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock, name: str, value: Any
) -> None:
    with pytest.raises(InvalidToken, match=f"{name} claim is not a time"):
        await verifier.verify(issuer.sign(claims(clock.now(), issuer=ISSUER) | {name: value}))


@pytest.mark.parametrize("name", ["exp", "iss", "aud", "role"])
async def test_a_token_without_a_claim_we_need_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock, name: str
) -> None:
    with pytest.raises(InvalidToken, match=f"has no {name} claim"):
        await verifier.verify(issuer.sign(claims(clock.now(), issuer=ISSUER, **{name: None})))


@pytest.mark.parametrize("changes", [{"sub": None}, {"sub": "ada"}, {"agency_id": "mine"}])
async def test_a_token_with_ids_that_are_none_is_refused(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken, match="UUID"):
        await verifier.verify(issuer.sign(claims(clock.now(), issuer=ISSUER, **changes)))


async def test_a_token_without_an_agency_is_forbidden_and_yet_genuine(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    token = issuer.sign(claims(clock.now(), issuer=ISSUER, agency_id=None))
    for _ in range(2):  # the second time it is one taken before
        with pytest.raises(AgencyMissing):
            await verifier.verify(token)
    assert (await verifier.payload(token))["sub"] == str(SUB)


async def test_an_unknown_member_role_is_forbidden(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock
) -> None:
    with pytest.raises(Forbidden, match="not a role here"):
        await verifier.verify(issuer.sign(claims(clock.now(), issuer=ISSUER, user_role="king")))


async def test_the_anon_key_is_refused(
    settings: Settings, verifier: Verifier, clock: TurnedClock
) -> None:
    key = claims(clock.now(), issuer="supabase", role="anon", aud="authenticated", sub=None)
    with pytest.raises(InvalidToken, match="anon key"):
        await verifier.verify(shared(settings, key))


async def test_the_service_role_key_is_forbidden(
    settings: Settings, verifier: Verifier, clock: TurnedClock
) -> None:
    with pytest.raises(Forbidden, match="service_role key"):
        await verifier.verify(
            shared(settings, claims(clock.now(), issuer=ISSUER, role="service_role"))
        )


@pytest.mark.parametrize("role", ["postgres", "gardenos_worker", 7, ["authenticated"]])
async def test_any_other_postgresql_role_is_forbidden(
    verifier: Verifier, issuer: TokenIssuer, clock: TurnedClock, role: Any
) -> None:
    with pytest.raises(Forbidden, match="need the role authenticated"):
        await verifier.verify(issuer.sign(claims(clock.now(), issuer=ISSUER, role=role)))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "no token",
        "a.b",
        "a.b.c",
        "...",
        "\x00.\x00.\x00",
        "\ud800.\ud800.\ud800",
        "é.é.é",
        f"{part(7)}.{part(7)}.AA",
        f"{part({'alg': 'ES256', 'kid': 7})}.{part({})}.AA",
        f"{part({'alg': 'ES256', 'kid': None})}.{part({})}.AA",
        base64.urlsafe_b64encode(b"[" * 9000).decode() + ".AA.AA",
        "a" * 20_000,
    ],
)
async def test_what_is_no_token_is_refused_with_a_sentence(verifier: Verifier, token: str) -> None:
    with pytest.raises(InvalidToken, match=r"\.$"):
        await verifier.verify(token)


async def test_a_payload_that_is_no_object_is_refused(
    settings: Settings, verifier: Verifier
) -> None:
    assert settings.jwt_secret
    secret = settings.jwt_secret.get_secret_value()
    for payload in (b"7", b"[]", b"no json", b"[" * 9000):
        token = jwt.PyJWS().encode(payload, secret, "HS256")
        with pytest.raises(InvalidToken):
            await verifier.verify(token)


def test_the_key_id_is_the_thumbprint_of_the_key(issuer: TokenIssuer) -> None:
    (key,) = issuer.jwks()["keys"]
    assert (key["alg"], key["use"], key["kty"], key["crv"]) == ("ES256", "sig", "EC", "P-256")
    assert "d" not in key
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{key["x"]}","y":"{key["y"]}"}}'
    digest = hashlib.sha256(canonical.encode()).digest()
    assert key["kid"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_the_published_key_verifies_what_is_issued(issuer: TokenIssuer, clock: TurnedClock) -> None:
    token = issuer.issue(claims(clock.now(), issuer=ISSUER), 600).token
    key = jwt.PyJWK(issuer.jwks()["keys"][0])
    found = jwt.decode(token, key, ["ES256"], audience="authenticated", issuer=ISSUER)
    assert found["sub"] == str(SUB)


async def test_without_a_key_tokens_are_signed_with_the_secret(
    settings: Settings, clock: TurnedClock
) -> None:
    alone = settings.model_copy(update={"jwt_signing_key": None})
    issuer = TokenIssuer.of(alone, clock)
    token = issuer.issue(claims(clock.now(), issuer=ISSUER), 60).token
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert issuer.jwks() == {"keys": []}
    assert (await Verifier.of(alone, clock).verify(token)).sub == SUB
    # A secret for one purpose is another one than for the next, and not what tokens are signed with.
    assert issuer.derive("one") == issuer.derive("one") != issuer.derive("another")


def test_without_key_and_secret_nothing_is_issued(tmp_path: Path) -> None:
    with pytest.raises(SigningKeyUnusable, match="gardenos up"):
        TokenIssuer.of(Settings(home=tmp_path))


def unusable_keys() -> list[str]:
    encodings = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    other_curve = ec.generate_private_key(ec.SECP384R1()).private_bytes(*encodings)
    other_kind = rsa.generate_private_key(65537, 2048).private_bytes(*encodings)
    return ["", "no key", new_signing_key()[:60], other_curve.decode(), other_kind.decode()]


@pytest.mark.parametrize("pem", unusable_keys())
def test_an_unusable_signing_key_is_named(tmp_path: Path, pem: str) -> None:
    settings = Settings(home=tmp_path, jwt_signing_key=SecretStr(pem))
    for make in (TokenIssuer.of, Verifier.of):
        with pytest.raises(SigningKeyUnusable, match="GARDENOS_JWT_SIGNING_KEY") as refused:
            make(settings)
        assert not pem or pem not in str(refused.value)


def test_a_short_secret_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, jwt_secret=SecretStr("k" * 31))
    with pytest.raises(SigningKeyUnusable, match="shorter than 32 bytes"):
        Verifier.of(settings)
