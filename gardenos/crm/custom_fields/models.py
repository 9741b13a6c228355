"""A custom field as defined and as stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.crm.records.models import Currency, Fields, Name, Record
from gardenos.web.text import NotBlank

LIMITS: Final[Mapping[str, int]] = {"key": 63, "label": 200}
MAX_CHOICES: Final = 200
KEY_PATTERN: Final = "^[a-z][a-z0-9_]{0,62}$"


class FieldKind(StrEnum):
    """What a custom field holds."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    URL = "url"
    EMAIL = "email"
    PHONE = "phone"
    RELATION = "relation"


class Customised(StrEnum):
    """The entities that can have custom fields."""

    LEADS = "leads"
    CONTACTS = "contacts"
    COMPANIES = "companies"
    DEALS = "deals"
    TASKS = "tasks"


class Options(BaseModel):
    """What a kind needs to know besides: `choices` of a choice, `entity` of a relation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: list[Annotated[NotBlank, Field(max_length=200)]] | None = Field(
        default=None, min_length=1, max_length=MAX_CHOICES, examples=[["gold", "silver"]]
    )
    entity: Customised | None = Field(default=None, description="Whose records a relation names.")
    currency: Currency | None = Field(
        default=None, description="What amounts without a currency are in where they are converted."
    )


class _Definition(Fields):
    label: Name
    kind: FieldKind
    options: Options = Field(default_factory=Options)
    required: bool = Field(default=False, strict=True)
    position: int = Field(default=0, ge=0, le=10_000, description="Its place in forms.")
    convert: bool = Field(
        default=False,
        strict=True,
        description=(
            "Convert stored values that are of another kind. Nothing happens where one cannot be."
        ),
    )

    def given(self) -> dict[str, Any]:
        """See `Fields`."""
        values = super().given()
        if "options" in values:
            values["options"] = self.options.model_dump(mode="json", exclude_none=True)
        return values


class NewCustomField(_Definition):
    """A definition to store: from now on the entity's records hold nothing else under the key."""

    entity: Customised
    key: Annotated[str, Field(pattern=KEY_PATTERN, examples=["tier"])]


class CustomFieldChanges(_Definition):
    """Changes to a definition; its `entity` and `key` stay."""

    label: Name = ""
    kind: FieldKind = FieldKind.TEXT


class CustomField(Record):
    """A definition as stored. Deleting archives it: values stay, as free ones."""

    id: UUID
    entity: Customised
    key: str
    label: str
    kind: FieldKind
    options: dict[str, Any]
    required: bool
    position: int
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
