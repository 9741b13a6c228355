"""A key's claims, kept for seconds; and the verifier that takes keys and access tokens alike."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cachetools import TTLCache

from gardenos.auth.api_keys.service import PREFIX, QUERIES, digest, lesser
from gardenos.core.claims import Claims, UserRole
from gardenos.core.clock import Clock, SystemClock
from gardenos.core.errors import InvalidToken
from gardenos.core.ids import AgencyId, UserId
from gardenos.db.session import Database, Role
from gardenos.web.services import TokenVerifier

KEPT_S = 5.0
"""How long after it was revoked, or its member removed, a key may still be taken here."""
_MAX_KEPT = 4096
_MAX_KEY_CHARS = 200


@dataclass(frozen=True, slots=True)
class _Known:
    key_id: UUID
    claims: Claims | InvalidToken
    """Refusals are kept as well: a program that goes on with a revoked key costs no statement."""
    expires_at: datetime | None = None


class KeyVerifier:
    """Turns API keys into claims, asking the database at most once in `KEPT_S` seconds for each."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._known: TTLCache[bytes, _Known] = TTLCache(
            _MAX_KEPT, KEPT_S, lambda: self._clock.now().timestamp()
        )
        self._asking: dict[bytes, asyncio.Task[_Known]] = {}

    async def verify(self, key: str) -> Claims:
        """The claims of a key. Raises `InvalidToken`, `DatabaseUnavailable`."""
        seen = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(seen)
        if known is None:
            known = self._known[seen] = await self._asked(seen, key)
        if isinstance(known.claims, InvalidToken):
            raise InvalidToken(known.claims.detail)
        if known.expires_at is not None and known.expires_at <= self._clock.now():
            raise InvalidToken("The API key has expired. Make another one.")
        return known.claims

    def forget(self, key_id: UUID) -> None:
        """Ask anew for this key: it was revoked here."""
        for seen in [seen for seen, known in self._known.items() if known.key_id == key_id]:
            self._known.pop(seen, None)

    async def _asked(self, seen: bytes, key: str) -> _Known:
        # Of many requests at once with the same key, one asks.
        asking = self._asking.get(seen)
        if asking is None:
            asking = self._asking[seen] = asyncio.create_task(self._ask(key))
            asking.add_done_callback(lambda _: self._asking.pop(seen, None))
        return await asyncio.shield(asking)

    async def _ask(self, key: str) -> _Known:
        key_id, secret = _parts(key)
        async with self._database.system(Role.AUTH) as session:
            row = await session.fetchrow(QUERIES["use_key"], key_id, digest(secret))
        if row is None or row["barred"]:
            return _Known(
                key_id, InvalidToken("There is no such API key, or no more. Make another one.")
            )
        if row["revoked_at"] is not None:
            return _Known(key_id, InvalidToken("The API key was revoked. Make another one."))
        claims = Claims.of(
            UserId(row["user_id"]),
            AgencyId(row["agency_id"]),
            lesser(UserRole(row["role"]), UserRole(row["member_role"])),
            email=row["email"],
            key_id=key_id,
            scopes=frozenset(row["scopes"]),
        )
        return _Known(key_id, claims, row["expires_at"])


def _parts(key: str) -> tuple[UUID, str]:
    """Id and secret. Raises `InvalidToken` for what has not a key's shape."""
    named, _, secret = key.removeprefix(PREFIX).partition("_")
    if secret and len(key) <= _MAX_KEY_CHARS:
        with suppress(ValueError):
            return UUID(hex=named), secret
    raise InvalidToken(f"The API key has not the shape {PREFIX}<id>_<secret>. Send all of it.")


class _Tokens(TokenVerifier, Protocol):
    async def payload(self, token: str) -> Mapping[str, Any]: ...

    async def aclose(self) -> None: ...


class BearerVerifier:
    """Takes what a request may bring as `Authorization: Bearer`: an access token or an API key."""

    def __init__(self, tokens: _Tokens, keys: KeyVerifier) -> None:
        self._tokens = tokens
        self.keys = keys

    async def verify(self, token: str) -> Claims:
        """See `TokenVerifier`."""
        if token.startswith(PREFIX):
            return await self.keys.verify(token)
        return await self._tokens.verify(token)

    async def payload(self, token: str) -> Mapping[str, Any]:
        """What a person's access token says. Raises `InvalidToken` for a key: it is no person."""
        if token.startswith(PREFIX):
            raise InvalidToken("An API key has no account to look after. Sign in as a person.")
        return await self._tokens.payload(token)

    async def aclose(self) -> None:
        """Close the connections to the external GoTrue."""
        await self._tokens.aclose()
