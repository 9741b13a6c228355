"""An agency as stored and as sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gardenos.core.ids import AgencyId
from gardenos.core.phones import COUNTRIES
from gardenos.web.text import NotBlank


class DuplicateCheck(StrEnum):
    """What refuses a new record that may be there already."""

    OFF = "off"
    EXACT = "exact"
    FUZZY = "fuzzy"


def _known(code: str) -> str:
    if code not in COUNTRIES:
        raise PydanticCustomError("country", "is no country; write it as in DE, by ISO 3166")
    return code


Country: TypeAlias = Annotated[
    str,
    AfterValidator(_known),
    Field(description="By ISO 3166, as in DE.", json_schema_extra={"enum": [*sorted(COUNTRIES)]}),
]


def _without_defaults(schema: dict[str, Any]) -> None:
    """A field that is not sent stays as it is: the defaults below are none for a reader."""
    for described in schema["properties"].values():
        described.pop("default", None)


class Agency(BaseModel):
    """The caller's agency."""

    model_config = ConfigDict(frozen=True)

    id: AgencyId
    name: str
    default_country: Country | None = Field(
        description="Where telephone numbers without an international prefix are dialled."
    )
    duplicate_check: DuplicateCheck = Field(
        description=(
            "What refuses a new lead, contact or company that may be there already: `exact` the "
            "same e-mail address, telephone number or domain; `fuzzy` alike names, too."
        )
    )
    version: int
    created_at: datetime
    updated_at: datetime


class AgencyChanges(BaseModel):
    """What to change about an agency; what is not sent stays."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_without_defaults)

    name: Annotated[NotBlank, Field(max_length=200)] = Field(default="")
    default_country: Country | None = None
    duplicate_check: DuplicateCheck = DuplicateCheck.FUZZY

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("empty", "says nothing to change")
        return self

    def given(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)
