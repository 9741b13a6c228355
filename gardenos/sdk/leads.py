"""`client.leads`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, given, model, nothing, post, segment
from gardenos.sdk.results import Items, Lead, LeadStatus, Page, Scalar, Score, StoredFollowUp

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
    def scores(self, lead: LeadRef) -> Call[Items[Score]]:
        """Every analysis of a lead, newest first."""
        return Call("GET", _path(lead, "/scores"), model(Items[Score]))

    @endpoint
    def follow_ups(self, lead: LeadRef) -> Call[Items[StoredFollowUp]]:
        """The messages drafted for a lead, newest first."""
        return Call("GET", _path(lead, "/follow-ups"), model(Items[StoredFollowUp]))
