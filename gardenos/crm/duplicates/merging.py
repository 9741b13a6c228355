"""Two records become one, and two again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from gardenos.core.errors import Conflict, InvalidContent, NotFound
from gardenos.crm.companies.entity import COMPANIES
from gardenos.crm.contacts.entity import CONTACTS
from gardenos.crm.duplicates.models import Merge, Merged, MergeRequest, Side
from gardenos.crm.duplicates.sweep import QUERIES
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.records import service
from gardenos.crm.records.entity import Entity
from gardenos.crm.records.service import Stored
from gardenos.db.session import TenantSession

ENTITIES: Final[Mapping[str, Entity]] = {one.noun: one for one in (LEADS, CONTACTS, COMPANIES)}
_EXTERNAL_ID: Final = "external_id"


@dataclass(frozen=True, slots=True)
class _Both:
    kept: Stored
    gone: Stored


async def merge(
    session: TenantSession, entity: Entity, kept_id: UUID, asked: MergeRequest
) -> Merged:
    """Make two records one, or with `dry_run` say what that would come to.

    Raises `NotFound`, `Forbidden`, `InvalidContent` for a record and itself, `Conflict`.
    """
    session.claims.require_writer()
    if asked.other == kept_id:
        detail = "is the record itself; name the one that is to go"
        raise InvalidContent(errors=[{"pointer": "/from", "detail": detail}])
    kept = await service.get(session, entity, kept_id)
    both = _Both(kept, await service.get(session, entity, asked.other))
    values = _values(entity, both, asked.prefer)
    if asked.dry_run:
        moved = await session.fetchval(QUERIES["count_references"], entity.noun, asked.other)
        return Merged(merge=None, changes=values, moved=moved)
    return await _merged(session, entity, both, values)


def _values(entity: Entity, both: _Both, prefer: Mapping[str, Side]) -> dict[str, Any]:
    """What changes of the record that is kept: its own values stand, unless empty or not preferred."""
    assert entity.changes is not None  # noqa: S101 all that can be merged can be changed
    fields = entity.changes.model_fields.keys() & both.kept.values.keys() & both.gone.values.keys()
    unknown = sorted(prefer.keys() - fields)
    if unknown:
        raise InvalidContent(
            errors=[
                {"pointer": f"/prefer/{name}", "detail": "is no field of it"} for name in unknown
            ]
        )
    found: dict[str, Any] = {}
    for name in sorted(fields):
        mine, theirs = both.kept.values[name], both.gone.values[name]
        side = prefer.get(name)
        if name == "custom":
            value = {**mine, **theirs} if side is Side.OTHER else {**theirs, **mine}
        elif side is Side.OTHER:
            value = theirs
        else:
            value = theirs if mine is None and side is None else mine
        if value != mine:
            found[name] = value
    return found


async def _merged(
    session: TenantSession, entity: Entity, both: _Both, values: Mapping[str, Any]
) -> Merged:
    kept_id, gone_id = both.kept.id, both.gone.id
    try:
        async with session.savepoint():
            merge_id = await session.fetchval(QUERIES["begin_merge"], entity.noun, kept_id, gone_id)
            if merge_id is None:
                raise NotFound(entity.missing(gone_id))
            if _EXTERNAL_ID in values:
                # It is unique, and a deleted record holds it, too.
                await service.change(session, entity, gone_id, {_EXTERNAL_ID: None}, versions=None)
            if values:
                await service.change(session, entity, kept_id, values, versions=None)
            moved = await session.fetchval(QUERIES["move_references"], merge_id)
            await service.delete(session, entity, gone_id, versions=None)
            await session.execute(QUERIES["end_merge"], merge_id)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(
            f"Both {entity.noun} have something of which one may have only one, such as a conversion. "
            "Take that of one back first."
        ) from error
    counts = {where: len(ids) for where, ids in moved.items()}
    return Merged(merge=await get(session, merge_id), changes=dict(values), moved=counts)


async def get(session: TenantSession, merge_id: UUID) -> Merge:
    """A merge. Raises `NotFound`, also where the caller does not read the record that was kept."""
    row = await session.fetchrow(QUERIES["get_merge"], merge_id)
    if row is None:
        raise NotFound(f"There is no merge {merge_id} here.")
    return Merge.model_validate(dict(row))


async def undo(session: TenantSession, merge_id: UUID) -> Merge:
    """Make two records of one again. Raises `NotFound`, `Forbidden`, `Conflict`."""
    claims = session.claims
    claims.require_writer()
    found = await get(session, merge_id)
    if found.merged_by != claims.sub:
        claims.require_admin()
    if found.undone_at is not None:
        return found
    try:
        since = await session.fetchval(QUERIES["undo_merge"], merge_id)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(
            "Another record has taken the external_id of one of them since. Give that one another."
        ) from error
    if since == ["id"]:
        raise Conflict("The record that went is there no more: it was removed, or restored.")
    if since:
        fields = ", ".join(since)
        raise Conflict(
            f"These fields were changed since, and would be lost: {fields}. Set them back to what "
            "they were after the merge first."
        )
    return await get(session, merge_id)
