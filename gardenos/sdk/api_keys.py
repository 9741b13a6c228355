"""`client.api_keys`: keys for programs, to be given as `token`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from pydantic import SecretStr

from gardenos.sdk.agency import Role
from gardenos.sdk.base import Page, Result
from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, given, model, nothing, post, segment
from gardenos.sdk.records import plain

_PATH = "/v1/api-keys"


class ApiKey(Result):
    """A key, without its secret."""

    id: UUID
    name: str
    role: Role
    scopes: tuple[str, ...]
    user_id: UUID
    """For whom it acts: the member who made it."""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""
    revoked_at: datetime | None


class MadeApiKey(ApiKey):
    """A key as it was made. No other answer holds it; it is not shown in a print of this one."""

    key: SecretStr | None


KeyRef: TypeAlias = ApiKey | UUID | str


class ApiKeys(Namespace[D]):
    """The agency's keys."""

    @endpoint
    def create(
        self,
        name: str,
        *,
        scopes: Sequence[str],
        role: Role | None = None,
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Call[MadeApiKey]:
        """Make a key: `scopes` are `read`, `write`, or of one kind, as in `leads:read`."""
        body = {"name": name, "scopes": scopes} | given(role=role, expires_at=expires_at)
        return post(_PATH, model(MadeApiKey), json=plain(body), idempotency_key=idempotency_key)

    @listing
    def list(self, *, page_size: int = 100) -> Call[Page[ApiKey]]:
        """Keys, newest first, one by one."""
        return Call("GET", _PATH, model(Page[ApiKey]), params={"limit": page_size})

    @endpoint
    def get(self, key: KeyRef) -> Call[ApiKey]:
        """Read a key. Raises `NotFound`."""
        return Call("GET", _path(key), model(ApiKey))

    @endpoint
    def revoke(self, key: KeyRef) -> Call[None]:
        """Revoke a key for good."""
        return Call("DELETE", _path(key), nothing)


def _path(key: KeyRef) -> str:
    return f"{_PATH}/{segment(key.id if isinstance(key, ApiKey) else key)}"
