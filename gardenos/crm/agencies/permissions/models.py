"""Cells of the matrix and masks of fields, as stored and as sent."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from gardenos.core.claims import UserRole
from gardenos.web.text import NotBlank


class Verb(StrEnum):
    """What a role may do to records."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Scope(StrEnum):
    """To whose records."""

    NONE = "none"
    OWN = "own"
    TEAM = "team"
    AGENCY = "agency"


class Access(StrEnum):
    """How much of a field is left to a role."""

    HIDDEN = "hidden"
    READ_ONLY = "read_only"


Entity: TypeAlias = Annotated[NotBlank, Field(max_length=40, examples=["leads"])]
Field100: TypeAlias = Annotated[
    NotBlank, Field(max_length=100, description="A field, or `custom.` and the name of one.")
]


class Permission(BaseModel):
    """One cell: what holds for a role, an entity and a verb."""

    model_config = ConfigDict(frozen=True)

    role: UserRole
    entity: str
    verb: Verb
    scope: Scope
    default: Scope
    is_default: bool = Field(description="Whether your agency left it as it comes.")


class Matrix(BaseModel):
    """What holds for every role, entity and verb."""

    items: list[Permission]


class CellChange(BaseModel):
    """What shall hold; null: what it comes with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: UserRole
    entity: Entity
    verb: Verb
    scope: Scope | None


class MatrixChanges(BaseModel):
    """Cells to set; the others stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: Annotated[list[CellChange], Field(min_length=1, max_length=1000)]


class Mask(BaseModel):
    """A field that a role does not see, or does not set."""

    model_config = ConfigDict(frozen=True)

    role: UserRole
    entity: str
    field: str
    access: Access


class MaskList(BaseModel):
    """Every mask of the agency."""

    items: list[Mask]


class MaskChange(BaseModel):
    """What shall hold of a field; null: the role sees and sets it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: UserRole
    entity: Entity
    field: Field100
    access: Access | None


class MaskChanges(BaseModel):
    """Masks to set; the others stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: Annotated[list[MaskChange], Field(min_length=1, max_length=1000)]
