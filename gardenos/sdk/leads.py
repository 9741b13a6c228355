"""`client.leads`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, Step, after, given, model, nothing, post, segment
from gardenos.sdk.results import Items, Lead, LeadStatus, Page, Scalar, Score, StoredFollowUp

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
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
    custom: dict[str, Scalar]
    owner_id: UUID | str | None


class LeadFilter(TypedDict, total=False):
    """Which leads, and in which order; `sort` is a field name, with `-` before it descending."""

    status: LeadStatus
    source: str
    email: str
    q: str
    quality_score_gte: int
    quality_score_lte: int
    created_at_gte: datetime
    created_at_lt: datetime
    include_deleted: bool
    sort: str


_LARGEST_PAGE = 200
_COMPARISONS = ("_gte", "_lte", "_lt")


def lead_id(lead: LeadRef) -> str:
    """The id of a lead however it is named."""
    return str(lead.id if isinstance(lead, Lead) else lead)


def _path(lead: LeadRef, of_it: str = "") -> str:
    return f"/v1/leads/{segment(lead_id(lead))}{of_it}"


def _parameters(which: LeadFilter) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in which.items():
        for suffix in _COMPARISONS:
            if name.endswith(suffix):
                name = f"{name.removesuffix(suffix)}.{suffix[1:]}"  # noqa: PLW2901 the wire's spelling
                break
        found[name] = value.isoformat() if isinstance(value, datetime) else value
    return found


def _json(fields: LeadFields) -> dict[str, Any]:
    return {name: str(v) if isinstance(v, UUID) else v for name, v in fields.items()}


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


class Leads(Namespace[D]):
    """The agency's leads."""

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[LeadFields]
    ) -> Call[Lead]:
        """Store a lead."""
        return post("/v1/leads", model(Lead), json=_json(fields), idempotency_key=idempotency_key)

    @endpoint
    def get(self, lead: LeadRef) -> Call[Lead]:
        """Read a lead. Raises `NotFound`."""
        return Call("GET", _path(lead), model(Lead))

    @listing
    def list(self, *, page_size: int = 100, **which: Unpack[LeadFilter]) -> Call[Page[Lead]]:
        """Every lead that matches, one by one; pages are asked for as they are needed."""
        return Call(
            "GET", "/v1/leads", model(Page[Lead]), params={"limit": page_size, **_parameters(which)}
        )

    @endpoint
    def page(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        total: bool = False,
        **which: Unpack[LeadFilter],
    ) -> Call[Page[Lead]]:
        """One page of the leads that match; `total=True` counts them all, which costs time."""
        params = given(limit=limit, cursor=cursor, total=total or None)
        return Call("GET", "/v1/leads", model(Page[Lead]), params=params | _parameters(which))

    @endpoint
    def update(
        self, lead: LeadRef, *, version: int | None = None, **changes: Unpack[LeadFields]
    ) -> Call[Lead]:
        """Change a lead as it was read: a `Lead` knows its version, an id needs `version`.

        Raises `PreconditionFailed` where somebody changed it since, `PreconditionRequired` without
        a version.
        """
        known = lead.version if version is None and isinstance(lead, Lead) else version
        headers = {} if known is None else {"If-Match": f'"{known}"'}
        return Call("PATCH", _path(lead), model(Lead), json=_json(changes), headers=headers)

    @endpoint
    def delete(self, lead: LeadRef) -> Call[None]:
        """Mark a lead deleted; `restore` brings it back."""
        return Call("DELETE", _path(lead), nothing)

    @endpoint
    def restore(self, lead: LeadRef, *, idempotency_key: str | None = None) -> Call[Lead]:
        """Undo a deletion."""
        return post(_path(lead, "/restore"), model(Lead), idempotency_key=idempotency_key)

    @endpoint
    def scores(self, lead: LeadRef) -> Generator[Step, Any, Items[Score]]:
        """Every analysis of a lead, newest first."""
        found = yield from _every(_path(lead, "/scores"), model(Page[Score]))
        return Items[Score](items=found)

    @endpoint
    def follow_ups(self, lead: LeadRef) -> Generator[Step, Any, Items[StoredFollowUp]]:
        """Every message drafted for a lead, newest first."""
        found = yield from _every(_path(lead, "/follow-ups"), model(Page[StoredFollowUp]))
        return Items[StoredFollowUp](items=found)
