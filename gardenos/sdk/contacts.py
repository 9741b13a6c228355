"""`client.contacts`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call
from gardenos.sdk.merges import MergingRecords
from gardenos.sdk.records import SENT, Record, Ref, Version


class Contact(Record):
    """A contact as it was read."""

    external_id: str | None = SENT
    first_name: str | None = SENT
    last_name: str | None = SENT
    email: str | None = SENT
    phone: str | None = SENT
    mobile: str | None = SENT
    job_title: str | None = SENT
    company_id: UUID | None = SENT
    website: str | None = SENT
    street: str | None = SENT
    postal_code: str | None = SENT
    city: str | None = SENT
    region: str | None = SENT
    country: str | None = SENT
    source: str | None = SENT
    do_not_contact: bool = SENT
    notes: str | None = SENT
    custom: dict[str, Any] = SENT
    owner_id: UUID | None = SENT
    version: int = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class ContactFields(TypedDict, total=False):
    """What a caller may set on a contact; a new one needs a name, address, number or id of yours."""

    external_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    mobile: str | None
    job_title: str | None
    company_id: UUID | str | None
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
    owner_id: UUID | str | None


class Contacts(MergingRecords[D, Contact]):
    """The agency's contacts."""

    path = "/v1/contacts"
    kind = Contact

    @endpoint
    def create(
        self,
        *,
        allow_duplicate: bool = False,
        idempotency_key: str | None = None,
        **fields: Unpack[ContactFields],
    ) -> Call[Contact]:
        """Store a contact.

        Raises `PossibleDuplicate` for one that may be there already, unless `allow_duplicate`.
        """
        call = self._create(fields, idempotency_key)
        return call.with_headers({"Allow-Duplicate": "true"}) if allow_duplicate else call

    @endpoint
    def change(
        self,
        contact: Ref[Contact],
        *,
        version: Version | None = None,
        **changes: Unpack[ContactFields],
    ) -> Call[Contact]:
        """Change a contact as it was read."""
        return self._change(contact, changes, version)
