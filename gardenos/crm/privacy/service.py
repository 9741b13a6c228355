"""What owners and admins may do about a person's data."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from asyncpg import Record as Row

from gardenos.core.errors import InvalidContent
from gardenos.crm.attachments.addresses import plain
from gardenos.crm.attachments.store import Bytes
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
    "attachments.json": ("export_attachments", "leads", "contacts"),
    "lead_scores.json": ("export_lead_scores", "leads"),
    "follow_ups.json": ("export_follow_ups", "leads"),
    "agent_tasks.json": ("export_agent_tasks", "leads", "contacts", "emails"),
    "bulk_jobs.json": ("export_bulk_jobs", "leads", "contacts", "emails"),
    "imports.json": ("export_import_rows", "leads", "contacts", "emails"),
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


async def export(
    session: TenantSession, who: Who, made_at: datetime, files: Callable[[], Bytes]
) -> AsyncGenerator[bytes]:
    """A ZIP in pieces: a JSON file for each table, then the attached files.

    Raises as `find` does, before the first piece; `StorageUnavailable` where a file's place fails.
    """
    known = _known_by(who, await find(session, who))
    archive = Archive(made_at)
    attached: list[tuple[str, str]] = []
    for name, (block, *asked) in FILES.items():
        rows = await session.fetch(QUERIES[block], *(known[key] for key in asked))
        if block == "export_attachments":
            attached = [_attached(row) for row in rows if row["state"] == "stored"]
        make = _MADE.get(block, _record)
        for piece in archive.add(name, map(make, rows)):
            yield piece
    for name, key in attached:
        # What vanished from its place is listed in attachments.json all the same.
        with suppress(FileNotFoundError):
            async for piece in archive.add_file(name, files().chunks(key)):
                yield piece
    yield archive.end()


def _record(row: Row) -> Any:
    return row["record"]


def _attached(row: Row) -> tuple[str, str]:
    """Under which name a file stands in the archive, and where its bytes are."""
    record = row["record"]
    return f"files/{record['id']}-{plain(record['name'])}", str(row["storage_key"])


def _of_job(row: Row) -> dict[str, Any]:
    """One operation of a bulk job that waits, or what became of one."""
    return {
        "job_id": str(row["job_id"]),
        "entity": row["entity"],
        "created_at": row["created_at"].isoformat(),
        "result" if row["done"] else "operation": json.loads(row["said"]),
    }


def _of_import(row: Row) -> dict[str, Any]:
    """A row of a file that waits or was rejected, or what an import changed of a record."""
    return {
        "import_id": str(row["import_id"]),
        "filename": row["filename"],
        "created_at": row["created_at"].isoformat(),
        row["what"]: json.loads(row["said"]),
    }


_MADE: Final[Mapping[str, Callable[[Row], Any]]] = {
    "export_bulk_jobs": _of_job,
    "export_import_rows": _of_import,
}


async def erase(session: TenantSession, who: Who) -> Erased:
    """Replace what is known of this person, in one transaction. Raises as `find` does."""
    known = _known_by(who, await find(session, who))
    rows = await session.fetch(QUERIES["erase"], known["leads"], known["contacts"], known["emails"])
    await session.execute(QUERIES["forget_words"])
    return Erased(rows={row["entity"]: row["rows"] for row in rows})
