"""Users, sessions and tokens: as they are stored, and as GoTrue sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

_NO_PHONE = ""


class Account(BaseModel):
    """A user as stored."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    aud: str | None
    role: str | None
    email: str | None
    encrypted_password: str | None = Field(repr=False)
    email_confirmed_at: datetime | None
    invited_at: datetime | None
    last_sign_in_at: datetime | None
    raw_app_meta_data: dict[str, Any]
    raw_user_meta_data: dict[str, Any]
    is_anonymous: bool
    banned_until: datetime | None
    created_at: datetime
    updated_at: datetime

    def is_banned(self, now: datetime) -> bool:
        """Whether the user may not sign in."""
        return self.banned_until is not None and now < self.banned_until


class StoredIdentity(BaseModel):
    """One way in which a user can sign in, as stored."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    provider_id: str
    user_id: UUID
    identity_data: dict[str, Any]
    provider: str
    email: str | None
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime


class SignInSession(BaseModel):
    """What a sign-in began: access and refresh tokens follow each other in it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    user_id: UUID
    aal: str
    created_at: datetime
    not_after: datetime | None


class Identity(BaseModel):
    """One way in which a user can sign in."""

    identity_id: UUID
    id: str
    user_id: UUID
    identity_data: dict[str, Any]
    provider: str
    email: str | None = None
    last_sign_in_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredIdentity) -> Identity:
        """Under the names that GoTrue sends."""
        fields = stored.model_dump(exclude={"id", "provider_id"})
        return cls(identity_id=stored.id, id=stored.provider_id, **fields)


class User(BaseModel):
    """A user."""

    id: UUID
    aud: str
    role: str
    email: str | None = None
    phone: str = _NO_PHONE
    email_confirmed_at: datetime | None = None
    confirmed_at: datetime | None = None
    invited_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    banned_until: datetime | None = None
    app_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    identities: list[Identity]
    created_at: datetime
    updated_at: datetime
    is_anonymous: bool

    @classmethod
    def of(cls, account: Account, identities: Sequence[StoredIdentity]) -> User:
        """Under the names that GoTrue sends."""
        return cls(
            id=account.id,
            aud=account.aud or "",
            role=account.role or "",
            email=account.email,
            email_confirmed_at=account.email_confirmed_at,
            confirmed_at=account.email_confirmed_at,
            invited_at=account.invited_at,
            last_sign_in_at=account.last_sign_in_at,
            banned_until=account.banned_until,
            app_metadata=account.raw_app_meta_data,
            user_metadata=account.raw_user_meta_data,
            identities=[Identity.of(identity) for identity in identities],
            created_at=account.created_at,
            updated_at=account.updated_at,
            is_anonymous=account.is_anonymous,
        )


class Grant(BaseModel):
    """What a client gets for signing in or refreshing."""

    access_token: str = Field(repr=False)
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 a type, no token
    expires_in: int
    expires_at: int
    refresh_token: str = Field(repr=False)
    user: User


class Jwks(BaseModel):
    """Public keys, as RFC 7517 has them."""

    keys: list[dict[str, Any]]


def access_claims(account: Account, session: SignInSession | None) -> Mapping[str, Any]:
    """What an access token says about its user, before the hook adds agency and role.

    The claims that say who made the token, and when, are the issuer's to add.
    """
    claims: dict[str, Any] = {
        "sub": str(account.id),
        "email": account.email or "",
        "phone": _NO_PHONE,
        "app_metadata": account.raw_app_meta_data,
        "user_metadata": account.raw_user_meta_data,
        "role": "authenticated",
        "is_anonymous": account.is_anonymous,
    }
    if session is not None:
        began = int(session.created_at.astimezone(UTC).timestamp())
        claims |= {
            "aal": session.aal,
            "amr": [{"method": "password", "timestamp": began}],
            "session_id": str(session.id),
        }
    return claims
