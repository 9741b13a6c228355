"""What owners and admins may do about a person's data."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any, Final

from gardenos.core.errors import InvalidContent
from gardenos.crm.privacy.archive import Archive
from gardenos.crm.privacy.models import MAX_RECORDS, Erased, Kind, Person, Record, Who
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.privacy")
FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "leads.json": ("export_leads", "leads"),
    "contacts.json": ("export_contacts", "contacts"),
    "deals.json": ("export_deals", "leads", "contacts"),
    "activities.json": ("export_activities", "leads", "contacts"),
    "tasks.json": ("export_tasks", "leads", "contacts"),
    "lead_scores.json": ("export_lead_scores", "leads"),
    "follow_ups.json": ("export_follow_ups", "leads"),
    "agent_tasks.json": ("export_agent_tasks", "leads", "contacts", "emails"),
    "audit_log.json": ("export_audit_log", "leads", "contacts"),
}
"""The files of an export, the blocks that fill them, and what these ask for."""


async def find(session: TenantSession, who: Who) -> Person:
    """The leads and contacts that are this person, deleted ones too; the oldest first.

    Raises `Forbidden` for who does not run the agency, `InvalidContent` for too many at once.
    """
    session.claims.require_admin()
    rows = await session.fetch(
        QUERIES["find_records"],
        who.email,
        list(who.lead_ids),
        list(who.contact_ids),
        MAX_RECORDS + 1,
    )
    if len(rows) > MAX_RECORDS:
        detail = f"stands in more than {MAX_RECORDS:,} records: send the ids of some at a time"
        raise InvalidContent(errors=[{"pointer": "/email", "detail": detail}])
    return Person(items=[Record.model_validate(dict(row)) for row in rows])


def _known_by(who: Who, person: Person) -> dict[str, list[Any]]:
    return {
        "leads": [record.id for record in person.items if record.kind is Kind.LEAD],
        "contacts": [record.id for record in person.items if record.kind is Kind.CONTACT],
        "emails": [who.email] if who.email else [],
    }


async def export(session: TenantSession, who: Who, made_at: datetime) -> AsyncGenerator[bytes]:
    """A ZIP of JSON files, one for each table, in pieces. Raises as `find` does, before the first."""
    known = _known_by(who, await find(session, who))
    archive = Archive(made_at)
    for name, (block, *asked) in FILES.items():
        rows = await session.fetch(QUERIES[block], *(known[key] for key in asked))
        for piece in archive.add(name, (row["record"] for row in rows)):
            yield piece
    yield archive.end()


async def erase(session: TenantSession, who: Who) -> Erased:
    """Replace what is known of this person, in one transaction. Raises as `find` does."""
    known = _known_by(who, await find(session, who))
    rows = await session.fetch(QUERIES["erase"], known["leads"], known["contacts"], known["emails"])
    return Erased(rows={row["entity"]: row["rows"] for row in rows})
