"""Imports in PostgreSQL, always in the caller's session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gardenos.core.ids import ImportId, LeadId
from gardenos.crm.transfer.models import ImportCounts
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.transfer")


async def lock(session: TenantSession) -> None:
    """Wait for the agency's other imports to end; further ones wait for this transaction."""
    await session.execute(QUERIES["lock_agency"], str(session.claims.agency_id))


async def begin(session: TenantSession, filename: str | None) -> ImportId:
    """Note that an import began; its id."""
    claims = session.claims
    found = await session.fetchval(QUERIES["begin_import"], claims.agency_id, claims.sub, filename)
    return ImportId(found)


async def fitted(
    session: TenantSession, numbers: Sequence[int], values: Sequence[Sequence[Any]]
) -> dict[int, tuple[str, str | None, str | None]]:
    """By row: its custom values as the agency's fields have them; or which does not fit, and why.

    Empty where the agency defined none.
    """
    customs = [row[-1] for row in values]
    rows = await session.fetch(QUERIES["fit_custom_values"], numbers, customs)
    return {row["number"]: (row["custom"], row["key"], row["fault"]) for row in rows}


async def insert(
    session: TenantSession,
    import_id: ImportId,
    *,
    numbers: Sequence[int],
    values: Sequence[Sequence[Any]],
) -> dict[int, LeadId]:
    """Store those rows that are no duplicates; row number to lead.

    `values` are rows in the order of `columns.LEAD_FIELDS`, then the custom values as JSON text.
    """
    if not values:
        return {}
    claims = session.claims
    rows = await session.fetch(
        QUERIES["insert_leads"],
        claims.agency_id,
        claims.sub,
        import_id,
        numbers,
        *zip(*values, strict=True),
    )
    return {row["number"]: row["id"] for row in rows}


async def finish(
    session: TenantSession,
    import_id: ImportId,
    *,
    rows_read: int,
    imported: int,
    duplicates: int,
    rejected: int,
) -> ImportCounts:
    """Note what became of the rows."""
    row = await session.fetchrow(
        QUERIES["finish_import"], import_id, rows_read, imported, duplicates, rejected
    )
    return ImportCounts.model_validate(dict(row or {}))


async def get(session: TenantSession, import_id: ImportId) -> ImportCounts | None:
    """What became of an import; None for another agency's."""
    row = await session.fetchrow(QUERIES["get_import"], import_id)
    return ImportCounts.model_validate(dict(row)) if row else None
