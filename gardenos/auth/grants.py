"""Sessions and their tokens: granted at sign-in, exchanged by refreshing, ended by signing out.

A refresh token works once. Its successor is derived from it and from a secret of the installation,
so that the same request, repeated because its answer was lost, gets the same answer, although only
digests of tokens are stored. Used again later, a token is in two hands: its session ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from gardenos.auth import store
from gardenos.auth.errors import (
    RefreshTokenUnknown,
    RefreshTokenUsed,
    SessionExpired,
    SignInError,
    UserBanned,
)
from gardenos.auth.models import Account, Grant, SignInSession, User, access_claims
from gardenos.auth.tokens import TokenIssuer
from gardenos.core.clock import Clock
from gardenos.db.session import Database, Role, Session

REUSE_INTERVAL_S = 10.0
"""GoTrue's default: within it a used refresh token leads to the one its session goes on with."""
_MOST_STEPS = 1000
"""As many exchanges of tokens as one session can hardly make within the reuse interval."""
_log = structlog.get_logger(__name__)


class Scope(StrEnum):
    """Where to sign out."""

    GLOBAL = "global"
    LOCAL = "local"
    OTHERS = "others"


class Device(NamedTuple):
    """What signs in, as far as it says."""

    user_agent: str | None = None
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class Grants:
    """Hands out tokens."""

    database: Database
    issuer: TokenIssuer
    clock: Clock
    ttl_s: int
    """Of access tokens, in seconds."""

    async def begin(self, session: Session, account: Account, device: Device) -> Grant:
        """A new sign-in of this user, as part of a transaction."""
        sign_in = await store.create_session(
            session, account.id, user_agent=device.user_agent, ip=device.ip
        )
        await store.note_sign_in(session, account.id)
        token = secrets.token_urlsafe(32)
        await store.create_token(session, digest(token), sign_in)
        fresh = await store.find_user(session, account.id)
        return await self._grant(session, fresh or account, sign_in, token)

    async def refresh(self, token: str) -> Grant:
        """The next tokens of a session.

        Raises `RefreshTokenUnknown`, `SessionExpired`, `UserBanned`, and `RefreshTokenUsed` for a
        token used before, whose session is then over.
        """
        # A refusal is returned, not raised, inside: raising would undo the end of the session.
        async with self.database.system(Role.AUTH) as session:
            outcome = await self._refresh(session, token)
        if isinstance(outcome, SignInError):
            raise outcome
        return outcome

    async def _refresh(self, session: Session, token: str) -> Grant | SignInError:
        known = digest(token)
        sign_in = await store.lock_session_of(session, known)
        state = await store.token_state(session, known)
        if sign_in is None or state is None:
            return RefreshTokenUnknown()
        successor = self._successor(token)
        if state.revoked:
            active = await store.active_token(session, sign_in.id)
            found = active and self._latest(token, active)
            if state.age_s > REUSE_INTERVAL_S or not found:
                await store.end_session(session, sign_in.id)
                _log.warning("refresh_token_reused", user_id=str(sign_in.user_id))
                return RefreshTokenUsed()
            successor = found
        account = await store.find_user(session, sign_in.user_id)
        if account is None:
            return RefreshTokenUnknown()
        if account.is_banned(self.clock.now()):
            return UserBanned("Invalid Refresh Token: User Banned")
        if sign_in.not_after is not None and sign_in.not_after <= self.clock.now():
            return SessionExpired()
        if not state.revoked:
            await store.replace_token(session, known, digest(successor), sign_in)
        return await self._grant(session, account, sign_in, successor)

    async def sign_out(
        self, session: Session, user_id: UUID, session_id: UUID | None, scope: Scope
    ) -> None:
        """End sessions; without `session_id` (a token that no sign-in made) all of the user's."""
        if session_id is None or scope is Scope.GLOBAL:
            await store.delete_sessions(session, user_id)
        elif scope is Scope.OTHERS:
            await store.delete_sessions(session, user_id, but=session_id)
        else:
            await store.delete_session(session, session_id)

    async def _grant(
        self, session: Session, account: Account, sign_in: SignInSession, refresh_token: str
    ) -> Grant:
        claims = await hooked_claims(
            session, self.issuer, account, sign_in=sign_in, ttl_s=self.ttl_s
        )
        identities = await store.identities(session, account.id)
        return Grant(
            access_token=self.issuer.sign(claims),
            expires_in=self.ttl_s,
            expires_at=claims["exp"],
            refresh_token=refresh_token,
            user=User.of(account, identities),
        )

    def _successor(self, token: str) -> str:
        key = self.issuer.derive("gardenos refresh tokens")
        made = hmac.digest(key, token.encode("utf-8", "surrogatepass"), "sha256")
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    def _latest(self, token: str, active: str) -> str | None:
        """The token that `token` led to and whose digest is `active`."""
        for _ in range(_MOST_STEPS):
            token = self._successor(token)
            if digest(token) == active:
                return token
        return None


def digest(token: str) -> str:
    """What is stored of a refresh token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def hooked_claims(
    session: Session,
    issuer: TokenIssuer,
    account: Account,
    *,
    sign_in: SignInSession | None,
    ttl_s: int,
) -> dict[str, Any]:
    """The claims of an access token, from the same SQL function that a real GoTrue calls."""
    event = {
        "user_id": str(account.id),
        "claims": {**issuer.registered(ttl_s), **access_claims(account, sign_in)},
        "authentication_method": "password",
    }
    return await store.claims_from_hook(session, event)
