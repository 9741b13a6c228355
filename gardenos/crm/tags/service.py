"""What may be done with the tags of records, in the caller's session and under its claims."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from gardenos.crm.records import Entity, faults, service
from gardenos.crm.tags.entity import TAGS
from gardenos.crm.tags.models import RecordTag, RecordTags
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.tags")


async def tag(session: TenantSession, entity: Entity, record_id: UUID, tag_id: UUID) -> None:
    """Let a record carry a tag; it may already. Raises `NotFound`, `Forbidden`."""
    await service.get(session, entity, record_id)
    arguments = session.claims.agency_id, entity.noun, record_id, tag_id
    try:
        done = await session.fetchval(QUERIES["tag_record"], *arguments)
    except asyncpg.InsufficientPrivilegeError as error:
        raise faults.forbidden(entity, "change") from error
    if done is None:
        await service.get(session, TAGS, tag_id)


async def untag(session: TenantSession, entity: Entity, record_id: UUID, tag_id: UUID) -> None:
    """Take a tag off a record; it may be off already. Raises `NotFound`, `Forbidden`."""
    await service.get(session, entity, record_id)
    arguments = entity.noun, record_id, tag_id
    if await session.fetchval(QUERIES["untag_record"], *arguments) is None and (
        await session.fetchval(QUERIES["is_tagged"], *arguments)
    ):
        raise faults.forbidden(entity, "change")


async def tags_of(session: TenantSession, entity: Entity, record_id: UUID) -> RecordTags:
    """The tags of a record, by name. Raises `NotFound`."""
    await service.get(session, entity, record_id)
    rows = await session.fetch(QUERIES["list_record_tags"], entity.noun, record_id)
    return RecordTags(items=[RecordTag.model_validate(dict(row)) for row in rows])
