"""A tag as stored and as sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.crm.records.models import Fields, Record
from gardenos.web.text import NotBlank

LIMITS: Final[Mapping[str, int]] = {"name": 50, "color": 7}
Color = Annotated[str, Field(pattern="^#[0-9a-f]{6}$", examples=["#2f855a"])]


class TagFields(Fields):
    """What may be set on a tag."""

    name: Annotated[NotBlank, Field(max_length=50, description="Unique, whatever its capitals.")]
    color: Color | None = None


class NewTag(TagFields):
    """A tag to store."""


class TagChanges(TagFields):
    """Changes to a tag."""

    name: Annotated[NotBlank, Field(max_length=50)] = ""


class Tag(Record):
    """A tag as stored. Records keep it while it is deleted, and have it again when it is restored."""

    id: UUID
    name: str
    color: str | None
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class RecordTag(BaseModel):
    """A tag that a record carries."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    color: str | None
    tagged_by: UUID | None
    tagged_at: datetime


class RecordTags(BaseModel):
    """The tags of a record, by name."""

    model_config = ConfigDict(frozen=True)

    items: list[RecordTag]
