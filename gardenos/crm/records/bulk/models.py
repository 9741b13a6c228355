"""What a bulk request holds, and what it is answered."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from gardenos.crm.records.entity import Entity
from gardenos.web.problems import Problem

MAX_AT_ONCE: Final = 1_000
"""Operations that are answered at once; more become a job."""
MAX_OPERATIONS: Final = 100_000
_LARGEST: Final = 2**63 - 1
_MAX_ID_CHARS: Final = 100

_Id: TypeAlias = Annotated[str, Field(max_length=_MAX_ID_CHARS, description="Of the record.")]
_Version: TypeAlias = Annotated[
    Annotated[int, Field(strict=True, ge=0, le=_LARGEST)] | None,
    Field(description="The version you read; another one is refused. Null for any."),
]


class BulkCreate(BaseModel):
    """Store a record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op: Literal["create"]
    record: dict[str, Any] = Field(description="What a POST of one takes.")


class BulkUpdate(BaseModel):
    """Change a record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op: Literal["update"]
    id: _Id
    version: _Version = None
    changes: dict[str, Any] = Field(description="What a PATCH of one takes.")


class BulkDelete(BaseModel):
    """Mark a record deleted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op: Literal["delete"]
    id: _Id
    version: _Version = None


class BulkErased(BaseModel):
    """What a job keeps of an operation that was erased with a person; no request has one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op: Literal["erased"]


Operation: TypeAlias = BulkCreate | BulkUpdate | BulkDelete
Kept: TypeAlias = Operation | BulkErased
"""An operation as a job has it."""


class Bulk(BaseModel):
    """What to do, in this order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operations: list[Operation]


def kinds(entity: Entity) -> tuple[type[BaseModel], ...]:
    """What can be done with the entity's records."""
    found: list[type[BaseModel]] = []
    if entity.new is not None:
        found.append(BulkCreate)
    if entity.changes is not None:
        found.append(BulkUpdate)
    if entity.deletes:
        found.append(BulkDelete)
    return tuple(found)


def body_of(entity: Entity) -> type[Bulk]:
    """What a bulk request for the entity holds; what is in a record is looked at one by one."""
    one: Any = reduce(or_, kinds(entity))
    if len(kinds(entity)) > 1:
        one = Annotated[one, Field(discriminator="op")]
    bounds = Field(min_length=1, max_length=MAX_OPERATIONS)
    return create_model(
        f"{entity.record.__name__}Bulk",
        __base__=Bulk,
        __doc__=f"What to do with {entity.noun}, in this order.",
        operations=(list[one], bounds),  # pyright: ignore[reportInvalidTypeForm] made at run time
    )


class BulkResult(BaseModel):
    """What became of one operation."""

    model_config = ConfigDict(frozen=True)

    status: int = Field(description="What a request for it alone would have been answered with.")
    id: UUID | None = Field(default=None, description="Of the record; absent where there is none.")
    version: int | None = Field(default=None, description="Where the record is stored or changed.")
    etag: str | None = Field(default=None, description="The version, for If-Match.")
    problem: Problem | None = Field(
        default=None, description="Why it failed; absent if it did not."
    )


class BulkAnswer(BaseModel):
    """What became of each operation, in the order of the request."""

    model_config = ConfigDict(frozen=True)

    results: list[BulkResult]
    succeeded: int
    failed: int
