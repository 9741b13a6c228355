"""The built-in sign-in: accounts are made, people sign in, and change what is theirs to change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from gardenos.auth import invitations, passwords, store, wire
from gardenos.auth.errors import (
    BadToken,
    BearerBanned,
    InvalidCredentials,
    InvitationUnknown,
    SamePassword,
    SessionUnknown,
    SignUpClosed,
    TooManyGuesses,
    UserBanned,
    UserExists,
    UserUnknown,
    ValidationFailed,
    WrongPassword,
)
from gardenos.auth.grants import Device, Grants, Scope
from gardenos.auth.models import Account, Grant, User
from gardenos.db.session import Database, Role, Session
from gardenos.observability.events import SignedIn, observe

MAX_GUESSES = 20
GUESS_WINDOW = timedelta(minutes=5)
"""So many attempts per e-mail in so long; a sign-in that succeeds starts the count again."""
_MAX_AGENCY_NAME = 200


class Bearer(NamedTuple):
    """Whose a verified access token is."""

    user_id: UUID
    session_id: UUID | None

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Bearer:
        """Read a verified token. Raises `BadToken` where it names no user."""
        session_id = payload.get("session_id")
        try:
            return cls(UUID(str(payload.get("sub"))), UUID(str(session_id)) if session_id else None)
        except ValueError:
            raise BadToken("invalid claim: sub and session_id claims must be UUIDs") from None


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everything people can do about their accounts."""

    database: Database
    grants: Grants
    sign_up_open: bool

    async def sign_up(
        self,
        email: str,
        password: str,
        *,
        data: Mapping[str, Any],
        agency: str | None,
        invitation: bytes | None = None,
        device: Device,
    ) -> Grant:
        """A new user with an agency of their own, or in the one that invited them, signed in.

        `invitation` is the digest of its token; it lets people in also where sign-up is closed.
        Raises `SignUpClosed`, `UserExists`, `InvitationUnknown`, `WeakPassword`,
        `ValidationFailed`.
        """
        if not self.sign_up_open and invitation is None:
            raise SignUpClosed
        passwords.refuse_unfit(password)
        async with self.database.system(Role.AUTH) as session:
            if invitation is not None:
                found = await invitations.find(session, invitation)
                if found is None or found.email != email:
                    raise InvitationUnknown
            # Asked first, so that a taken address does not cost a hash.
            if await store.find_by_email(session, email):
                raise UserExists
        encrypted = await passwords.hashed(password)
        async with self.database.system(Role.AUTH) as session:
            account = await store.create_user(
                session,
                email,
                encrypted,
                audience=self.grants.issuer.audience,
                data=data,
                agency=None if invitation else (agency or email)[:_MAX_AGENCY_NAME],
            )
            if account is None:
                raise UserExists
            if invitation and not await invitations.accept(session, invitation, account.id, email):
                raise InvitationUnknown
            return await self.grants.begin(session, account, device)

    async def sign_in(self, email: str, password: str, *, device: Device) -> Grant:
        """New tokens for the right password.

        Raises `InvalidCredentials`, `UserBanned`, `TooManyGuesses`. Where there is no such user it
        takes as long, and says the same, as for a wrong password.
        """
        try:
            grant = await self._sign_in(email, password, device)
        except (InvalidCredentials, UserBanned, TooManyGuesses) as refusal:
            observe(SignedIn(outcome=refusal.code))
            raise
        observe(SignedIn(outcome="succeeded"))
        return grant

    async def _sign_in(self, email: str, password: str, device: Device) -> Grant:
        subject = hashlib.sha256(email.encode()).digest()
        async with self.database.system(Role.AUTH) as session:
            # Counted before the password is looked at, so that guesses at once count as well.
            attempts = await store.count_attempt(session, subject, window=GUESS_WINDOW)
            account = await store.find_by_email(session, email)
        if attempts.made > MAX_GUESSES:
            raise TooManyGuesses(retry_after_s=attempts.left_s)
        stored = account.encrypted_password if account else None
        if not await passwords.matches(password, stored) or account is None:
            raise InvalidCredentials
        async with self.database.system(Role.AUTH) as session:
            # Read again: the password may have been changed while its hash was compared.
            account = await store.find_user(session, account.id)
            if account is None or account.encrypted_password != stored:
                raise InvalidCredentials
            if account.is_banned(self.grants.clock.now()):
                raise UserBanned
            await store.forgive_attempts(session, subject)
            return await self.grants.begin(session, account, device)

    async def refresh(self, token: str) -> Grant:
        """See `Grants.refresh`."""
        return await self.grants.refresh(token)

    async def read(self, bearer: Bearer) -> User:
        """The user. Raises `UserUnknown`, `BearerBanned`, `SessionUnknown`."""
        async with self.database.system(Role.AUTH) as session:
            account = await self._present(session, bearer)
            return User.of(account, await store.identities(session, account.id))

    async def sign_out(self, bearer: Bearer, scope: Scope) -> None:
        """End sessions of the user. Raises `UserUnknown`, `BearerBanned`, `SessionUnknown`."""
        async with self.database.system(Role.AUTH) as session:
            account = await self._present(session, bearer)
            await self.grants.sign_out(session, account.id, bearer.session_id, scope)

    async def change(
        self,
        bearer: Bearer,
        *,
        password: str | None = None,
        current_password: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> User:
        """Change the password, which signs the user out elsewhere, or merge `data`.

        Raises `WeakPassword`, `SamePassword`, `WrongPassword`, `ValidationFailed` and what `read`
        raises.
        """
        encrypted = None
        if password is not None:
            encrypted = await self._new_password(bearer, password, current_password)
        async with self.database.system(Role.AUTH) as session:
            account = await self._present(session, bearer)
            if encrypted is not None:
                await store.change_password(session, account.id, encrypted)
                await store.delete_sessions(session, account.id, but=bearer.session_id)
            if data:
                _refuse_too_much(await store.change_data(session, account.id, data))
            account = await self._present(session, bearer)
            return User.of(account, await store.identities(session, account.id))

    async def _new_password(self, bearer: Bearer, password: str, current: str | None) -> str:
        passwords.refuse_unfit(password)
        async with self.database.system(Role.AUTH) as session:
            stored = (await self._present(session, bearer)).encrypted_password
        if current is not None and not await passwords.matches(current, stored):
            raise WrongPassword
        if await passwords.matches(password, stored):
            raise SamePassword
        return await passwords.hashed(password)

    async def _present(self, session: Session, bearer: Bearer) -> Account:
        account = await store.find_user(session, bearer.user_id)
        if account is None:
            raise UserUnknown
        if account.is_banned(self.grants.clock.now()):
            raise BearerBanned
        if bearer.session_id is not None:
            sign_in = await store.find_session(session, bearer.session_id, account.id)
            if sign_in is None:
                raise SessionUnknown
        return account


def _refuse_too_much(data: Mapping[str, Any]) -> None:
    """Raise `ValidationFailed` for data that, merged, would make tokens nobody takes any more."""
    if len(wire.as_json(data).encode()) > wire.MAX_DATA_BYTES:
        raise ValidationFailed(
            f"data: would be longer than {wire.MAX_DATA_BYTES} bytes as JSON, with what is there"
        )
