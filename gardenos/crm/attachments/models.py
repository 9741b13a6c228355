"""An attachment as announced, uploaded and stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.crm.records.models import Fields, Record
from gardenos.web.text import NotBlank

LIMITS: Final[Mapping[str, int]] = {"name": 255, "media_type": 127, "sha256": 64}
_VISIBLE: Final = r"^[^\u0000-\u001f\u007f]*[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$"
FileName: TypeAlias = Annotated[
    NotBlank,
    Field(max_length=255, pattern=_VISIBLE, description="As people see it. It names no path."),
]
MediaType: TypeAlias = Annotated[
    str,
    Field(
        max_length=127,
        pattern=r"^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$",
        examples=["application/pdf"],
    ),
]


class AttachmentState(StrEnum):
    """Whether its bytes are there."""

    PENDING = "pending"
    STORED = "stored"


class NewAttachment(Fields):
    """A file to upload, and the one record that it belongs to."""

    lead_id: UUID | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    deal_id: UUID | None = None
    activity_id: UUID | None = None
    name: FileName
    media_type: MediaType
    bytes: int = Field(ge=1, le=2**40, strict=True, description="How many will be uploaded.")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None, description="What the bytes have to come to; they are checked."
    )


class AttachmentChanges(Fields):
    """What may change of an attachment."""

    name: FileName = ""


class Attachment(Record):
    """An attachment as stored."""

    id: UUID
    lead_id: UUID | None
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None
    activity_id: UUID | None
    name: str
    media_type: str
    bytes: int
    sha256: str | None
    state: AttachmentState
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Upload(BaseModel):
    """Where the bytes go: send them as they are, without an access token."""

    model_config = ConfigDict(frozen=True)

    method: Literal["PUT"] = "PUT"
    url: str
    expires_at: datetime


class Announced(Attachment):
    """A new attachment, and where to send its bytes. Confirm it afterwards."""

    upload: Upload


class Download(BaseModel):
    """Where the bytes are, for a while."""

    model_config = ConfigDict(frozen=True)

    url: str
    expires_at: datetime
