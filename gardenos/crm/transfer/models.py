"""How a file maps to leads, and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gardenos.core.ids import ImportId, TaskId
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


class MatchBy(StrEnum):
    """By which field a row is a record that is there already."""

    EITHER = "either"
    EXTERNAL_ID = "external_id"
    EMAIL = "email"


class OnDuplicate(StrEnum):
    """What becomes of a row that is a record already."""

    SKIP = "skip"
    UPDATE = "update"
    CREATE = "create"


class Format(StrEnum):
    """What a file is."""

    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


class ImportState(StrEnum):
    """How far an import is."""

    STAGED = "staged"
    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"
    REVERTING = "reverting"
    REVERTED = "reverted"

    @property
    def rests(self) -> bool:
        """Whether it changes no more by itself."""
        return self not in (ImportState.RUNNING, ImportState.REVERTING)


class CustomColumn(BaseModel):
    """A column that becomes a custom value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: ColumnName
    type: Literal["text", "number", "boolean", "date"] = "text"
    order: Literal["day-first", "month-first"] | None = Field(
        default=None, description="How dates such as 03/04/2026 are read; without it, not at all."
    )


Columns: TypeAlias = ColumnName | Annotated[list[ColumnName], Field(min_length=1)]


class Mapping(BaseModel):
    """Which columns of a file become what; columns it does not name are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: dict[LeadField, Columns] = Field(
        default_factory=dict[LeadField, ColumnName | list[ColumnName]],
        description="Lead field to column, or to columns joined by a space.",
    )
    custom: dict[CustomKey, ColumnName | CustomColumn] = Field(
        default_factory=dict[CustomKey, ColumnName | CustomColumn], max_length=MAX_CUSTOM_KEYS
    )
    owner: ColumnName | None = Field(
        default=None, description="Holds the owner's e-mail address, as a member, or id."
    )
    tags: ColumnName | None = Field(
        default=None, description="Holds tags, between commas, semicolons or bars."
    )
    empty: list[Annotated[str, StringConstraints(strip_whitespace=True)]] = Field(
        default_factory=list[str], description="Cells that mean no value, such as `Select`."
    )


class ImportOptions(BaseModel):
    """How a file is to be imported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mapping: Mapping | None = Field(
        default=None, description="Without one, headers are matched by name."
    )
    match_by: MatchBy = Field(
        default=MatchBy.EITHER,
        description="`either`: by its external_id, and a row without one by its e-mail address.",
    )
    on_duplicate: OnDuplicate = Field(
        default=OnDuplicate.SKIP,
        description=(
            "`skip`: the record stays as it is. `update`: what the row says replaces it, empty cells "
            "do not. `create`: another one is made; an external_id stays unique."
        ),
    )
    score: bool = Field(default=False, description="Have every lead that is made analysed.")


class OptionChanges(BaseModel):
    """What to change about an import before it begins; what is not sent stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mapping: Mapping | None = Field(default=None, description="Null: headers are matched by name.")
    match_by: MatchBy | None = None
    on_duplicate: OnDuplicate | None = None
    score: Annotated[bool, Field(strict=True)] | None = None

    def over(self, options: ImportOptions) -> ImportOptions:
        """The options with what was sent in their place."""
        given = self.model_dump(exclude_unset=True)
        kept = {k: v for k, v in given.items() if k == "mapping" or v is not None}
        return ImportOptions.model_validate(options.model_dump() | kept)


class ColumnUse(BaseModel):
    """What one column of the file was read as."""

    column: str
    read_as: str | None = Field(
        description="A lead field, `owner`, `tags`, `custom.<key>`, or null: left out."
    )


class RowError(BaseModel):
    """Why a row was not imported."""

    row: int = Field(description="Counts from 1, the header and blank lines not included.")
    column: str | None
    code: str
    detail: str


class Tried(BaseModel):
    """What would become of the first rows, had the import begun."""

    rows: int
    imported: int
    updated: int
    duplicates: int
    rejected: int


class Import(BaseModel):
    """An import: what is to be read, and what became of the rows read so far.

    `rows_read` = `imported` + `updated` + `duplicates` + `rejected`, and in the end `rows_total`.
    """

    model_config = ConfigDict(frozen=True)

    id: ImportId
    entity: Literal["leads"]
    state: ImportState = Field(
        description=(
            "`staged`: kept, to be started. `stopped`: its task was cancelled or failed for good; "
            "start it to go on, or revert it."
        )
    )
    filename: str | None
    format: Format | None
    encoding: str | None
    delimiter: str | None
    options: ImportOptions
    columns: list[ColumnUse] = Field(description="What each column is read as.")
    rows_total: int | None
    rows_read: int
    imported: int
    updated: int
    duplicates: int
    rejected: int
    tasks_enqueued: int
    removed: int = Field(description="Of the records that it made, those a revert took away.")
    restored: int = Field(description="Of the records that it changed, those a revert restored.")
    kept: int = Field(description="What a revert left, because others have worked on it since.")
    task_id: TaskId | None = Field(description="The task that carries it out, or reverts it.")
    created_by: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    purged_at: datetime | None = Field(
        description="Since when its rejected rows, and what a revert needs, are kept no more."
    )


class ImportPage(BaseModel):
    """Imports, the newest first."""

    items: list[Import]
    next_cursor: str | None = Field(description="Null: the last page.")


class ImportReport(Import):
    """The same, with what was wrong with the first rows."""

    errors: list[RowError] = Field(description="The first 100, rejected rows before duplicates.")
    tried: Tried | None = Field(description="Of a staged import; null for others.")
    duplicates_by: Literal["external_id", "email"] = Field(
        description="`email`, in any capitals, where no column gives the external_id; "
        "with `external_id`, rows that lack one still go by their e-mail."
    )
