"""Making, listing and revoking keys, in the session of the member who asks."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final
from uuid import UUID

import asyncpg

from gardenos.auth.api_keys.models import ApiKey, ApiKeyPage, MadeApiKey, NewApiKey
from gardenos.core.claims import Claims, UserRole
from gardenos.core.clock import Clock
from gardenos.core.errors import Forbidden, InvalidContent, NotFound
from gardenos.core.page import CursorSigner
from gardenos.db import sql
from gardenos.db.session import TenantSession
from gardenos.web import paging
from gardenos.web.paging import PageQuery

QUERIES = sql.load("gardenos.auth.api_keys")
PREFIX: Final = "gos_"
_SECRET_BYTES = 32
_RANKS = (UserRole.READ_ONLY, UserRole.AGENT, UserRole.MANAGER, UserRole.ADMIN, UserRole.OWNER)


def digest(secret: str) -> bytes:
    """What is stored of a key's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def lesser(one: UserRole, other: UserRole) -> UserRole:
    """Whichever of two roles may do less."""
    return min(one, other, key=_RANKS.index)


def refuse_keys(claims: Claims) -> None:
    """Raise `Forbidden` unless a person asks: a key cannot make itself last."""
    if claims.key_id is not None:
        raise Forbidden("API keys cannot manage API keys. Sign in as a person.")


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey.model_validate(dict(row))


def _checked(claims: Claims, new: NewApiKey, clock: Clock) -> UserRole:
    """The role of the key. Raises `InvalidContent`."""
    role = new.role or claims.user_role
    faults: list[tuple[str, str]] = []
    if lesser(role, claims.user_role) is not role:
        faults.append(("/role", f"is more than your own, {claims.user_role.value}"))
    if not role.writes and any(scope.endswith("write") for scope in new.scopes):
        faults.append(("/scopes", f"includes writing, which the role {role.value} does not"))
    if new.expires_at is not None and new.expires_at <= clock.now():
        faults.append(("/expires_at", "is over already"))
    if faults:
        raise InvalidContent(errors=[{"pointer": p, "detail": d} for p, d in faults])
    return role


async def create(session: TenantSession, new: NewApiKey, clock: Clock) -> MadeApiKey:
    """Make a key for whoever asks; its secret is in the answer and nowhere else.

    Raises `InvalidContent`, and `Forbidden` for a key and for somebody who is no member any more.
    """
    claims = session.claims
    refuse_keys(claims)
    role = _checked(claims, new, clock)
    secret = secrets.token_hex(_SECRET_BYTES)
    try:
        row = await session.fetchrow(
            QUERIES["create_key"],
            claims.agency_id,
            claims.sub,
            new.name,
            role.value,
            sorted(set(new.scopes)),
            digest(secret),
            new.expires_at,
        )
    except asyncpg.ForeignKeyViolationError:
        raise Forbidden("You are no member of this agency any more. Sign in again.") from None
    assert row is not None  # noqa: S101 an INSERT that returns
    made = _key(row)
    return MadeApiKey(**made.model_dump(), key=f"{PREFIX}{made.id.hex}_{secret}")


async def find(session: TenantSession, page: PageQuery, cursors: CursorSigner) -> ApiKeyPage:
    """One's own keys, newest first; for an owner or admin the agency's. Raises `InvalidCursor`."""
    refuse_keys(session.claims)
    scope = f"api-keys:{session.claims.agency_id}"
    before = paging.opened(cursors, scope, page.cursor)
    rows = await session.fetch(QUERIES["list_keys"], before, page.limit + 1)
    found, cursor = paging.cut([_key(row) for row in rows], page, cursors, scope)
    return ApiKeyPage(items=found, next_cursor=cursor)


async def get(session: TenantSession, key_id: UUID) -> ApiKey:
    """A key. Raises `NotFound`, also for somebody else's."""
    refuse_keys(session.claims)
    row = await session.fetchrow(QUERIES["get_key"], key_id)
    if row is None:
        raise NotFound(f"There is no API key {key_id} of yours.")
    return _key(row)


async def revoke(session: TenantSession, key_id: UUID) -> None:
    """End a key for good; one that was revoked stays so. Raises `NotFound`."""
    refuse_keys(session.claims)
    if not await session.fetchval(QUERIES["revoke_key"], key_id):
        raise NotFound(f"There is no API key {key_id} of yours.")
