"""`client.companies`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call
from gardenos.sdk.merges import MergingRecords
from gardenos.sdk.records import SENT, Record, Ref, Version


class Company(Record):
    """A company as it was read."""

    external_id: str | None = SENT
    name: str = SENT
    domain: str | None = SENT
    industry: str | None = SENT
    employees: int | None = SENT
    phone: str | None = SENT
    website: str | None = SENT
    street: str | None = SENT
    postal_code: str | None = SENT
    city: str | None = SENT
    region: str | None = SENT
    country: str | None = SENT
    notes: str | None = SENT
    custom: dict[str, Any] = SENT
    owner_id: UUID | None = SENT
    version: int = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class CompanyFields(TypedDict, total=False):
    """What a caller may set on a company."""

    external_id: str | None
    domain: str | None
    industry: str | None
    employees: int | None
    phone: str | None
    website: str | None
    street: str | None
    postal_code: str | None
    city: str | None
    region: str | None
    country: str | None
    notes: str | None
    custom: dict[str, Any]
    owner_id: UUID | str | None


class NewCompany(CompanyFields, total=False):
    """A company to store."""

    name: Required[str]


class CompanyChanges(CompanyFields, total=False):
    """What may be changed."""

    name: str


class Companies(MergingRecords[D, Company]):
    """The agency's companies."""

    path = "/v1/companies"
    kind = Company

    @endpoint
    def create(
        self,
        *,
        allow_duplicate: bool = False,
        idempotency_key: str | None = None,
        **fields: Unpack[NewCompany],
    ) -> Call[Company]:
        """Store a company.

        Raises `PossibleDuplicate` for one that may be there already, unless `allow_duplicate`.
        """
        call = self._create(fields, idempotency_key)
        return call.with_headers({"Allow-Duplicate": "true"}) if allow_duplicate else call

    @endpoint
    def change(
        self,
        company: Ref[Company],
        *,
        version: Version | None = None,
        **changes: Unpack[CompanyChanges],
    ) -> Call[Company]:
        """Change a company as it was read."""
        return self._change(company, changes, version)
