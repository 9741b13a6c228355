"""What is said and shown of webhooks and their deliveries."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.crm.webhooks.guard import MAX_URL_CHARS
from gardenos.web.paging import PageQuery
from gardenos.web.text import Clean, NotBlank, blank_is_none

Url = Annotated[NotBlank, Field(max_length=MAX_URL_CHARS)]
Entities = Annotated[
    list[Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")]],
    Field(min_length=1, max_length=50, description="Kinds of records; null for all."),
]
Verbs = Annotated[
    list[Literal["create", "update", "delete", "restore", "purge"]],
    Field(min_length=1, max_length=5, description="What happens to them; null for all."),
]
Switch = Annotated[bool, Field(strict=True)]
Description = Annotated[Annotated[Clean, Field(max_length=500)] | None, blank_is_none]


class NewWebhook(BaseModel):
    """Where to tell of which changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(description="https, and not of a private network.")
    description: Description = None
    entities: Entities | None = None
    verbs: Verbs | None = None
    active: Switch = True


class WebhookChanges(BaseModel):
    """What to change: fields sent replace the stored ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = ""
    description: Description = None
    entities: Entities | None = None
    verbs: Verbs | None = None
    active: Switch = True

    def given(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(include=self.model_fields_set)


class WebhookOut(BaseModel):
    """A webhook, without its secret."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    url: str
    description: str | None
    entities: list[str] | None
    verbs: list[str] | None
    active: bool = Field(description="False also once a receiver has answered 410.")
    old_secret_until: datetime | None = Field(
        description="Until then what is sent is signed with the secret before, too."
    )
    version: int
    created_at: datetime
    updated_at: datetime


class MadeWebhook(WebhookOut):
    """A webhook with its secret, which is shown this once."""

    secret: str | None = Field(
        description="`whsec_...`, as Standard Webhooks has it. Null in a repeated answer."
    )


class WebhookPage(BaseModel):
    """Webhooks, newest first."""

    items: list[WebhookOut]
    next_cursor: str | None


class DeliveryState(StrEnum):
    """Whether a delivery was taken, is still tried, or was given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Delivery(BaseModel):
    """How telling of one change went."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    entity: str
    record_id: str
    verb: str
    at: datetime
    state: DeliveryState
    tries: int
    status: int | None = Field(description="Of the last answer.")
    took_ms: int | None
    answer: str | None = Field(description="The first KiB of the last answer.")
    error: str | None = Field(description="What was wrong with the last try, in a sentence.")
    tried_at: datetime | None
    next_try_at: datetime | None
    created_at: datetime


class DeliveryPage(BaseModel):
    """Deliveries of a webhook, newest first."""

    items: list[Delivery]
    next_cursor: str | None


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    state: DeliveryState | None = None
