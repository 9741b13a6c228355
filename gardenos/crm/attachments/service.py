"""What may be done with attachments, in the caller's session and under its claims."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final
from uuid import UUID

from gardenos.core.errors import BodyTooLarge, Conflict, InvalidContent, UnsupportedMedia
from gardenos.crm.attachments.entity import ATTACHMENTS
from gardenos.crm.attachments.models import AttachmentState
from gardenos.crm.attachments.store import PENDING, STORED, Bytes
from gardenos.crm.records import faults, service
from gardenos.crm.records.service import Stored
from gardenos.db import sql
from gardenos.db.session import Database, Role, TenantSession

QUERIES = sql.load("gardenos.crm.attachments")
_RECORDS: Final = ("lead_id", "contact_id", "company_id", "deal_id", "activity_id")
ABANDONED_AFTER: Final = timedelta(days=1)
_ERASED_AT_ONCE: Final = 500


async def announce(
    session: TenantSession,
    values: Mapping[str, Any],
    *,
    max_bytes: int,
    media_types: Collection[str],
) -> Stored:
    """Note a file that will be uploaded.

    Raises `BodyTooLarge`, `UnsupportedMedia`, `Forbidden`, and `InvalidContent` for one that belongs to
    no record or to several.
    """
    if values["bytes"] > max_bytes:
        raise BodyTooLarge(
            f"The file has {values['bytes']:,} bytes; {max_bytes:,} is the most this installation takes."
        )
    media_type = values["media_type"]
    if not any(fnmatchcase(media_type, pattern) for pattern in media_types):
        raise UnsupportedMedia(
            f"Files of type {media_type} are not taken here. Those that are: {', '.join(media_types)}."
        )
    if sum(values.get(name) is not None for name in _RECORDS) != 1:
        raise InvalidContent(
            errors=[{"pointer": "/lead_id", "detail": f"name one record: {', '.join(_RECORDS)}"}]
        )
    return await service.create(session, ATTACHMENTS, values)


async def key_of(session: TenantSession, attachment_id: UUID) -> str:
    """What the store calls the file of an attachment that is there."""
    return str(await session.fetchval(QUERIES["read_key"], attachment_id))


async def pending(session: TenantSession, attachment_id: UUID) -> Stored:
    """An attachment whose bytes are still to come. Raises `NotFound`, `Conflict`."""
    found = await service.get(session, ATTACHMENTS, attachment_id)
    if found.values["state"] != AttachmentState.PENDING:
        raise Conflict(
            "The file was uploaded and confirmed; it does not change. Attach another one."
        )
    return found


async def confirm(session: TenantSession, files: Bytes, attachment_id: UUID) -> Stored:
    """Check what was uploaded and keep it; again, where it is kept already, it does nothing.

    Raises `NotFound`, `Conflict` where nothing was uploaded, `InvalidContent` where it is something
    else than announced: that is removed, and can be uploaded again.
    """
    found = await service.get(session, ATTACHMENTS, attachment_id)
    if found.values["state"] == AttachmentState.STORED:
        return found
    key = await key_of(session, attachment_id)
    if not await files.settle(key):
        raise Conflict("Nothing was uploaded yet. Send the bytes to the address first.")
    size, digest = await files.measure(key)
    wrong: list[dict[str, str]] = []
    if size != found.values["bytes"]:
        wrong.append({"pointer": "/bytes", "detail": f"{size} were uploaded"})
    if found.values["sha256"] not in (None, digest):
        wrong.append({"pointer": "/sha256", "detail": f"what was uploaded has {digest}"})
    if wrong:
        await files.remove(f"{STORED}/{key}")
        raise InvalidContent("What was uploaded is not what was announced.", errors=wrong)
    with faults.told(ATTACHMENTS, "change", {}):
        changed = await session.fetchval(QUERIES["confirm_attachment"], attachment_id, digest)
    stored = await service.get(session, ATTACHMENTS, attachment_id)
    if changed is None and stored.values["state"] != AttachmentState.STORED:
        raise faults.forbidden(ATTACHMENTS, "change")
    return stored


async def remove_erased(database: Database, files: Bytes) -> int:
    """Remove the files whose attachments were erased with a person; how many attachments' files went.

    What was erased is forgotten once its files are gone, and not before: whoever dies in between, or
    finds the place out of order, leaves it to the next. Raises `StorageUnavailable`.
    """
    gone = 0
    while True:
        async with database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["find_erased"], _ERASED_AT_ONCE)
        if not rows:
            return gone
        keys = [str(row["storage_key"]) for row in rows]
        await files.remove(*(f"{folder}/{key}" for key in keys for folder in (PENDING, STORED)))
        async with database.system(Role.WORKER) as session:
            await session.execute(QUERIES["forget_erased"], keys)
        gone += len(keys)


async def sweep(database: Database, files: Bytes, now: datetime) -> int:
    """Remove files that no attachment has, and attachments never uploaded; how many files went.

    What is younger than a day is let be: it may be on its way. What was erased goes at any age, and is
    not counted.
    """
    await remove_erased(database, files)
    before = now - ABANDONED_AFTER
    async with database.system(Role.WORKER) as session:
        await session.execute(QUERIES["forget_abandoned"], before)
    gone = 0
    async for paths in files.found(before=before):
        keys = {path: path.rpartition("/")[2] for path in paths}
        async with database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["find_keys"], list(keys.values()))
        # A stored one has nothing pending any more.
        kept = {f"{STORED}/{row['storage_key']}" for row in rows}
        kept |= {f"{PENDING}/{row['storage_key']}" for row in rows if row["state"] == PENDING}
        orphans = [path for path in keys if path not in kept]
        await files.remove(*orphans)
        gone += len(orphans)
    return gone
