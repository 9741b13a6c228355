"""What may be done with an import once its file is there: change, start, revert."""

from __future__ import annotations

import asyncpg

from gardenos.core.errors import Conflict
from gardenos.core.ids import ImportId
from gardenos.crm.transfer import columns
from gardenos.crm.transfer.models import Import, ImportReport, ImportState, OptionChanges
from gardenos.crm.transfer.service import AT_ONCE, get, headers, trial
from gardenos.crm.transfer.store import QUERIES
from gardenos.crm.transfer.work import enqueue_work, step
from gardenos.db.session import TenantSession


async def own(session: TenantSession, import_id: ImportId) -> Import:
    """An import, locked, that the caller may go on with. Raises `NotFound`, `Forbidden`."""
    claims = session.claims
    claims.require_writer()
    await session.fetchrow(QUERIES["lock_import"], import_id)
    found = await get(session, import_id)
    if found.created_by != claims.sub:
        claims.require_admin()
    return found


async def change(
    session: TenantSession, import_id: ImportId, changes: OptionChanges
) -> ImportReport:
    """Change how a staged file is to be imported, and try it anew.

    Raises `NotFound`, `Forbidden`, `Conflict` once it has begun, `InvalidContent`.
    """
    found = await own(session, import_id)
    if found.state is not ImportState.STAGED:
        raise Conflict("This import has begun. Revert it, and send the file anew.")
    options = changes.over(found.options)
    columns.plan(await headers(session, import_id), options.mapping)
    await session.execute(QUERIES["note_options"], import_id, options.model_dump(mode="json"))
    return await trial(session, import_id)


async def start(session: TenantSession, import_id: ImportId, *, again: bool) -> Import:
    """Begin a staged import, or go on with one that stopped.

    Raises `NotFound`, `Forbidden`, `Conflict`.
    """
    found = await own(session, import_id)
    if found.state not in (ImportState.STAGED, ImportState.STOPPED):
        raise Conflict(f"This import is {found.state}: there is nothing to start.")
    if found.purged_at is not None:
        raise Conflict("The rows of this import are kept no more. Send the file anew.")
    columns.plan(await headers(session, import_id), found.options.mapping)
    row = await session.fetchrow(QUERIES["lock_import"], import_id)
    state = ImportState.REVERTING if row and row["state"] == "reverting" else ImportState.RUNNING
    try:
        async with session.savepoint():
            await enqueue_work(session, import_id, state, again=again)
    except asyncpg.UniqueViolationError:
        raise Conflict(
            "Another import of this file has begun. Revert that one first, or start this one with "
            "`again`."
        ) from None
    return await get(session, import_id)


async def revert(session: TenantSession, import_id: ImportId) -> Import:
    """Take an import back: a small one now, a larger one soon.

    Raises `NotFound`, `Forbidden`, `Conflict`.
    """
    found = await own(session, import_id)
    if found.state in (ImportState.REVERTING, ImportState.REVERTED):
        return found
    if found.state is ImportState.STAGED:
        raise Conflict("This import has not begun: there is nothing to revert.")
    if found.state is ImportState.RUNNING:
        raise Conflict(
            f"This import is at work. Cancel its task {found.task_id} first, or wait for its end."
        )
    if found.purged_at is not None:
        raise Conflict("What was there before this import is kept no more: it cannot be reverted.")
    await enqueue_work(session, import_id, ImportState.REVERTING, again=False)
    if (found.rows_total or 0) <= AT_ONCE:
        # The task then finds nothing left to do.
        while not (await step(session, import_id)).finished:
            pass
    return await get(session, import_id)
