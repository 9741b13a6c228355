"""What is said and shown of a key."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.auth.api_keys.scopes import SCOPES
from gardenos.core.claims import UserRole
from gardenos.web.text import Moment, NotBlank

MAX_SCOPES = 50


class NewApiKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[NotBlank, Field(max_length=100)] = Field(description="Where it will be used.")
    scopes: list[Literal[SCOPES]] = Field(  # pyright: ignore[reportInvalidTypeForm] a closed set that is made, not written out
        min_length=1,
        max_length=MAX_SCOPES,
        description=(
            "`read` or `write` for everything the role may do, or of one kind, as in `leads:read`. "
            "Writing includes reading."
        ),
    )
    role: UserRole | None = Field(
        None, description="At most your own; yours, where it is not given."
    )
    expires_at: Moment | None = Field(
        None, description="From then on it is refused; null for a key that does not expire."
    )


class ApiKey(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    role: UserRole
    scopes: list[str]
    user_id: UUID = Field(description="For whom it acts: the member who made it.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None


class MadeApiKey(ApiKey):
    """A key as it was made: the only time it is shown."""

    key: str | None = Field(
        description="Send it as `Authorization: Bearer <key>`. Null in a repeated answer."
    )


class ApiKeyPage(BaseModel):
    """Keys, newest first."""

    items: list[ApiKey]
    next_cursor: str | None
