"""Access tokens: signing ours; verifying ours and those of a GoTrue that this one trusts.

The algorithm belongs to the key. What a token's header says only chooses among the keys known here,
so that neither `alg: none` nor a public key used as an HMAC secret leads anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self, cast

import jwt
from cachetools import TLRUCache
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import ECAlgorithm
from jwt.types import Options

from gardenos.auth.jwks import RemoteKeys
from gardenos.core.claims import Claims
from gardenos.core.clock import Clock, SystemClock
from gardenos.core.config import Settings
from gardenos.core.errors import Forbidden, GardenOSError, InvalidToken

ES256, RS256, HS256 = "ES256", "RS256", "HS256"
MIN_SECRET_BYTES = 32
LEEWAY_S = 10
"""How far ahead another machine's clock may be when it says since when a token is valid."""
KEPT_S = 60
"""A verified token is taken again without checking its signature, so long at most."""
_MAX_TOKEN_CHARS = 16_384
_MAX_KEPT = 4096
_ROLE = "authenticated"
_OPTIONS: Options = {
    "require": ["exp", "iss", "aud", "role"],
    "enforce_minimum_key_length": True,
    # Times are compared with our clock, parties with those that belong to the key.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
}


class SigningKeyUnusable(GardenOSError):
    """Nothing signs access tokens: let `gardenos up` make a key, or set GARDENOS_JWT_SIGNING_KEY."""

    code = "signing-key-unusable"


class Issued(NamedTuple):
    """A signed access token."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _SigningKey:
    algorithm: str
    kid: str | None
    private: Any = field(repr=False)
    public: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Trusted:
    """A key to verify with, the one algorithm it is for, and who may sign with it."""

    algorithm: str
    key: Any = field(repr=False)
    issuers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Verified:
    payload: Mapping[str, Any]
    expires_at: float
    claims: Claims | None
    """None where the token is genuine and yet names no agency or role that is one here."""


class TokenIssuer:
    """Signs the access tokens of the built-in sign-in."""

    def __init__(self, key: _SigningKey, *, issuer: str, audience: str, clock: Clock) -> None:
        self.issuer = issuer
        self.audience = audience
        self._key = key
        self._clock = clock

    @classmethod
    def of(cls, settings: Settings, clock: Clock | None = None) -> Self:
        """Signs ES256 with the installation's key, HS256 with the shared secret where there is none.

        Raises `SigningKeyUnusable` without either.
        """
        own, secret = _own_key(settings), _shared_secret(settings)
        if own is None and secret is None:
            raise SigningKeyUnusable
        key = own or _SigningKey(HS256, None, secret, secret)
        return cls(
            key,
            issuer=settings.issuer,
            audience=settings.jwt_audience,
            clock=clock or SystemClock(),
        )

    def registered(self, ttl_s: int) -> dict[str, Any]:
        """The claims that say who issues a token, for whom, since and until when."""
        now = int(self._clock.now().timestamp())
        return {"iss": self.issuer, "aud": self.audience, "iat": now, "exp": now + ttl_s}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with exactly these claims."""
        headers = {"kid": self._key.kid} if self._key.kid else None
        return jwt.encode(dict(claims), self._key.private, self._key.algorithm, headers=headers)

    def issue(self, claims: Mapping[str, Any], ttl_s: int) -> Issued:
        """A token with these claims and the registered ones, valid for `ttl_s` seconds from now."""
        registered = self.registered(ttl_s)
        token = self.sign({**claims, **registered})
        return Issued(token, datetime.fromtimestamp(registered["exp"], UTC))

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public key as a JWK set (RFC 7517); empty where tokens are signed with a secret."""
        if self._key.kid is None:
            return {"keys": []}
        meant_for = {"kid": self._key.kid, "alg": ES256, "use": "sig", "key_ops": ["verify"]}
        return {"keys": [_jwk(self._key.public) | meant_for]}

    def derive(self, purpose: str) -> bytes:
        """32 secret bytes for one purpose, the same as long as the signing key is (HKDF-SHA256)."""
        private = self._key.private
        material = (
            private.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            if isinstance(private, ec.EllipticCurvePrivateKey)
            else private
        )
        return HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(material)


class Verifier:
    """Turns access tokens into claims: see `gardenos.web.services.TokenVerifier`."""

    def __init__(
        self,
        *,
        audience: str,
        own: tuple[str, _Trusted] | None,
        shared: _Trusted | None,
        remote: RemoteKeys[_Trusted] | None,
        clock: Clock,
    ) -> None:
        self._audience = audience
        self._own = own
        self._shared = shared
        self._remote = remote
        self._clock = clock
        self._kept: MutableMapping[bytes, _Verified] = TLRUCache(_MAX_KEPT, _until, self._now)

    @classmethod
    def of(cls, settings: Settings, clock: Clock | None = None) -> Self:
        """Takes what the settings trust: our own key, the shared secret, an external GoTrue's keys.

        Raises `SigningKeyUnusable` where a key that is set cannot be used.
        """
        clock = clock or SystemClock()
        ours, external = settings.issuer, settings.external_issuer
        key, secret = _own_key(settings), _shared_secret(settings)
        own = None
        if key is not None and key.kid is not None:
            own = key.kid, _Trusted(ES256, key.public, frozenset({ours}))
        both = frozenset({ours, external} if external else {ours})
        shared = _Trusted(HS256, secret, both) if secret else None
        remote = None
        if settings.jwks_url and external:
            remote = RemoteKeys(settings.jwks_url, _parser(frozenset({external})), clock)
        return cls(
            audience=settings.jwt_audience, own=own, shared=shared, remote=remote, clock=clock
        )

    async def verify(self, token: str) -> Claims:
        """The token's claims.

        Raises `InvalidToken`, `Forbidden`, `AgencyMissing`, `SigningKeysUnavailable`.
        """
        verified = await self._verified(token)
        return verified.claims or Claims.from_token(verified.payload)

    async def payload(self, token: str) -> Mapping[str, Any]:
        """Everything a genuine token says, whether or not it names an agency.

        Raises `InvalidToken`, `Forbidden`, `SigningKeysUnavailable`.
        """
        return (await self._verified(token)).payload

    async def aclose(self) -> None:
        """Close the connections to the external GoTrue."""
        if self._remote is not None:
            await self._remote.aclose()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _verified(self, token: str) -> _Verified:
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        kept = self._kept.get(digest)
        if kept is None:
            kept = self._kept[digest] = await self._examine(token)
        return kept

    async def _examine(self, token: str) -> _Verified:
        trusted = await self._key_for(_header(token))
        payload = _signed_payload(token, trusted)
        _refuse_other_roles(payload)
        self._refuse_other_parties(payload, trusted)
        expires_at = self._refuse_other_times(payload)
        try:
            claims = Claims.from_token(payload)
        except (InvalidToken, Forbidden):
            claims = None
        return _Verified(payload, expires_at, claims)

    async def _key_for(self, header: Mapping[str, Any]) -> _Trusted:
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in (ES256, RS256, HS256):
            raise InvalidToken("The access token is not signed with ES256, RS256 or HS256.")
        if self._own is not None and kid == self._own[0]:
            return self._own[1]
        if algorithm == HS256:
            if self._shared is None:
                raise InvalidToken("Access tokens signed with a shared secret are not taken here.")
            return self._shared
        if self._remote is not None and isinstance(kid, str):
            found = await self._remote.get(kid)
            if found is not None:
                return found
        raise InvalidToken("The access token is signed with a key that is not trusted here.")

    def _refuse_other_parties(self, payload: Mapping[str, Any], trusted: _Trusted) -> None:
        audience = payload["aud"]
        audiences = cast("list[Any]", audience) if isinstance(audience, list) else [audience]
        if self._audience not in audiences:
            raise InvalidToken("The access token was made for another audience.")
        issuer = payload["iss"]
        if not isinstance(issuer, str) or issuer not in trusted.issuers:
            raise InvalidToken("The access token comes from an issuer that is not trusted here.")

    def _refuse_other_times(self, payload: Mapping[str, Any]) -> float:
        """Raise unless the token is valid now; the moment it expires."""
        now = self._now()
        for name in ("nbf", "iat"):
            if name in payload and _moment(payload, name) > now + LEEWAY_S:
                raise InvalidToken("The access token is not valid yet. Check the clocks.")
        expires_at = _moment(payload, "exp")
        if now >= expires_at:
            raise InvalidToken("The access token has expired. Sign in again, or refresh it.")
        return expires_at


def _until(_digest: bytes, verified: _Verified, now: float) -> float:
    return min(verified.expires_at, now + KEPT_S)


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > _MAX_TOKEN_CHARS:
        raise InvalidToken("The access token is too long to be one of ours.")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidToken("The access token cannot be read as a JWT.") from None


def _signed_payload(token: str, trusted: _Trusted) -> Mapping[str, Any]:
    """What the token says, if it is signed with this key. Its meaning is checked by the caller."""
    try:
        payload: Mapping[str, Any] = jwt.decode(
            token,
            trusted.key,
            [trusted.algorithm],
            options=_OPTIONS,
        )
    except jwt.MissingRequiredClaimError as error:
        raise InvalidToken(f"The access token has no {error.claim} claim.") from None
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
        raise InvalidToken("The access token's signature is not that of its key.") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidToken("The access token cannot be read as a JWT.") from None
    return payload


def _refuse_other_roles(payload: Mapping[str, Any]) -> None:
    """Only people have an agency's claims; Supabase's API keys are tokens without a person."""
    match payload["role"]:
        case "authenticated":
            return
        case "anon":
            raise InvalidToken(
                "The anon key names an application, not a person. Sign in and send the access token."
            )
        case "service_role":
            raise Forbidden(
                "The service_role key would pass by row-level security. Sign in as a person instead."
            )
        case _:
            raise Forbidden(f"Access tokens need the role {_ROLE}; this one has another.")


def _moment(payload: Mapping[str, Any], name: str) -> float:
    value = payload[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidToken(f"The access token's {name} claim is not a time.")
    return float(value)


def _own_key(settings: Settings) -> _SigningKey | None:
    if settings.jwt_signing_key is None:
        return None
    pem = settings.jwt_signing_key.get_secret_value().encode()
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SigningKeyUnusable(
            "GARDENOS_JWT_SIGNING_KEY is not an unencrypted private key in PEM."
        ) from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(
        private.curve, ec.SECP256R1
    ):
        raise SigningKeyUnusable("GARDENOS_JWT_SIGNING_KEY is not a P-256 key, as ES256 needs.")
    public = private.public_key()
    return _SigningKey(ES256, _thumbprint(_jwk(public)), private, public)


def _shared_secret(settings: Settings) -> bytes | None:
    if settings.jwt_secret is None:
        return None
    secret = settings.jwt_secret.get_secret_value().encode()
    if len(secret) < MIN_SECRET_BYTES:
        raise SigningKeyUnusable(
            f"GARDENOS_JWT_SECRET is shorter than {MIN_SECRET_BYTES} bytes, as HS256 needs."
        )
    return secret


def _jwk(public: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    return {
        name: ECAlgorithm.to_jwk(public, as_dict=True)[name] for name in ("crv", "kty", "x", "y")
    }


def _thumbprint(jwk: Mapping[str, Any]) -> str:
    """A key's id that follows from the key: RFC 7638."""
    canonical = json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def _parser(issuers: frozenset[str]) -> Callable[[bytes], Mapping[str, _Trusted]]:
    """Reads a JWK set: its keys for ES256 and RS256, by id. Raises ValueError for anything else."""

    def parse(document: bytes) -> Mapping[str, _Trusted]:
        try:
            listed = json.loads(document)["keys"]
            found = [_published(entry) for entry in listed]
        except (KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError("the document is no JWK set") from None
        return {key[0]: _Trusted(key[1], key[2], issuers) for key in found if key is not None}

    return parse


def _published(entry: Mapping[str, Any]) -> tuple[str, str, Any] | None:
    """Id, algorithm and key of a published key; None where it is not one to verify tokens with."""
    kid = entry.get("kid")
    if not isinstance(kid, str) or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(dict(entry))
    except jwt.PyJWTError:
        return None
    # A published "oct" key would be a secret that everybody knows.
    if key.algorithm_name not in (ES256, RS256):
        return None
    return kid, key.algorithm_name, key.key
