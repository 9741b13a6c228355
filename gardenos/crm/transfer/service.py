"""Importing a file: every row becomes a record, changes one, is known already, or is refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Literal

import asyncpg
import structlog

from gardenos.core.errors import Conflict, Forbidden, InvalidContent, NotFound
from gardenos.core.ids import ImportId
from gardenos.core.page import CursorSigner
from gardenos.crm.transfer import columns, store
from gardenos.crm.transfer.carry import Work, carry_out
from gardenos.crm.transfer.chunk import Cells
from gardenos.crm.transfer.encoding import Encoding
from gardenos.crm.transfer.explained import Explained
from gardenos.crm.transfer.models import (
    Import,
    ImportOptions,
    ImportPage,
    ImportReport,
    ImportState,
    RowError,
    Tried,
)
from gardenos.crm.transfer.readers.limits import Limits
from gardenos.crm.transfer.store import QUERIES, Done
from gardenos.crm.transfer.table import Table, open_table
from gardenos.crm.transfer.work import enqueue_work, read_chunk
from gardenos.db.session import TenantSession
from gardenos.web import paging
from gardenos.web.paging import PageQuery

AT_ONCE: Final = 10_000
"""Rows that are carried out before the answer; more become a task."""
_AT_ONCE_CHARS: Final = 8_000_000
_BLOCK: Final = 1 << 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to import, and how."""

    file: BinaryIO
    filename: str | None
    options: ImportOptions = field(default_factory=ImportOptions)
    encoding: Encoding | None = None
    dry_run: bool = False
    again: bool = False


class _Rolled(Exception):
    """Ends the savepoint of a trial."""


def digest(file: BinaryIO) -> bytes:
    """SHA-256 of a file, read in blocks and rewound."""
    found = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        found.update(block)
    file.seek(0)
    return found.digest()


async def run(session: TenantSession, upload: Upload, limits: Limits) -> ImportReport:
    """Take a file in, in the session's transaction: all of it, or on an error nothing.

    Up to `AT_ONCE` rows are carried out here; the rows of a larger file are staged, for a task. Those
    of a dry run are staged and wait. Raises `InvalidContent` for a file that cannot be read as a table
    of leads, `Conflict` for one that is imported already.
    """
    session.claims.require_writer()
    claims = session.claims
    if claims.scopes is not None and "write" not in claims.scopes and upload.dry_run:
        raise Forbidden("A dry run needs an API key with the scope write.")
    seen = await asyncio.to_thread(digest, upload.file)
    table = await asyncio.to_thread(
        open_table, upload.file, upload.options.mapping, upload.encoding, limits
    )
    try:
        return await _run(session, upload, table, seen)
    finally:
        table.close()


async def _run(session: TenantSession, upload: Upload, table: Table, seen: bytes) -> ImportReport:
    columns.plan(table.headers, upload.options.mapping)
    first, whole = await _first(table)
    if not first:
        detail = "The file has a header and no rows."
        raise InvalidContent(detail, errors=[{"pointer": "/file", "detail": detail}])
    at_once = whole and not upload.dry_run
    if at_once:
        await store.lock(session)
    import_id = await _begin(session, upload, table, seen)
    work = Work.of(import_id, table.headers, upload.options)
    if at_once:
        return await _at_once(session, work, first)
    await _stage(session, import_id, table, first)
    if upload.dry_run:
        return await trial(session, import_id)
    await enqueue_work(session, import_id, ImportState.RUNNING, again=upload.again)
    return _report(await get(session, import_id), [])


async def _first(table: Table) -> tuple[list[list[Cells]], bool]:
    """The first rows in chunks, and whether these are all, few enough to be carried out at once."""
    chunks: list[list[Cells]] = []
    rows = chars = 0
    while not table.ended and rows <= AT_ONCE and chars <= _AT_ONCE_CHARS:
        taken = await asyncio.to_thread(table.take)
        if taken:
            chunks.append(taken)
            rows += len(taken)
            chars += sum(len(cell) for row in taken if isinstance(row, list) for cell in row)
    return chunks, table.ended and rows <= AT_ONCE and chars <= _AT_ONCE_CHARS


async def _begin(session: TenantSession, upload: Upload, table: Table, seen: bytes) -> ImportId:
    state = ImportState.STAGED if upload.dry_run else ImportState.RUNNING
    try:
        async with session.savepoint():
            return await store.begin(
                session,
                table,
                upload.options,
                filename=upload.filename,
                digest=seen,
                again=upload.again,
                state=state,
            )
    except asyncpg.UniqueViolationError:
        raise await _same_file(session, seen) from None


async def _same_file(session: TenantSession, seen: bytes) -> Conflict:
    row = await session.fetchrow(QUERIES["find_same_file"], seen)
    found: dict[str, Any] = {} if row is None else dict(row)
    when = f" on {found['created_at']:%Y-%m-%d %H:%M} UTC" if found else ""
    return Conflict(
        f"This file was sent to be imported{when} already. Revert that import first, or say "
        "`again` to import the file once more.",
        extra={"import_id": str(found["id"])} if found else None,
    )


async def _at_once(
    session: TenantSession, work: Work, chunks: Sequence[Sequence[Cells]]
) -> ImportReport:
    explained = Explained(work)
    total = sum(map(len, chunks))
    await session.execute(QUERIES["note_total"], work.import_id, total)
    first_row = 1
    for number, rows in enumerate(chunks):
        done = await carry_out(session, work, first_row, rows)
        await store.keep_new(session, work.import_id, number, first_row, done)
        explained.add(done, first_row, rows)
        first_row += len(rows)
    await session.execute(QUERIES["finish_import"], work.import_id)
    report = _report(await get(session, work.import_id), explained.errors)
    _log.info("leads_imported", import_id=str(work.import_id), rows=total, imported=report.imported)
    return report


async def _stage(
    session: TenantSession, import_id: ImportId, table: Table, first: Sequence[Sequence[Cells]]
) -> None:
    number, first_row = 0, 1
    for rows in first:
        await store.stage(session, import_id, number, first_row, rows)
        number, first_row = number + 1, first_row + len(rows)
    while not table.ended and (rows := await asyncio.to_thread(table.take)):
        await store.stage(session, import_id, number, first_row, rows)
        number, first_row = number + 1, first_row + len(rows)
    await session.execute(QUERIES["note_total"], import_id, first_row - 1)


async def trial(session: TenantSession, import_id: ImportId) -> ImportReport:
    """What would become of the first rows of a staged import; they are tried, and taken back."""
    found = await get(session, import_id)
    head = await read_chunk(session, import_id)
    if head is None:
        raise NotFound(f"There is no import {import_id} of yours here.")
    work = Work.of(import_id, await headers(session, import_id), found.options)
    done = Done()
    try:
        async with session.savepoint():
            done = await carry_out(session, work, head.first_row, head.rows)
            raise _Rolled  # noqa: TRY301 it is what takes the trial back
    except _Rolled:
        pass
    explained = Explained(work)
    explained.add(done, head.first_row, head.rows)
    tried = Tried(
        rows=done.rows,
        imported=done.imported,
        updated=done.updated,
        duplicates=done.duplicates,
        rejected=done.rejected,
    )
    return _report(found, explained.errors, tried)


async def headers(session: TenantSession, import_id: ImportId) -> list[str]:
    """The columns of an import's file, in its order."""
    row = await session.fetchrow(QUERIES["get_import"], import_id)
    return [] if row is None else list(row["headers"])


def _report(found: Import, errors: Sequence[RowError], tried: Tried | None = None) -> ImportReport:
    ids = any(use.read_as == "external_id" for use in found.columns)
    by: Literal["external_id", "email"] = "external_id" if ids else "email"
    return ImportReport(**found.model_dump(), errors=list(errors), tried=tried, duplicates_by=by)


async def get(session: TenantSession, import_id: ImportId) -> Import:
    """An import. Raises `NotFound`, also for another agency's."""
    found = await store.get(session, import_id)
    if found is None:
        raise NotFound(f"There is no import {import_id} here.")
    return found


async def find(session: TenantSession, page: PageQuery, cursors: CursorSigner) -> ImportPage:
    """The agency's imports, newest first. Raises `InvalidCursor`."""
    scope = f"imports:{session.claims.agency_id}"
    before = paging.opened(cursors, scope, page.cursor)
    rows = await session.fetch(QUERIES["list_imports"], before, page.limit + 1)
    items, cursor = paging.cut([store.to_import(row) for row in rows], page, cursors, scope)
    return ImportPage(items=items, next_cursor=cursor)
