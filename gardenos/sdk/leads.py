"""`client.leads`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack
from uuid import UUID

from gardenos.core.ids import FollowUpId, ImportId, LeadId, TaskId
from gardenos.sdk.base import Items, Page, Result
from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call, Step, after, model, post
from gardenos.sdk.companies import CompanyFields
from gardenos.sdk.contacts import ContactFields
from gardenos.sdk.deals import NewDeal
from gardenos.sdk.merges import MergingRecords
from gardenos.sdk.records import SENT, Record, Ref, Version, id_of, if_match, plain
from gardenos.sdk.results import FollowUp, Reason

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
LeadStatus: TypeAlias = Literal["new", "contacted", "qualified", "unqualified", "converted", "lost"]


class Lead(Record):
    """A lead as it stood when it was read; `version` guards changes to it."""

    id: LeadId  # pyright: ignore[reportIncompatibleVariableOverride] a UUID of its own
    external_id: str | None = SENT
    first_name: str | None = SENT
    last_name: str | None = SENT
    email: str | None = SENT
    phone: str | None = SENT
    company: str | None = SENT
    job_title: str | None = SENT
    website: str | None = SENT
    city: str | None = SENT
    country: str | None = SENT
    source: str | None = SENT
    status: LeadStatus = SENT
    notes: str | None = SENT
    custom: dict[str, Any] = SENT
    owner_id: UUID | None = SENT
    import_id: ImportId | None = SENT
    quality_score: int | None = SENT
    """0 to 100; None until an agent has scored the lead."""
    conversion_probability: float | None = SENT
    """0 to 1, calibrated; None until an agent has scored the lead."""
    scored_at: datetime | None = SENT
    converted_at: datetime | None = SENT
    converted_contact_id: UUID | None = SENT
    converted_company_id: UUID | None = SENT
    converted_deal_id: UUID | None = SENT
    version: int = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class Score(Result):
    """An earlier analysis of a stored lead."""

    id: UUID
    lead_id: LeadId
    quality_score: int
    conversion_probability: float
    reasons: tuple[Reason, ...] = ()
    next_actions: tuple[str, ...] = ()
    provider: str
    model: str
    task_id: TaskId
    created_at: datetime


class StoredFollowUp(FollowUp):
    """A draft kept with its lead."""

    id: FollowUpId
    lead_id: LeadId
    state: Literal["draft", "approved", "discarded"]
    created_at: datetime


class Conversion(Result):
    """What a lead became."""

    lead_id: LeadId
    contact_id: UUID
    company_id: UUID | None
    deal_id: UUID | None
    contact_made: bool
    """False where the contact was there before."""
    company_made: bool
    converted_at: datetime


class Unconverted(Result):
    """A lead that is one again, and what stays of its conversion, by noun."""

    lead_id: LeadId
    kept: dict[str, tuple[UUID, ...]]


LeadRef: TypeAlias = Lead | UUID | str
"""A lead that is stored: read, or named by its id."""


class LeadFields(TypedDict, total=False):
    """What a caller may set on a lead."""

    external_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    company: str | None
    job_title: str | None
    website: str | None
    city: str | None
    country: str | None
    source: str | None
    status: LeadStatus
    notes: str | None
    custom: dict[str, Any]
    owner_id: UUID | str | None


class Becomes(TypedDict, total=False):
    """What a lead becomes. A contact with its address, a company of its name or domain are taken."""

    contact_id: UUID | str | None
    contact: ContactFields | None
    company_id: UUID | str | None
    with_company: bool
    company: CompanyFields | None
    deal: NewDeal | None


_LARGEST_PAGE = 200


def lead_id(lead: LeadRef) -> str:
    """The id of a lead however it is named."""
    return id_of(lead)


def _every(
    path: str, reads: Callable[[httpx.Response], Page[T]]
) -> Generator[Step, Any, tuple[T, ...]]:
    """The steps that read a list to its end."""
    found: tuple[T, ...] = ()
    call: Call[Page[T]] | None = Call("GET", path, reads, params={"limit": _LARGEST_PAGE})
    while call is not None:
        page = yield from call
        found += page.items
        call = after(call, page)
    return found


class Leads(MergingRecords[D, Lead]):
    """The agency's leads."""

    path = "/v1/leads"
    kind = Lead

    @endpoint
    def create(
        self,
        *,
        allow_duplicate: bool = False,
        idempotency_key: str | None = None,
        **fields: Unpack[LeadFields],
    ) -> Call[Lead]:
        """Store a lead.

        Raises `PossibleDuplicate` for one that may be there already, unless `allow_duplicate`.
        """
        call = self._create(fields, idempotency_key)
        return call.with_headers({"Allow-Duplicate": "true"}) if allow_duplicate else call

    @endpoint
    def change(
        self, lead: Ref[Lead], *, version: Version | None = None, **changes: Unpack[LeadFields]
    ) -> Call[Lead]:
        """Change a lead as it was read: a `Lead` knows its version, an id needs `version`.

        Raises `PreconditionFailed` where somebody changed it since, `PreconditionRequired` without
        a version. So does every other `change`.
        """
        return self._change(lead, changes, version)

    @endpoint
    def convert(
        self,
        lead: Ref[Lead],
        *,
        version: Version | None = None,
        idempotency_key: str | None = None,
        **how: Unpack[Becomes],
    ) -> Call[Conversion]:
        """Make of a lead a contact, its company and, if asked, a deal: all of it or nothing.

        Raises `Conflict` for one that was converted before.
        """
        return post(
            self._of(lead, "/convert"),
            model(Conversion),
            json=plain(how),
            idempotency_key=idempotency_key,
        ).with_headers(if_match(None, version))

    @endpoint
    def unconvert(
        self,
        lead: Ref[Lead],
        *,
        force: bool = False,
        version: Version | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Unconverted]:
        """Take a conversion back. Raises `Conflict` where what was made has been used since.

        `force=True` keeps that instead.
        """
        return post(
            self._of(lead, "/unconvert"),
            model(Unconverted),
            json={"force": force},
            idempotency_key=idempotency_key,
        ).with_headers(if_match(None, version))

    @endpoint
    def scores(self, lead: LeadRef) -> Generator[Step, Any, Items[Score]]:
        """Every analysis of a lead, newest first."""
        found = yield from _every(self._of(lead, "/scores"), model(Page[Score]))
        return Items[Score](items=found)

    @endpoint
    def follow_ups(self, lead: LeadRef) -> Generator[Step, Any, Items[StoredFollowUp]]:
        """Every message drafted for a lead, newest first."""
        found = yield from _every(self._of(lead, "/follow-ups"), model(Page[StoredFollowUp]))
        return Items[StoredFollowUp](items=found)
