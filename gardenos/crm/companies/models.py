"""A company as stored and as sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from pydantic import Field

from gardenos.crm.records.models import (
    Custom,
    Fields,
    Name,
    Record,
    Text20,
    Text50,
    Text100,
    Text200,
    Text500,
    Text20000,
)
from gardenos.web.text import Clean, blank_is_none

LIMITS: Final[Mapping[str, int]] = {
    "external_id": 200,
    "name": 200,
    "domain": 253,
    "industry": 100,
    "phone": 50,
    "website": 500,
    "street": 200,
    "postal_code": 20,
    "city": 200,
    "region": 100,
    "country": 100,
    "notes": 20_000,
}
"""Characters each text field holds; the table's CHECKs say the same."""
MAX_EMPLOYEES: Final = 10_000_000

Domain: TypeAlias = Annotated[Annotated[Clean, Field(max_length=253)] | None, blank_is_none]


class CompanyFields(Fields):
    """What may be set on a company besides its name; blank text means none."""

    external_id: Text200 = Field(default=None, description="Its id elsewhere; unique per agency.")
    domain: Domain = Field(default=None, examples=["example.com"])
    industry: Text100 = None
    employees: int | None = Field(default=None, ge=0, le=MAX_EMPLOYEES, strict=True)
    phone: Text50 = None
    website: Text500 = None
    street: Text200 = None
    postal_code: Text20 = None
    city: Text200 = None
    region: Text100 = None
    country: Text100 = None
    notes: Text20000 = None
    custom: Custom = Field(default_factory=dict[str, Any])
    owner_id: UUID | None = Field(default=None, description="The member who looks after it.")


class NewCompany(CompanyFields):
    """A company to store."""

    name: Name


class CompanyChanges(CompanyFields):
    """Changes to a company: fields sent replace the stored ones, null empties them.

    `custom` is merged key by key; null removes a key.
    """

    name: Name = Field(default_factory=str)


class Company(Record):
    """A company as stored."""

    id: UUID
    external_id: str | None
    name: str
    domain: str | None
    industry: str | None
    employees: int | None = Field(ge=0, le=MAX_EMPLOYEES)
    phone: str | None
    website: str | None
    street: str | None
    postal_code: str | None
    city: str | None
    region: str | None
    country: str | None
    notes: str | None
    custom: dict[str, Any]
    owner_id: UUID | None
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
