"""A list, page after page, as a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import structlog

from gardenos.core.claims import Claims
from gardenos.core.page import CursorSigner
from gardenos.crm.records import service
from gardenos.crm.records.entity import Entity
from gardenos.crm.records.query import Query
from gardenos.crm.records.service import Found
from gardenos.crm.transfer.exports.formats import Csv, Jsonl, Packed, Writer, Xlsx
from gardenos.db import sql
from gardenos.db.session import Database, TenantSession

QUERIES = sql.load("gardenos.crm.transfer.exports")
PAGE: Final = 1_000
"""Records of one transaction."""
_MOST_KEYS: Final = 500
_log = structlog.get_logger(__name__)


class Format(StrEnum):
    """What a list becomes."""

    CSV = "csv"
    JSONL = "jsonl"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True)
class Export:
    """What was asked for, whose first page is read."""

    entity: Entity
    query: Query
    writer: Writer
    first: Found
    records: list[dict[str, Any]]


async def begin(
    session: TenantSession,
    entity: Entity,
    query: Query,
    cursors: CursorSigner,
    *,
    kind: Format,
    packed: bool,
) -> Export:
    """Read the first page, and what columns there are. Raises as a list does."""
    query = replace(query, limit=PAGE, cursor=None, total=False, include=())
    found = await service.find(session, entity, query, cursors)
    records = await _records(session, entity, query, found)
    # Asked for only where it is needed: it looks at all records.
    columns = [] if kind is Format.JSONL else await _columns(session, entity, query)
    writer: Writer
    match kind:
        case Format.CSV:
            writer = Csv(columns)
        case Format.JSONL:
            writer = Jsonl()
        case Format.XLSX:
            writer = Xlsx(columns, entity.noun)
    return Export(entity, query, Packed(writer) if packed else writer, found, records)


async def pieces(
    database: Database, claims: Claims, export: Export, cursors: CursorSigner
) -> AsyncGenerator[bytes]:
    """The file. Each page is read in a transaction of its own, so that nothing waits for a slow reader.

    An error on the way ends the connection: what came so far is no whole file, and looks like none.
    """
    writer, found, records = export.writer, export.first, export.records
    yield writer.begin()
    rows = 0
    while True:
        rows += len(records)
        yield await asyncio.to_thread(writer.add, records)
        if found.next_cursor is None:
            break
        query = replace(export.query, cursor=found.next_cursor)
        async with database.session(claims) as session:
            found = await service.find(session, export.entity, query, cursors)
            records = await _records(session, export.entity, query, found)
    rest = writer.end()
    while piece := await asyncio.to_thread(next, rest, b""):
        yield piece
    _log.info("records_exported", entity=export.entity.noun, rows=rows, user=str(claims.sub))


async def _records(
    session: TenantSession, entity: Entity, query: Query, found: Found
) -> list[dict[str, Any]]:
    """A page as the role may see it, with the names of the tags."""
    records = [dict(item.shown(query.fields)) for item in found.items]
    if not _has_tags(entity, query) or not records:
        return records
    hidden: Sequence[str] = await session.fetchval(QUERIES["list_hidden"], entity.noun)
    if "tags" in hidden:
        return records
    ids = [item.id for item in found.items]
    rows = await session.fetch(QUERIES["list_tags"], entity.noun, ids)
    tags = {row["id"]: row["names"] for row in rows}
    for item, record in zip(found.items, records, strict=True):
        record["tags"] = tags.get(item.id, [])
    return records


def _has_tags(entity: Entity, query: Query) -> bool:
    return entity.tagged_by is not None and query.fields is None


async def _columns(session: TenantSession, entity: Entity, query: Query) -> list[str]:
    """The fields that the role sees, each custom value for itself, and the tags."""
    hidden: Sequence[str] = await session.fetchval(QUERIES["list_hidden"], entity.noun)
    wanted = entity.fields.keys() if query.fields is None else {"id", *query.fields}
    names = [name for name in entity.fields if name in wanted and name not in hidden]
    columns = [name for name in names if name != "custom"]
    if "custom" in names:
        rows = await session.fetch(QUERIES[f"{entity.noun}_keys"], query.include_deleted)
        keys = (f"custom.{row['k']}" for row in rows[:_MOST_KEYS])
        columns += [key for key in keys if key not in hidden]
    if _has_tags(entity, query) and "tags" not in hidden:
        columns.append("tags")
    return columns
