"""How a file maps to leads, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gardenos.core.ids import ImportId
from gardenos.crm.records.models import MAX_CUSTOM_KEYS, CustomKey

LeadField: TypeAlias = Literal[
    "external_id",
    "first_name",
    "last_name",
    "email",
    "phone",
    "company",
    "job_title",
    "website",
    "city",
    "country",
    "source",
    "status",
    "notes",
]
ColumnName: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)
]


class CustomColumn(BaseModel):
    """A column that becomes a custom value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: ColumnName
    type: Literal["text", "number", "boolean"] = "text"


class Mapping(BaseModel):
    """Which columns of a file become what; columns it does not name are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: dict[LeadField, ColumnName | Annotated[list[ColumnName], Field(min_length=1)]] = Field(
        default_factory=dict[LeadField, ColumnName | list[ColumnName]],
        description="Lead field to column, or to columns joined by a space.",
    )
    custom: dict[CustomKey, ColumnName | CustomColumn] = Field(
        default_factory=dict[CustomKey, ColumnName | CustomColumn], max_length=MAX_CUSTOM_KEYS
    )
    empty: list[Annotated[str, StringConstraints(strip_whitespace=True)]] = Field(
        default_factory=list[str], description="Cells that mean no value, such as `Select`."
    )


class ColumnUse(BaseModel):
    """What one column of the file was read as."""

    column: str
    read_as: str | None = Field(description="A lead field, `custom.<key>`, or null: left out.")


class RowError(BaseModel):
    """Why a row was not imported."""

    row: int = Field(description="Counts from 1, the header and blank lines not included.")
    column: str | None
    code: str
    detail: str


class ImportCounts(BaseModel):
    """What became of a file's rows: `rows_read` = `imported` + `duplicates` + `rejected`."""

    model_config = ConfigDict(frozen=True)

    id: ImportId
    filename: str | None
    rows_read: int
    imported: int
    duplicates: int
    rejected: int
    created_at: datetime


class ImportReport(ImportCounts):
    """The same, with what only the import itself knows."""

    tasks_enqueued: int
    errors: list[RowError] = Field(description="The first 100, rejected rows before duplicates.")
    encoding: str
    delimiter: str
    duplicates_by: Literal["external_id", "email"] = Field(
        description="`email`, in any capitals, where no column gives the external_id; "
        "with `external_id`, rows that lack one still go by their e-mail."
    )
    columns: list[ColumnUse]
