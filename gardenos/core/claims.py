"""Who is asking: the verified claims of an access token, in Supabase's shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from gardenos.core.errors import AgencyMissing, Forbidden, InvalidToken
from gardenos.core.ids import AgencyId, UserId


class UserRole(StrEnum):
    """What a member may do in their agency. Never a PostgreSQL role."""

    OWNER = "owner"
    ADMIN = "admin"
    MANAGER = "manager"
    AGENT = "agent"
    READ_ONLY = "read_only"

    @property
    def writes(self) -> bool:
        """Whether the role may change records at all."""
        return self is not UserRole.READ_ONLY

    @property
    def administers(self) -> bool:
        """Whether the role may change how the agency runs: scaling, replay, members."""
        return self in (UserRole.OWNER, UserRole.ADMIN)


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims a verifier vouches for. Build them only from a verified token or a leased task."""

    sub: UserId
    agency_id: AgencyId
    user_role: UserRole
    email: str | None = None
    session_id: UUID | None = None
    operator: bool = False
    """Runs the installation, not only an agency: may scale agents and see every queue."""
    key_id: UUID | None = None
    """The API key that asks on the member's behalf; None where the member does."""
    scopes: frozenset[str] | None = None
    """What the key may do, within its role; None where nothing narrows that."""
    json: str = field(default="", compare=False)
    """What PostgreSQL sees as `request.jwt.claims`."""

    @classmethod
    def from_token(cls, payload: Mapping[str, Any]) -> Claims:
        """Read verified token claims; top-level first, `app_metadata` as the fallback.

        Raises `AgencyMissing` where the token names no agency, `InvalidToken` where it is malformed.
        """
        metadata = payload.get("app_metadata")
        fallback: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
        agency = payload.get("agency_id") or fallback.get("agency_id")
        role = payload.get("user_role") or fallback.get("user_role")
        if agency is None:
            raise AgencyMissing
        try:
            sub = UserId(UUID(str(payload["sub"])))
            agency_id = AgencyId(UUID(str(agency)))
            session = payload.get("session_id")
            session_id = UUID(str(session)) if session else None
        except (KeyError, ValueError) as error:
            raise InvalidToken("The token's sub, agency_id or session_id is not a UUID.") from error
        try:
            user_role = UserRole(str(role))
        except ValueError:
            raise Forbidden(f"The token's user_role {role!r} is not a role here.") from None
        email = payload.get("email")
        return cls.of(
            sub,
            agency_id,
            user_role,
            email=email if isinstance(email, str) else None,
            session_id=session_id,
            operator=payload.get("operator") is True,
        )

    @classmethod
    def of(
        cls,
        sub: UserId,
        agency_id: AgencyId,
        user_role: UserRole,
        *,
        email: str | None = None,
        session_id: UUID | None = None,
        operator: bool = False,
        key_id: UUID | None = None,
        scopes: frozenset[str] | None = None,
    ) -> Claims:
        """Claims for a known member; for a verified token use `from_token`."""
        body: dict[str, Any] = {
            "sub": str(sub),
            "role": "authenticated",
            "agency_id": str(agency_id),
            "user_role": user_role.value,
        }
        if email:
            body["email"] = email
        if key_id is not None:
            body["key_id"] = str(key_id)
        if scopes is not None:
            body["scopes"] = sorted(scopes)
        text = json.dumps(body, separators=(",", ":"))
        return cls(
            sub,
            agency_id,
            user_role,
            email=email,
            session_id=session_id,
            operator=operator,
            key_id=key_id,
            scopes=scopes,
            json=text,
        )

    def require_writer(self) -> None:
        """Raise `Forbidden` for a role that only reads."""
        if not self.user_role.writes:
            raise Forbidden("Your role only reads. Ask an owner or admin for another one.")

    def require_admin(self) -> None:
        """Raise `Forbidden` unless the role runs the agency."""
        if not self.user_role.administers:
            raise Forbidden("Only an owner or admin of the agency may do this.")

    def require_operator(self) -> None:
        """Raise `Forbidden` unless the account runs the whole installation."""
        if not self.operator:
            raise Forbidden("Only an operator of this installation may do this.")
