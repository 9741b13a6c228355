"""Users, sessions and tokens in schema `auth`. Sessions here are `database.system(Role.AUTH)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from gardenos.auth.models import Account, SignInSession, StoredIdentity
from gardenos.db import sql
from gardenos.db.session import Session

QUERIES = sql.load("gardenos.auth")


class TokenState(NamedTuple):
    """What is known of a refresh token."""

    revoked: bool
    age_s: float
    """Since it was made or, once revoked, since then."""


class Attempts(NamedTuple):
    """How often somebody tried to sign in as a user."""

    made: int
    left_s: float
    """Until they are counted anew."""


async def find_by_email(session: Session, email: str) -> Account | None:
    """The user with this address, which must be in lower case."""
    return _account(await session.fetchrow(QUERIES["find_user_by_email"], email))


async def find_user(session: Session, user_id: UUID) -> Account | None:
    """The user with this id."""
    return _account(await session.fetchrow(QUERIES["find_user"], user_id))


async def find_operator(session: Session) -> Account | None:
    """The first user who runs the installation."""
    return _account(await session.fetchrow(QUERIES["find_operator"]))


async def identities(session: Session, user_id: UUID) -> Sequence[StoredIdentity]:
    """In which ways the user can sign in."""
    rows = await session.fetch(QUERIES["list_identities"], user_id)
    return [StoredIdentity.model_validate(dict(row)) for row in rows]


async def create_user(
    session: Session,
    email: str,
    encrypted_password: str,
    *,
    audience: str,
    data: Mapping[str, Any],
    agency: str | None,
    operator: bool = False,
) -> Account | None:
    """A user with an identity and an agency of their own (None: without); None where it is taken."""
    row = await session.fetchrow(
        QUERIES["create_user"], audience, email, encrypted_password, dict(data), operator
    )
    account = _account(row)
    if account is None:
        return None
    identity = {
        "sub": str(account.id),
        "email": email,
        "email_verified": False,
        "phone_verified": False,
    }
    await session.execute(QUERIES["create_identity"], account.id, {**data, **identity})
    if agency is not None:
        await session.execute(QUERIES["create_agency"], agency, account.id)
    return account


async def note_sign_in(session: Session, user_id: UUID) -> None:
    """The user has signed in now."""
    await session.execute(QUERIES["note_sign_in"], user_id)


async def change_password(session: Session, user_id: UUID, encrypted_password: str) -> None:
    """Replace the user's hash."""
    await session.execute(QUERIES["change_password"], user_id, encrypted_password)


async def change_data(session: Session, user_id: UUID, data: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `data` into what the user says about themselves; all of it."""
    return await session.fetchval(QUERIES["change_user_data"], user_id, dict(data))


async def create_session(
    session: Session, user_id: UUID, *, user_agent: str | None, ip: str | None
) -> SignInSession:
    """A new sign-in."""
    row = await session.fetchrow(QUERIES["create_session"], user_id, user_agent, ip)
    return SignInSession.model_validate(dict(row or {}))


async def find_session(session: Session, session_id: UUID, user_id: UUID) -> SignInSession | None:
    """The user's sign-in, if it is not over."""
    row = await session.fetchrow(QUERIES["find_session"], session_id, user_id)
    return SignInSession.model_validate(dict(row)) if row else None


async def lock_session_of(session: Session, digest: str) -> SignInSession | None:
    """The sign-in that a refresh token belongs to, for this transaction alone; over or not."""
    row = await session.fetchrow(QUERIES["lock_session_of_token"], digest)
    return SignInSession.model_validate(dict(row)) if row else None


async def token_state(session: Session, digest: str) -> TokenState | None:
    """What is known of a refresh token."""
    row = await session.fetchrow(QUERIES["find_refresh_token"], digest)
    return TokenState(*row) if row else None


async def active_token(session: Session, session_id: UUID) -> str | None:
    """The digest of the refresh token that the session goes on with."""
    return await session.fetchval(QUERIES["find_active_refresh_token"], session_id)


async def create_token(
    session: Session, digest: str, sign_in: SignInSession, *, parent: str | None = None
) -> None:
    """A refresh token, by its digest."""
    await session.execute(
        QUERIES["create_refresh_token"], digest, sign_in.user_id, sign_in.id, parent
    )


async def replace_token(session: Session, old: str, new: str, sign_in: SignInSession) -> None:
    """Revoke one refresh token and keep its successor."""
    await session.execute(QUERIES["revoke_refresh_token"], old)
    await create_token(session, new, sign_in, parent=old)
    await session.execute(QUERIES["note_refresh"], sign_in.id)
    await session.execute(QUERIES["prune_refresh_tokens"], sign_in.id)


async def end_session(session: Session, session_id: UUID) -> None:
    """Revoke every refresh token of a sign-in; it stays, so that its tokens are known as used."""
    await session.execute(QUERIES["end_session"], session_id)


async def delete_session(session: Session, session_id: UUID) -> None:
    """Sign out of one sign-in."""
    await session.execute(QUERIES["delete_session"], session_id)


async def delete_sessions(session: Session, user_id: UUID, *, but: UUID | None = None) -> None:
    """Sign the user out everywhere, `but` in one place."""
    await session.execute(QUERIES["delete_other_sessions"], user_id, but)


async def count_attempt(session: Session, subject: bytes, *, window: timedelta) -> Attempts:
    """Count an attempt to sign in; all of this window, with it."""
    row = await session.fetchrow(QUERIES["count_attempt"], subject, window)
    await session.execute(QUERIES["prune_attempts"])
    return Attempts(*row) if row else Attempts(1, 0.0)


async def forgive_attempts(session: Session, subject: bytes) -> None:
    """The right password came: those before it were slips."""
    await session.execute(QUERIES["forgive_attempts"], subject)


async def claims_from_hook(session: Session, event: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of an access token, after `custom_access_token_hook` has seen them."""
    answer = await session.fetchval(QUERIES["call_access_token_hook"], dict(event))
    return answer["claims"]


async def lock_operators(session: Session) -> None:
    """Be the only one to make an operator until this transaction ends."""
    await session.execute(QUERIES["lock_operators"])


def _account(row: asyncpg.Record | None) -> Account | None:
    return Account.model_validate(dict(row)) if row else None
