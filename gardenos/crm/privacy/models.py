"""A person as records know one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gardenos.web.text import Email

MAX_RECORDS = 1000


class Kind(StrEnum):
    """Where a person is found."""

    LEAD = "lead"
    CONTACT = "contact"


class Record(BaseModel):
    """A lead or contact that is the person."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    id: UUID
    first_name: str | None
    last_name: str | None
    email: str | None
    created_at: datetime
    deleted_at: datetime | None = Field(description="Deleted ones are found until they are purged.")


class Person(BaseModel):
    """The records with one e-mail."""

    items: list[Record]


Address: TypeAlias = Annotated[Email, AfterValidator(str.lower), Field(min_length=3)]
Ids: TypeAlias = Annotated[list[UUID], Field(max_length=MAX_RECORDS)]


class Who(BaseModel):
    """A person: by e-mail, by the ids of records, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Address | None = None
    lead_ids: Ids = Field(default_factory=list[UUID])
    contact_ids: Ids = Field(default_factory=list[UUID])

    @model_validator(mode="after")
    def _somebody(self) -> Who:
        if self.email is None and not self.lead_ids and not self.contact_ids:
            raise PydanticCustomError("nobody", "names nobody: send email, lead_ids or contact_ids")
        return self


class Erased(BaseModel):
    """How many rows of each table were changed. All zero: there was nothing (more) to erase."""

    rows: dict[str, int]
