"""A lead becomes a contact, a company and a deal in one transaction, and can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from gardenos.core.errors import Conflict, NotFound, PreconditionFailed
from gardenos.core.ids import LeadId
from gardenos.crm.companies.entity import COMPANIES
from gardenos.crm.contacts.entity import CONTACTS
from gardenos.crm.deals.entity import DEALS
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.leads.models import Conversion, Converting, Kept, Unconversion
from gardenos.crm.leads.store import QUERIES
from gardenos.crm.records import Entity, faults, service
from gardenos.crm.records.service import Stored
from gardenos.db.session import TenantSession

_OF_CONTACT: Final = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "job_title",
    "city",
    "country",
    "source",
    "notes",
    "owner_id",
)
"""What a contact takes over from its lead."""
_MADE: Final[Mapping[str, Entity]] = {one.noun: one for one in (DEALS, CONTACTS, COMPANIES)}
"""In the order of undoing: what refers before what is referred to."""


async def _lock(
    session: TenantSession, lead_id: LeadId, versions: Sequence[int] | None
) -> tuple[Stored, asyncpg.Record]:
    # What is matched depends on what is there: one conversion of an agency at a time.
    await session.execute(QUERIES["lock_conversions"], str(session.claims.agency_id))
    lead = await service.get(session, LEADS, lead_id)
    row = await session.fetchrow(QUERIES["lock_lead"], lead_id)
    if row is None:
        raise faults.forbidden(LEADS, "change")
    if versions is not None and row["version"] not in versions:
        raise PreconditionFailed
    return lead, row


async def convert(
    session: TenantSession,
    lead_id: LeadId,
    how: Converting,
    *,
    versions: Sequence[int] | None = None,
) -> Conversion:
    """Make of a lead a contact and, as asked, a company and a deal; those that are there are taken.

    Raises `NotFound`, `Forbidden`, `PreconditionFailed`, `Conflict` for one that is converted, and
    what storing the records raises.
    """
    lead, row = await _lock(session, lead_id, versions)
    if row["converted_at"] is not None:
        raise Conflict(
            "The lead was converted before. Unconvert it first, by POST /v1/leads/{id}/unconvert.",
            extra={key: str(row[key]) for key in row.keys() if key.endswith("_id") and row[key]},  # noqa: SIM118 a Record iterates values
        )
    company, company_made = await _company(session, lead, how)
    contact, contact_made = await _contact(session, lead, how, company)
    deal: Stored | None = None
    if how.deal is not None:
        parties = {"contact_id": contact.id, "company_id": company.id if company else None}
        values = {"owner_id": lead.values.get("owner_id"), **parties, **how.deal.given()}
        deal = await service.create(session, DEALS, {**values, "lead_id": lead_id})
    made = await _note(
        session,
        row,
        {
            "contact": (contact, contact_made),
            "company": (company, company_made),
            "deal": (deal, True),
        },
    )
    return Conversion.model_validate(dict(made))


async def _note(
    session: TenantSession,
    lead: asyncpg.Record,
    parts: Mapping[str, tuple[Stored | None, bool]],
) -> asyncpg.Record:
    ids = [stored.id if stored else None for stored, _ in parts.values()]
    versions = [stored.version if stored and made else None for stored, made in parts.values()]
    with faults.told(LEADS, "change", {}):
        await session.execute(QUERIES["mark_converted"], lead["id"], *ids)
        noted = await session.fetchrow(
            QUERIES["note_conversion"],
            session.claims.agency_id,
            lead["id"],
            lead["status"],
            *ids,
            *versions,
        )
    assert noted is not None  # noqa: S101 an INSERT that stored nothing has raised
    return noted


def _domains(lead: Mapping[str, Any]) -> list[str]:
    """Where a lead's company may be at home: the host of its website, the domain of its address."""
    website = str(lead.get("website") or "")
    try:
        host = urlsplit(website if "//" in website else f"//{website}").hostname or ""
    except ValueError:
        host = ""
    address = str(lead.get("email") or "").rpartition("@")[2]
    found = [host.lower().removeprefix("www."), address.lower()]
    return [one for one in found if "." in one and len(one) <= 253]  # noqa: PLR2004 of a domain name


async def _company(
    session: TenantSession, lead: Stored, how: Converting
) -> tuple[Stored | None, bool]:
    if how.company_id is not None:
        return await _named(session, COMPANIES, how.company_id), False
    given = how.company.given() if how.company else {}
    name = given.get("name") or lead.values.get("company")
    if not how.with_company or not (name or _domains(lead.values)):
        return None, False
    found = await session.fetchval(QUERIES["match_company"], _domains(lead.values), name)
    if found is not None:
        return await service.get(session, COMPANIES, found), False
    if not name:
        return None, False
    values = {"name": name, "owner_id": lead.values.get("owner_id")}
    website = lead.values.get("website")
    if website:
        # Not of the e-mail address: that may be anybody's mail service.
        values |= {"website": website, "domain": next(iter(_domains({"website": website})), None)}
    return await service.create(session, COMPANIES, {**values, **given}), True


async def _contact(
    session: TenantSession, lead: Stored, how: Converting, company: Stored | None
) -> tuple[Stored, bool]:
    if how.contact_id is not None:
        return await _named(session, CONTACTS, how.contact_id), False
    email = lead.values.get("email")
    found = await session.fetchval(QUERIES["match_contact"], email) if email else None
    if found is not None:
        return await service.get(session, CONTACTS, found), False
    values: dict[str, Any] = {name: lead.values.get(name) for name in _OF_CONTACT}
    values["company_id"] = company.id if company else None
    keys = await session.fetch(QUERIES["shared_fields"], "leads", "contacts")
    own: Mapping[str, Any] = lead.values.get("custom") or {}
    values["custom"] = {row["key"]: own[row["key"]] for row in keys if row["key"] in own}
    given = how.contact.given() if how.contact else {}
    given["custom"] = {**values["custom"], **given.get("custom", {})}
    return await service.create(session, CONTACTS, {**values, **given}), True


async def _named(session: TenantSession, entity: Entity, record_id: UUID) -> Stored:
    try:
        return await service.get(session, entity, record_id)
    except NotFound as error:
        raise Conflict(f"{error.detail} Convert the lead without it.") from error


async def unconvert(
    session: TenantSession,
    lead_id: LeadId,
    how: Unconversion,
    *,
    versions: Sequence[int] | None = None,
) -> Kept:
    """Take a conversion back: what was made for it is deleted, the lead is what it was.

    Raises `NotFound`, `Forbidden`, `PreconditionFailed`, and `Conflict` for a lead that is not
    converted or where what was made has been changed or used since; `force` keeps that.
    """
    _, row = await _lock(session, lead_id, versions)
    if row["converted_at"] is None:
        raise Conflict("The lead is not converted.")
    states = await session.fetch(QUERIES["conversion_state"], lead_id)
    touched = [one for one in states if one["state"] in ("changed", "used")]
    if touched and not how.force:
        said = ", ".join(
            f"the {_MADE[one['noun']].singular} {one['record_id']} was {one['state']}"
            for one in touched
        )
        raise Conflict(
            f"What was made of the lead is in use: {said}. Send `force: true` to keep it.",
            errors=[
                {"pointer": f"/{one['noun']}/{one['record_id']}", "detail": f"was {one['state']}"}
                for one in touched
            ],
        )
    untouched = {one["noun"]: one["record_id"] for one in states if one["state"] == "untouched"}
    for noun, entity in _MADE.items():
        if noun in untouched:
            await service.delete(session, entity, untouched[noun])
    with faults.told(LEADS, "change", {}):
        await session.execute(QUERIES["mark_unconverted"], lead_id)
    kept = {one["noun"]: [one["record_id"]] for one in touched}
    return Kept(lead_id=lead_id, kept=kept)
