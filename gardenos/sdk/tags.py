"""`client.tags`, and the tags of records."""

from __future__ import annotations

from datetime import datetime
from typing import Required, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.base import Items, Result
from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call, model, nothing, segment
from gardenos.sdk.records import SENT, ChangingRecords, R, Record, Ref, Version, id_of


class Tag(Record):
    """A tag as it was read."""

    name: str = SENT
    color: str | None = SENT
    version: int = SENT
    created_by: UUID | None = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class RecordTag(Result):
    """A tag that a record carries."""

    id: UUID
    name: str
    color: str | None
    tagged_by: UUID | None
    tagged_at: datetime


class TagFields(TypedDict, total=False):
    """What may be changed about a tag; `color` is `#rrggbb`."""

    name: str
    color: str | None


class NewTag(TypedDict, total=False):
    """A tag to store."""

    name: Required[str]
    color: str | None


TagRef: TypeAlias = Tag | RecordTag | UUID | str


class Tags(ChangingRecords[D, Tag]):
    """The agency's tags."""

    path = "/v1/tags"
    kind = Tag

    @endpoint
    def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewTag]) -> Call[Tag]:
        """Store a tag."""
        return self._create(fields, idempotency_key)

    @endpoint
    def change(
        self, tag: Ref[Tag], *, version: Version | None = None, **changes: Unpack[TagFields]
    ) -> Call[Tag]:
        """Change a tag as it was read."""
        return self._change(tag, changes, version)


class TaggedRecords(ChangingRecords[D, R]):
    """Records that carry tags."""

    @endpoint
    def tags(self, record: Ref[R]) -> Call[Items[RecordTag]]:
        """The tags of a record, by name."""
        return Call("GET", self._of(record, "/tags"), model(Items[RecordTag]))

    @endpoint
    def tag(self, record: Ref[R], tag: TagRef) -> Call[None]:
        """Give a record a tag; one that it carries, it keeps."""
        return Call("PUT", self._of(record, _one(tag)), nothing)

    @endpoint
    def untag(self, record: Ref[R], tag: TagRef) -> Call[None]:
        """Take a tag from a record."""
        return Call("DELETE", self._of(record, _one(tag)), nothing)


def _one(tag: TagRef) -> str:
    return f"/tags/{segment(tag.id if isinstance(tag, RecordTag) else id_of(tag))}"
