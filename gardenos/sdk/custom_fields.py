"""`client.custom_fields`: which values of your own records hold, and of what kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call
from gardenos.sdk.records import SENT, ChangingRecords, Record, Ref, Version

Customised: TypeAlias = Literal["leads", "contacts", "companies", "deals", "tasks"]
FieldKind: TypeAlias = Literal[
    "text",
    "number",
    "money",
    "date",
    "boolean",
    "choice",
    "multi_choice",
    "url",
    "email",
    "phone",
    "relation",
]


class CustomField(Record):
    """A definition as it was read. Deleting archives it: values stay, as free ones."""

    entity: Customised = SENT
    key: str = SENT
    label: str = SENT
    kind: FieldKind = SENT
    options: dict[str, Any] = SENT
    required: bool = SENT
    position: int = SENT
    version: int = SENT
    created_by: UUID | None = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class Options(TypedDict, total=False):
    """What a kind needs to know besides: `choices` of a choice, `entity` of a relation."""

    choices: Sequence[str] | None
    entity: Customised | None
    currency: str | None


class CustomFieldFields(TypedDict, total=False):
    """What a definition may say; `convert` has stored values of another kind converted."""

    options: Options
    required: bool
    position: int
    convert: bool


class NewCustomField(CustomFieldFields, total=False):
    """A definition to store: from now on the entity's records hold nothing else under the key."""

    entity: Required[Customised]
    key: Required[str]
    label: Required[str]
    kind: Required[FieldKind]


class CustomFieldChanges(CustomFieldFields, total=False):
    """What may be changed; `entity` and `key` stay."""

    label: str
    kind: FieldKind


class CustomFields(ChangingRecords[D, CustomField]):
    """The agency's definitions."""

    path = "/v1/custom-fields"
    kind = CustomField

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewCustomField]
    ) -> Call[CustomField]:
        """Define a field, as an owner or admin. Raises `Conflict` where stored values do not fit."""
        return self._create(fields, idempotency_key)

    @endpoint
    def change(
        self,
        field: Ref[CustomField],
        *,
        version: Version | None = None,
        **changes: Unpack[CustomFieldChanges],
    ) -> Call[CustomField]:
        """Change a definition as it was read."""
        return self._change(field, changes, version)
