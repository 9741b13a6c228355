"""Imports worked off chunk by chunk, each in a transaction of whoever sent the file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from gardenos.core.claims import Claims, UserRole
from gardenos.core.errors import NotFound
from gardenos.core.ids import AgencyId, ImportId, UserId
from gardenos.crm.records.bulk.jobs import AGENT_TYPE
from gardenos.crm.transfer import chunk, store
from gardenos.crm.transfer.carry import Work, carry_out
from gardenos.crm.transfer.chunk import Cells
from gardenos.crm.transfer.models import ImportOptions, ImportState
from gardenos.crm.transfer.store import QUERIES, Done
from gardenos.db.session import TenantSession
from gardenos.orchestrator import store as tasks
from gardenos.orchestrator.task import NewTask

_PRIORITY: Final = 6
_RETRIES: Final = 10
_GONE: Final = "Whoever sent this file may not import it any more. Send these rows as yourself."


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that wait."""

    number: int
    first_row: int
    rows: list[Cells]


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step did."""

    finished: bool
    state: ImportState


async def enqueue_work(
    session: TenantSession, import_id: ImportId, state: ImportState, *, again: bool
) -> None:
    """Have an import carried out, or reverted, by a task."""
    payload = {"import_id": str(import_id)}
    task = NewTask(AGENT_TYPE, payload, priority=_PRIORITY, max_retries=_RETRIES)
    [queued] = await tasks.enqueue(session, [task])
    await session.execute(QUERIES["note_task"], import_id, queued.id, state.value, again)


async def senders(session: TenantSession, import_ids: Sequence[UUID]) -> dict[UUID, Claims]:
    """Whose the imports of the session's agency are: the claims with which they were sent."""
    rows = await session.fetch(QUERIES["list_senders"], list(import_ids))
    return {row["id"]: _claims(session.claims.agency_id, row) for row in rows}


def _claims(agency_id: AgencyId, row: Any) -> Claims:
    scopes = row["scopes"]
    return Claims.of(
        UserId(row["created_by"]),
        agency_id,
        UserRole(row["role"]),
        key_id=row["key_id"],
        scopes=None if scopes is None else frozenset(scopes),
    )


async def read_chunk(session: TenantSession, import_id: ImportId) -> Chunk | None:
    """The next rows that wait; None where there are none, or where they are another's."""
    row = await session.fetchrow(QUERIES["next_chunk"], import_id)
    if row is None:
        return None
    rows = await asyncio.to_thread(chunk.decode, row["data"])
    return Chunk(row["number"], row["first_row"], rows)


async def step(session: TenantSession, import_id: ImportId) -> Progress:
    """Do the next chunk of an import, or take the last one back, in its sender's session.

    Whoever comes meanwhile waits, and then finds it done. Raises `NotFound`.
    """
    await store.lock(session)
    found = await session.fetchrow(QUERIES["lock_import"], import_id)
    if found is None:
        raise NotFound(f"There is no import {import_id} here.")
    state = ImportState(found["state"])
    if state is ImportState.REVERTING:
        return await _take_back(session, import_id)
    if state is not ImportState.RUNNING:
        return Progress(True, state)
    head = await read_chunk(session, import_id)
    if head is None:
        await session.execute(QUERIES["finish_import"], import_id)
        return Progress(True, ImportState.FINISHED)
    work = Work.of(import_id, found["headers"], ImportOptions.model_validate(found["options"]))
    done = await _done(session, work, head, found)
    await store.keep(session, import_id, head.number, done)
    return Progress(False, ImportState.RUNNING)


async def _done(session: TenantSession, work: Work, head: Chunk, found: Any) -> Done:
    claims = session.claims
    if await session.fetchval(
        QUERIES["may_still"], claims.agency_id, claims.sub, found["role"], found["key_id"]
    ):
        return await carry_out(session, work, head.first_row, head.rows)
    done = Done(rejected=len(head.rows))
    for number, row in enumerate(head.rows, head.first_row):
        done.refused.append(
            (number, "forbidden", None, _GONE, row if isinstance(row, list) else [])
        )
    return done


async def _take_back(session: TenantSession, import_id: ImportId) -> Progress:
    number = await session.fetchval(QUERIES["next_to_revert"], import_id)
    counts = (0, 0, 0)
    if number is not None:
        row = await session.fetchrow(QUERIES["revert_chunk"], import_id, number)
        counts = (0, 0, 0) if row is None else tuple(row)
    await session.execute(QUERIES["note_reverted"], import_id, *counts, number is None)
    finished = number is None
    return Progress(finished, ImportState.REVERTED if finished else ImportState.REVERTING)
