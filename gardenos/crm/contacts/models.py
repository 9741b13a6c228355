"""A contact as stored and as sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from gardenos.crm.records.models import (
    Custom,
    Fields,
    OptionalEmail,
    Record,
    Text20,
    Text50,
    Text100,
    Text200,
    Text500,
    Text20000,
)

LIMITS: Final[Mapping[str, int]] = {
    "external_id": 200,
    "first_name": 200,
    "last_name": 200,
    "email": 320,
    "phone": 50,
    "mobile": 50,
    "job_title": 200,
    "website": 500,
    "street": 200,
    "postal_code": 20,
    "city": 200,
    "region": 100,
    "country": 100,
    "source": 100,
    "notes": 20_000,
}
"""Characters each text field holds; the table's CHECKs say the same."""


class ContactFields(Fields):
    """What may be set on a contact; blank text means none."""

    external_id: Text200 = Field(default=None, description="Its id elsewhere; unique per agency.")
    first_name: Text200 = None
    last_name: Text200 = None
    email: OptionalEmail = Field(default=None, examples=["ada@example.com"])
    phone: Text50 = None
    mobile: Text50 = None
    job_title: Text200 = None
    company_id: UUID | None = None
    website: Text500 = None
    street: Text200 = None
    postal_code: Text20 = None
    city: Text200 = None
    region: Text100 = None
    country: Text100 = None
    source: Text100 = None
    do_not_contact: bool = Field(default=False, strict=True)
    notes: Text20000 = None
    custom: Custom = Field(default_factory=dict[str, Any])
    owner_id: UUID | None = Field(default=None, description="The member who looks after it.")


class NewContact(ContactFields):
    """A contact to store, with a name, an address, a number or an id of yours."""


class ContactChanges(ContactFields):
    """Changes to a contact: fields sent replace the stored ones, null empties them.

    `custom` is merged key by key; null removes a key.
    """


class Contact(Record):
    """A contact as stored."""

    id: UUID
    external_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    mobile: str | None
    job_title: str | None
    company_id: UUID | None
    website: str | None
    street: str | None
    postal_code: str | None
    city: str | None
    region: str | None
    country: str | None
    source: str | None
    do_not_contact: bool
    notes: str | None
    custom: dict[str, Any]
    owner_id: UUID | None
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
