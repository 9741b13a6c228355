"""`client.account`: who signs in, over GoTrue's wire format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from gardenos.sdk.base import Result
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, given, model, nothing


class Identity(Result):
    """One way in which a user signs in."""

    identity_id: UUID
    id: str
    user_id: UUID
    identity_data: dict[str, Any] = Field(default_factory=dict[str, Any])
    provider: str
    email: str | None = None
    last_sign_in_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class User(Result):
    """An account."""

    id: UUID
    aud: str = ""
    role: str = ""
    """PostgreSQL's; what you are in your agency is in `client.members`."""
    email: str | None = None
    phone: str = ""
    email_confirmed_at: datetime | None = None
    confirmed_at: datetime | None = None
    invited_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    banned_until: datetime | None = None
    app_metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    user_metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    identities: tuple[Identity, ...] = ()
    created_at: datetime
    updated_at: datetime
    is_anonymous: bool = False


class Grant(Result):
    """A pair of tokens. They are not shown in a print of it."""

    access_token: SecretStr
    token_type: str = "bearer"  # noqa: S105 a kind of token
    expires_in: int
    expires_at: int
    refresh_token: SecretStr
    user: User


class Account(Namespace[D]):
    """Your account."""

    @endpoint
    def sign_up(
        self, email: str, password: str, *, data: Mapping[str, Any] | None = None
    ) -> Call[Grant]:
        """Make an account with an agency of its own, named by `data={"agency_name": ...}`.

        Needs no account yet. With `data={"invitation": token}` it joins the agency that invited it.
        """
        body = {"email": email, "password": password} | given(data=data)
        return Call("POST", "/auth/v1/signup", model(Grant), json=body, anonymous=True)

    @endpoint
    def get(self) -> Call[User]:
        """The user whose account it is."""
        return Call("GET", "/auth/v1/user", model(User))

    @endpoint
    def change(
        self,
        *,
        password: str | None = None,
        current_password: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Call[User]:
        """Change the password, which ends your other sessions, or what `data` says of you."""
        body = given(password=password, current_password=current_password, data=data)
        return Call("PUT", "/auth/v1/user", model(User), json=body)

    @endpoint
    def sign_out(self, scope: Literal["global", "local", "others"] = "global") -> Call[None]:
        """End sessions: all of them, this one, or all others. Access tokens run out by themselves."""
        return Call("POST", "/auth/v1/logout", nothing, params={"scope": scope})
