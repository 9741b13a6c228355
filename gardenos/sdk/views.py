"""`client.views`: filters, order and columns of a list, kept under a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Required, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call
from gardenos.sdk.records import SENT, ChangingRecords, Record, Ref, Version


class View(Record):
    """A saved view as it was read. `filters` is what `where` of a list takes, `sort` its `sort`."""

    entity: str = SENT
    name: str = SENT
    shared: bool = SENT
    filters: dict[str, str] = SENT
    sort: tuple[str, ...] = SENT
    columns: tuple[str, ...] = SENT
    version: int = SENT
    created_by: UUID | None = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class ViewFields(TypedDict, total=False):
    """What a view has besides its name; `shared` shows it to the whole agency."""

    shared: bool
    filters: Mapping[str, str]
    sort: Sequence[str]
    columns: Sequence[str]


class NewView(ViewFields, total=False):
    """A view to save, of one entity's list, as `leads`."""

    entity: Required[str]
    name: Required[str]


class ViewChanges(ViewFields, total=False):
    """What may be changed."""

    name: str


class Views(ChangingRecords[D, View]):
    """Your views, and those that are shared."""

    path = "/v1/views"
    kind = View

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewView]
    ) -> Call[View]:
        """Save a view."""
        return self._create(fields, idempotency_key)

    @endpoint
    def change(
        self, view: Ref[View], *, version: Version | None = None, **changes: Unpack[ViewChanges]
    ) -> Call[View]:
        """Change a view as it was read."""
        return self._change(view, changes, version)
