"""An entry of the log as stored, and as asked for."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.core.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gardenos.web.text import Moment, NotBlank


class Verb(StrEnum):
    """What was done to a record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    PURGE = "purge"
    ERASE = "erase"


class ActorKind(StrEnum):
    """Through what it was done."""

    MEMBER = "member"
    KEY = "key"
    AGENT = "agent"
    SYSTEM = "system"


class Entry(BaseModel):
    """One change of one record."""

    model_config = ConfigDict(frozen=True)

    id: int
    at: datetime
    actor: UUID | None = Field(description="The user whose claims it ran under; null: nobody's.")
    actor_kind: ActorKind
    request_id: str | None = Field(description="`X-Request-Id` of the request, as in the logs.")
    entity: str
    record_id: str
    verb: Verb
    changes: dict[str, Any] = Field(
        description="`{field: [before, after]}`, without the fields that your role does not see.",
        examples=[{"status": ["new", "contacted"]}],
    )
    erased_at: datetime | None = Field(description="When the values were erased for a person.")


class EntryPage(BaseModel):
    """Some entries, newest first, and where the next ones begin."""

    items: list[Entry]
    next_cursor: str | None = Field(
        description="Send as `cursor` for the next page; null: the last."
    )


Exactly: TypeAlias = Annotated[NotBlank, Field(max_length=200)]


class EntryQuery(BaseModel):
    """Which entries."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)
    cursor: str | None = Field(
        default=None, max_length=2000, description="`next_cursor` of the page before."
    )
    entity: Exactly | None = Field(default=None, description="As `leads` or `members`.")
    record_id: Exactly | None = None
    actor: UUID | None = None
    verb: Verb | None = None
    request_id: Exactly | None = None
    at_gte: Moment | None = Field(default=None, alias="at.gte")
    at_lt: Moment | None = Field(default=None, alias="at.lt")

    def scope(self) -> str:
        """What a cursor of this list is bound to, besides the agency."""
        return self.model_dump_json(exclude={"limit", "cursor"})
