"""A saved view as stored and as sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from pydantic import Field

from gardenos.crm.records.models import Fields, Name, Record
from gardenos.web.text import Clean

LIMITS: Final[Mapping[str, int]] = {"entity": 40, "name": 200}
_Parameter: TypeAlias = Annotated[Clean, Field(min_length=1, max_length=100)]
Filters: TypeAlias = Annotated[
    dict[_Parameter, Annotated[Clean, Field(max_length=4000)]],
    Field(
        max_length=20,
        description="Parameters of the list, by name.",
        examples=[{"status": "new", "quality_score.gte": "70", "custom.tier": "gold"}],
    ),
]
Names: TypeAlias = Annotated[list[_Parameter], Field(max_length=100)]


class ViewFields(Fields):
    """What may be set on a view."""

    name: Name
    shared: bool = Field(default=False, strict=True, description="Seen by the whole agency.")
    filters: Filters = Field(default_factory=dict[str, str])
    sort: Names = Field(default_factory=list[str], max_length=4, examples=[["-created_at"]])
    columns: Names = Field(
        default_factory=list[str],
        description="Fields to show, in order; `custom.<key>` for one of your own.",
        examples=[["first_name", "last_name", "custom.tier"]],
    )


class NewView(ViewFields):
    """A view to save, of one entity's list."""

    entity: Annotated[str, Field(pattern="^[a-z][a-z_]{0,39}$", examples=["leads"])]


class ViewChanges(ViewFields):
    """Changes to a view; it stays one of the same entity."""

    name: Name = ""


class View(Record):
    """A saved view."""

    id: UUID
    entity: str
    name: str
    shared: bool
    filters: dict[str, str]
    sort: list[str]
    columns: list[str]
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
