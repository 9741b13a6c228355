"""Imports in PostgreSQL, always in the caller's session."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gardenos.core.ids import ImportId, LeadId
from gardenos.crm.transfer import chunk, columns
from gardenos.crm.transfer.chunk import Cells
from gardenos.crm.transfer.columns import LEAD_FIELDS
from gardenos.crm.transfer.models import Import, ImportOptions, ImportState, RowError
from gardenos.crm.transfer.rows import Row
from gardenos.crm.transfer.table import Table
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.transfer")
_UPDATED = tuple(name for name in LEAD_FIELDS if name != "external_id")


@dataclass(slots=True)
class Done:
    """What became of rows, and what takes it back."""

    imported: int = 0
    updated: int = 0
    duplicates: int = 0
    rejected: int = 0
    tasks: int = 0
    created: list[UUID] = field(default_factory=list[UUID])
    tagged: list[UUID] = field(default_factory=list[UUID])
    new_tags: list[UUID] = field(default_factory=list[UUID])
    undo: dict[UUID, dict[str, list[Any]]] = field(default_factory=dict[UUID, dict[str, list[Any]]])
    """By record that was there: each changed field, before and after."""
    refused: list[tuple[int, str, str | None, str, list[str]]] = field(
        default_factory=list[tuple[int, str, str | None, str, list[str]]]
    )
    """Of rejected rows: number, code, column, detail, cells."""
    faults: list[RowError] = field(default_factory=list[RowError])
    """All that is wrong with them: a row may have several."""
    known: list[int] = field(default_factory=list[int])
    """The numbers of those that are duplicates."""

    @property
    def rows(self) -> int:
        """How many rows this is about."""
        return self.imported + self.updated + self.duplicates + self.rejected

    def changed(self, record_id: UUID, changes: Mapping[str, Sequence[Any]]) -> None:
        """Note a change of a record: of two, what was before the first, and is after the second."""
        fields = self.undo.setdefault(record_id, {})
        for name, (before, after) in changes.items():
            fields[name] = [fields[name][0] if name in fields else before, after]

    @property
    def kept(self) -> tuple[Any, ...]:
        """What a chunk holds when it is done."""
        rejected = json.dumps(self.refused, separators=(",", ":")).encode()
        undo = [{"id": str(one), "changes": changes} for one, changes in self.undo.items()]
        return (
            rejected if self.refused else None,
            self.created,
            self.tagged,
            self.new_tags,
            undo or None,
        )


async def lock(session: TenantSession) -> None:
    """Wait for the agency's other imports; further ones wait for this transaction."""
    await session.execute(QUERIES["lock_agency"], str(session.claims.agency_id))


async def begin(
    session: TenantSession,
    table: Table,
    options: ImportOptions,
    *,
    filename: str | None,
    digest: bytes,
    again: bool,
    state: ImportState,
) -> ImportId:
    """Note an import that begins, or waits; its id. Raises asyncpg's error where the file is known."""
    claims = session.claims
    found = await session.fetchval(
        QUERIES["begin_import"],
        claims.agency_id,
        claims.sub,
        claims.user_role.value,
        claims.key_id,
        None if claims.scopes is None else sorted(claims.scopes),
        filename,
        digest,
        again,
        state.value,
        table.format.value,
        table.encoding,
        table.delimiter,
        table.headers,
        options.model_dump(mode="json"),
    )
    return ImportId(found)


async def stage(
    session: TenantSession, import_id: ImportId, number: int, first_row: int, rows: Sequence[Cells]
) -> None:
    """Keep rows until they are carried out."""
    claims = session.claims
    data = chunk.encode(rows)
    await session.execute(
        QUERIES["stage_chunk"], claims.agency_id, import_id, number, first_row, len(rows), data
    )


async def keep_new(
    session: TenantSession, import_id: ImportId, number: int, first_row: int, done: Done
) -> None:
    """Keep what became of rows that were never staged."""
    arguments = session.claims.agency_id, import_id, number, first_row, done.rows
    await session.execute(QUERIES["keep_done_chunk"], *arguments, *done.kept)
    await note_progress(session, import_id, done)


async def keep(session: TenantSession, import_id: ImportId, number: int, done: Done) -> None:
    """Keep what became of a chunk, instead of it."""
    await session.execute(QUERIES["keep_chunk"], import_id, number, *done.kept)
    await note_progress(session, import_id, done)


async def note_progress(session: TenantSession, import_id: ImportId, done: Done) -> None:
    """Add to the counts of an import."""
    counts = done.imported, done.updated, done.duplicates, done.rejected
    await session.execute(QUERIES["note_progress"], import_id, done.rows, *counts, done.tasks)


async def fitted(
    session: TenantSession, numbers: Sequence[int], customs: Sequence[str]
) -> dict[int, tuple[str, str | None, str | None]]:
    """By row: its custom values as the agency's fields have them; or which does not fit, and why.

    Empty where the agency defined none.
    """
    rows = await session.fetch(QUERIES["fit_custom_values"], numbers, customs)
    return {row["number"]: (row["custom"], row["key"], row["fault"]) for row in rows}


async def insert(
    session: TenantSession,
    import_id: ImportId,
    rows: Sequence[Row],
    *,
    owners: Mapping[int, UUID],
    by_email: str,
) -> dict[int, LeadId]:
    """Store those rows that are no duplicates; row number to lead.

    `by_email` is which rows are looked for by their e-mail: `email` all, `either` those without
    an external_id, anything else none.
    """
    if not rows:
        return {}
    claims = session.claims
    found = await session.fetch(
        QUERIES["insert_leads"],
        claims.agency_id,
        claims.sub,
        import_id,
        [row.number for row in rows],
        *([row.fields.get(name) for row in rows] for name in LEAD_FIELDS),
        [owners.get(row.number) for row in rows],
        [custom_json(row) for row in rows],
        by_email,
    )
    return {row["number"]: row["id"] for row in found}


async def find(
    session: TenantSession, looked_for: Sequence[tuple[int, str | None, str | None]]
) -> dict[int, tuple[LeadId, dict[str, Any]]]:
    """By row: the record it is, and its custom values. What is looked for are external_id, e-mail."""
    rows = await session.fetch(
        QUERIES["find_leads"],
        [number for number, _, _ in looked_for],
        [external_id for _, external_id, _ in looked_for],
        [email.lower() if email else None for _, _, email in looked_for],
    )
    return {row["number"]: (row["id"], row["custom"]) for row in rows}


async def update(
    session: TenantSession, rows: Mapping[LeadId, Row], owners: Mapping[int, UUID]
) -> list[tuple[int, LeadId, dict[str, list[Any]]]]:
    """Change records; of each that changed its row, itself, and what changed."""
    if not rows:
        return []
    given = list(rows.values())
    found = await session.fetch(
        QUERIES["update_leads"],
        [row.number for row in given],
        list(rows),
        *([row.fields.get(name) for row in given] for name in _UPDATED),
        [owners.get(row.number) for row in given],
        [custom_json(row) for row in given],
    )
    return [(row["number"], row["id"], row["changes"]) for row in found]


def custom_json(row: Row) -> str:
    """A row's custom values as PostgreSQL takes them."""
    return json.dumps(row.custom, ensure_ascii=False) if row.custom else "{}"


async def get(session: TenantSession, import_id: ImportId) -> Import | None:
    """An import; None for another agency's."""
    row = await session.fetchrow(QUERIES["get_import"], import_id)
    return None if row is None else to_import(row)


def to_import(row: Any) -> Import:
    """An import as it stands in a row."""
    values = dict(row)
    task_state, headers = values.pop("task_state"), values.pop("headers")
    options = ImportOptions.model_validate(values["options"])
    working = values["state"] in (ImportState.RUNNING, ImportState.REVERTING)
    if working and task_state in ("cancelled", "dead"):
        values["state"] = ImportState.STOPPED
    uses = columns.plan(headers, options.mapping).uses() if headers else []
    return Import.model_validate(values | {"options": options, "columns": uses})
