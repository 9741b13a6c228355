"""Finds the pairs among an agency's records: what has changed since the last time, against all."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from gardenos.core.claims import Claims, UserRole
from gardenos.core.errors import GardenOSError
from gardenos.core.ids import AgencyId, UserId
from gardenos.crm.likeness.keys import KINDS, Kind
from gardenos.db import sql
from gardenos.db.session import Database, Role, TenantSession

QUERIES: Final = sql.load("gardenos.crm.duplicates")
BATCH: Final = 500
"""Records of one transaction."""
EVERY_S: Final = 60.0
MARGIN: Final = timedelta(minutes=2)
"""A transaction writes its time of beginning: what a longer one wrote would be passed over."""
_AGENCIES: Final = 100
_MATES: Final = 50
"""Records that are compared by one key, such as the beginning of a name that many have."""
_NOBODY: Final = UserId(UUID(int=0))
_log = structlog.get_logger(__name__)


async def sweep(session: TenantSession, kind: Kind, margin: timedelta = MARGIN) -> int:
    """Look at the next records of a kind, as an owner of the agency; how many these were."""
    swept = await session.fetchrow(QUERIES["get_swept"], kind.noun)
    assert swept is not None  # noqa: S101 the agency is there
    rows = await session.fetch(
        QUERIES[f"next_{kind.noun}"], margin, swept["at"], swept["record_id"], BATCH
    )
    if not rows:
        return 0
    records = {row["id"]: dict(row) for row in rows}
    country = swept["default_country"]
    keys = await asyncio.to_thread(
        lambda: {record_id: kind.keys(one, country) for record_id, one in records.items()}
    )
    kept = {str(record_id): found for record_id, found in keys.items()}
    await session.execute(QUERIES["keep_keys"], kind.noun, kept)
    pairs = await _pairs(session, kind, records, keys)
    await session.execute(QUERIES["keep_pairs"], kind.noun, list(records), pairs)
    last = rows[-1]
    await session.execute(QUERIES["note_swept"], kind.noun, last["updated_at"], last["id"])
    return len(rows)


async def _pairs(
    session: TenantSession,
    kind: Kind,
    records: Mapping[UUID, Mapping[str, Any]],
    keys: Mapping[UUID, Sequence[str]],
) -> list[dict[str, Any]]:
    asked = list({key for found in keys.values() for key in found})
    holders: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in await session.fetch(QUERIES["find_mates"], kind.noun, asked, _MATES):
        holders[row["key"]].append(row["record_id"])
    shared: defaultdict[tuple[UUID, UUID], set[str]] = defaultdict(set)
    for record_id, found in keys.items():
        for key in found:
            for mate in holders[key]:
                if mate != record_id:
                    shared[min(record_id, mate), max(record_id, mate)].add(key)
    others = {one for pair in shared for one in pair} - records.keys()
    read = await session.fetch(QUERIES[f"read_{kind.noun}"], list(others)) if others else []
    known = {**records, **{row["id"]: dict(row) for row in read}}
    return await asyncio.to_thread(_scored, kind, known, shared)


def _scored(
    kind: Kind,
    known: Mapping[UUID, Mapping[str, Any]],
    shared: Mapping[tuple[UUID, UUID], set[str]],
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for (one, other), by in shared.items():
        if one not in known or other not in known:
            continue
        scored = kind.score(known[one], known[other], sorted(by), fuzzy=True)
        if scored is not None:
            score, reasons = scored
            pair = {"one": str(one), "other": str(other), "score": score, "reasons": reasons}
            found.append(pair)
    return found


async def sweep_agency(database: Database, agency_id: AgencyId, margin: timedelta = MARGIN) -> int:
    """Look at all that changed in an agency, a batch a transaction; how many records these were."""
    claims = Claims.of(_NOBODY, agency_id, UserRole.OWNER)
    seen = 0
    for kind in KINDS.values():
        while True:
            async with database.session(claims) as session:
                read = await sweep(session, kind, margin)
            seen += read
            if read < BATCH:
                break
    return seen


class Duplicates:
    """Sweeps from `start` to `stop`. Several at once do no harm: each step is one transaction."""

    def __init__(
        self, database: Database, *, every_s: float = EVERY_S, margin: timedelta = MARGIN
    ) -> None:
        self._database = database
        self._every_s = every_s
        self._margin = margin
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first sweep comes after the first pause."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, also in the middle of a sweep."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> int:
        """Sweep every agency that has something new; how many records these were."""
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["list_unswept"], self._margin, _AGENCIES)
        return sum(
            [
                await sweep_agency(self._database, AgencyId(row["agency_id"]), self._margin)
                for row in rows
            ]
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                seen = await self.sweep()
            except GardenOSError as error:
                _log.warning("duplicates_not_swept", said=error.detail)
            except Exception:  # noqa: BLE001
                # What one record does to it must not end all sweeps to come.
                _log.exception("duplicates_sweep_crashed")
            else:
                if seen:
                    _log.info("duplicates_swept", records=seen)
