"""Importing a file: every row is stored, recognised as known, or rejected with a reason."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import structlog

from gardenos.core.errors import InvalidContent, NotFound
from gardenos.core.ids import ImportId, LeadId
from gardenos.crm.transfer import store
from gardenos.crm.transfer.columns import LEAD_FIELDS
from gardenos.crm.transfer.encoding import Encoding
from gardenos.crm.transfer.models import ImportCounts, ImportReport, Mapping, RowError
from gardenos.crm.transfer.table import Chunk, Table, open_table
from gardenos.db.session import TenantSession
from gardenos.orchestrator.store import enqueue
from gardenos.orchestrator.task import NewTask

_CHUNK: Final = 1000
_BLOCK: Final = 1 << 20
_MAX_ERRORS: Final = 100
SCORING_PRIORITY: Final = 7
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to import, and how."""

    file: BinaryIO
    filename: str | None
    mapping: Mapping | None = None
    encoding: Encoding | None = None
    score: bool = False


@dataclass(slots=True)
class _Tally:
    read: int = 0
    imported: int = 0
    duplicates: int = 0
    rejected: int = 0
    tasks: int = 0
    faults: list[RowError] = field(default_factory=list[RowError])
    known: list[RowError] = field(default_factory=list[RowError])

    def add(self, chunk: Chunk, stored: Map[int, LeadId]) -> None:
        self.read += chunk.rows
        self.imported += len(stored)
        self.duplicates += len(chunk.numbers) - len(stored)
        self.rejected += chunk.rejected
        self.faults += chunk.errors[: _MAX_ERRORS - len(self.faults)]
        for number, values in zip(chunk.numbers, chunk.values, strict=True):
            if len(self.known) >= _MAX_ERRORS:
                break
            if number not in stored:
                self.known.append(_duplicate(number, values))


def _duplicate(number: int, values: Sequence[Any]) -> RowError:
    given = dict(zip(LEAD_FIELDS, values, strict=False))
    name = "external_id" if given["external_id"] else "email"
    value = str(given[name])
    detail = f"A lead or an earlier row has the {name} {value[:100]!r}."
    return RowError(row=number, column=name, code="duplicate", detail=detail)


def digest(file: BinaryIO) -> bytes:
    """SHA-256 of a file, read in blocks and rewound."""
    found = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        found.update(block)
    file.seek(0)
    return found.digest()


async def run(session: TenantSession, upload: Upload) -> ImportReport:
    """Import a file in the session's transaction: all of it, or on an error nothing.

    Raises `InvalidContent` for a file that cannot be read as a table of leads.
    """
    session.claims.require_writer()
    table = await asyncio.to_thread(open_table, upload.file, upload.mapping, upload.encoding)
    try:
        return await _run(session, upload, table)
    finally:
        table.close()


async def _run(session: TenantSession, upload: Upload, table: Table) -> ImportReport:
    await store.lock(session)
    import_id = await store.begin(session, upload.filename)
    tally = _Tally()
    while (chunk := await asyncio.to_thread(table.next_chunk, _CHUNK)).rows:
        chunk = await _fitted(session, chunk)
        stored = await store.insert(session, import_id, numbers=chunk.numbers, values=chunk.values)
        tally.add(chunk, stored)
        if upload.score:
            tally.tasks += await _enqueue(session, import_id, list(stored.values()))
    if tally.read == 0:
        detail = "The file has a header and no rows."
        raise InvalidContent(detail, errors=[{"pointer": "/file", "detail": detail}])
    counts = await store.finish(
        session,
        import_id,
        rows_read=tally.read,
        imported=tally.imported,
        duplicates=tally.duplicates,
        rejected=tally.rejected,
    )
    _log.info("leads_imported", import_id=str(import_id), rows=tally.read, imported=tally.imported)
    return ImportReport(
        **counts.model_dump(),
        tasks_enqueued=tally.tasks,
        errors=[*tally.faults, *tally.known][:_MAX_ERRORS],
        encoding=table.encoding,
        delimiter=table.delimiter,
        duplicates_by="external_id" if "external_id" in table.plan.fields else "email",
        columns=table.plan.uses(),
    )


async def _fitted(session: TenantSession, chunk: Chunk) -> Chunk:
    """The rows whose custom values fit the agency's fields; the others are rejected."""
    found = await store.fitted(session, chunk.numbers, chunk.values) if chunk.numbers else {}
    if not found:
        return chunk
    kept = Chunk(rejected=chunk.rejected, errors=list(chunk.errors))
    for number, values in zip(chunk.numbers, chunk.values, strict=True):
        custom, key, fault = found[number]
        if fault is None:
            kept.numbers.append(number)
            kept.values.append([*values[:-1], custom])
            continue
        kept.rejected += 1
        detail = f"The custom field {key} {fault}"
        kept.errors.append(RowError(row=number, column=key, code="custom-field", detail=detail))
    kept.errors.sort(key=lambda error: error.row)
    return kept


async def _enqueue(session: TenantSession, import_id: ImportId, leads: Sequence[LeadId]) -> int:
    tasks = [
        NewTask(
            "lead_analysis",
            {"lead_id": str(lead_id)},
            priority=SCORING_PRIORITY,
            idempotency_key=f"import:{import_id}:{lead_id}",
        )
        for lead_id in leads
    ]
    return len(await enqueue(session, tasks))


async def get(session: TenantSession, import_id: ImportId) -> ImportCounts:
    """What became of an import. Raises `NotFound`, also for another agency's."""
    counts = await store.get(session, import_id)
    if counts is None:
        raise NotFound(f"There is no import {import_id} here.")
    return counts
