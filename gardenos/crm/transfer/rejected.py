"""The rows that were not taken, as a file to be corrected."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

from gardenos.core.claims import Claims
from gardenos.core.errors import Conflict
from gardenos.core.ids import ImportId
from gardenos.crm.transfer import service
from gardenos.crm.transfer.columns import ADDED
from gardenos.crm.transfer.store import QUERIES
from gardenos.db.session import Database, TenantSession


async def header(session: TenantSession, import_id: ImportId) -> list[str]:
    """The columns of the file. Raises `NotFound`, `Forbidden`, `Conflict`."""
    found = await service.get(session, import_id)
    claims = session.claims
    if found.created_by != claims.sub:
        claims.require_admin()
    if found.purged_at is not None:
        raise Conflict("The rejected rows of this import are kept no more.")
    return await service.headers(session, import_id)


async def pieces(
    database: Database, claims: Claims, import_id: ImportId, headers: Sequence[str]
) -> AsyncGenerator[bytes]:
    """The file, a few chunks at a time, so that nothing waits for a slow reader."""
    yield _csv([[*headers, *ADDED]])
    after = -1
    while True:
        async with database.session(claims) as session:
            rows = await session.fetch(QUERIES["list_rejected"], import_id, after)
        for row in rows:
            yield _csv(_line(one, len(headers)) for one in json.loads(row["rejected"]))
            after = row["number"]
        if not rows:
            return


def _line(refused: Any, width: int) -> list[str]:
    number, _code, column, detail, cells = refused
    padded = [*cells[:width], *[""] * (width - len(cells))]
    return [*padded, str(number), f"{column}: {detail}" if column else detail]


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
