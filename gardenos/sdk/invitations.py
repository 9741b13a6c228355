"""`client.invitations`: inviting, and accepting."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from gardenos.sdk.agency import Entered, Role
from gardenos.sdk.base import Items, Result
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, Step, given, model, nothing, post, segment


class Invitation(Result):
    """Somebody who was invited."""

    id: UUID
    email: str
    role: Role
    invited_by: UUID | None
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: UUID | None
    created_at: datetime


class IssuedInvitation(Invitation):
    """A new invitation. No other answer holds its link and token."""

    link: str | None
    token: str | None


class OpenInvitation(Result):
    """Who invites, and as what."""

    agency: str
    email: str
    role: str
    expires_at: datetime


InvitationRef: TypeAlias = Invitation | UUID | str


class Invitations(Namespace[D]):
    """Who was invited to the agency; and, for those who were, how to come in."""

    @endpoint
    def list(self) -> Call[Items[Invitation]]:
        """Who was invited, the newest first. Raises `Forbidden` unless an owner or admin asks."""
        return Call("GET", "/v1/invitations", model(Items[Invitation]))

    @endpoint
    def create(
        self,
        email: str,
        *,
        role: Role,
        expires_in_days: int | None = None,
        idempotency_key: str | None = None,
    ) -> Call[IssuedInvitation]:
        """Invite somebody, as an owner or admin. No mail is sent: give them the link."""
        return post(
            "/v1/invitations",
            model(IssuedInvitation),
            json={"email": email, "role": role} | given(expires_in_days=expires_in_days),
            idempotency_key=idempotency_key,
        )

    @endpoint
    def withdraw(self, invitation: InvitationRef) -> Call[None]:
        """Take back an invitation that nobody has accepted."""
        named = invitation.id if isinstance(invitation, Invitation) else invitation
        return Call("DELETE", f"/v1/invitations/{segment(named)}", nothing)

    @endpoint
    def read(self, token: str) -> Call[OpenInvitation]:
        """Who invites you, and as what. The token is all it takes. Raises `NotFound`."""
        return Call("GET", _join(token), model(OpenInvitation), anonymous=True)

    @endpoint
    def accept(self, token: str) -> Generator[Step, Any, Entered]:
        """Accept an invitation of the e-mail you are signed in with. It works once.

        A client that signs in by itself acts for that agency from its next request on.
        """
        entered = yield from Call("POST", _join(token), model(Entered))
        self.driver.renew()
        return entered


def _join(token: str) -> str:
    return f"/v1/join/{segment(token)}"
