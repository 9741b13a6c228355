"""Bulk requests too large to be answered at once: kept in chunks, worked off as whoever sent them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gardenos.core.claims import Claims, UserRole
from gardenos.core.errors import Forbidden, InvalidCursor, NotFound
from gardenos.core.ids import AgencyId, UserId
from gardenos.core.page import CursorSigner
from gardenos.crm.records import entity as declared
from gardenos.crm.records.bulk import service
from gardenos.crm.records.bulk.models import BulkResult, Kept, Operation
from gardenos.crm.records.entity import Entity
from gardenos.db import sql
from gardenos.db.session import TenantSession
from gardenos.orchestrator import store
from gardenos.orchestrator.task import NewTask
from gardenos.web.paging import PageQuery

QUERIES = sql.load("gardenos.crm.records.bulk")
AGENT_TYPE: Final = "bulk_job"
CHUNK: Final = 500
"""Operations of one transaction."""
_PRIORITY: Final = 6
_RETRIES: Final = 10
_OPERATIONS: Final[TypeAdapter[list[Kept]]] = TypeAdapter(
    list[Annotated[Kept, Field(discriminator="op")]]
)


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"


class Job(BaseModel):
    """A bulk request that is worked off by and by."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    entity: str
    state: JobState = Field(
        description="`stopped`: its task was cancelled or failed for good; replay it to go on."
    )
    total: int
    succeeded: int
    failed: int
    task_id: UUID | None = Field(description="The task that works it off.")
    created_by: UUID
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobResult(BulkResult):
    """What became of one operation of a job."""

    index: int = Field(description="Its place in the request, from 0.")


class JobResultPage(BaseModel):
    """Results in the order of the request, as far as the job is."""

    items: list[JobResult]
    next_cursor: str | None = Field(description="Null: the last that is done.")


@dataclass(frozen=True, slots=True)
class Progress:
    """What is done of a job."""

    finished: bool
    succeeded: int
    failed: int


async def create(session: TenantSession, entity: Entity, operations: Sequence[Operation]) -> Job:
    """Keep a request as a job that is begun soon. Raises `Forbidden`."""
    claims = session.claims
    claims.require_writer()
    if claims.scopes is not None and "write" not in claims.scopes:
        raise Forbidden(
            "So many operations at once need an API key with the scope write. Send at most 1,000."
        )
    job_id = await session.fetchval(
        QUERIES["create_job"],
        claims.agency_id,
        entity.noun,
        claims.sub,
        claims.user_role.value,
        claims.key_id,
        None if claims.scopes is None else sorted(claims.scopes),
        len(operations),
    )
    chunks = [
        # As ASCII: whatever text there is, it is told to whoever sent it, and not here.
        json.dumps([one.model_dump() for one in operations[n : n + CHUNK]]).encode()
        for n in range(0, len(operations), CHUNK)
    ]
    await session.execute(QUERIES["add_chunks"], claims.agency_id, job_id, chunks)
    payload = {"job_id": str(job_id)}
    task = NewTask(AGENT_TYPE, payload, priority=_PRIORITY, max_retries=_RETRIES)
    [queued] = await store.enqueue(session, [task])
    await session.execute(QUERIES["note_task"], job_id, queued.id)
    return await get(session, job_id)


async def get(session: TenantSession, job_id: UUID) -> Job:
    """A job of one's own, or for an owner or admin anybody's. Raises `NotFound`."""
    row = await session.fetchrow(QUERIES["get_job"], job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id} here.")
    return Job.model_validate(dict(row))


async def results(
    session: TenantSession, job_id: UUID, page: PageQuery, cursors: CursorSigner
) -> JobResultPage:
    """Results of a job, in the order of its operations. Raises `NotFound`, `InvalidCursor`."""
    job = await get(session, job_id)
    scope = f"bulk_results:{session.claims.agency_id}:{job_id}"
    first = 0 if page.cursor is None else _opened(cursors.open(scope, page.cursor))
    after = first + page.limit
    rows = await session.fetch(
        QUERIES["list_results"], job_id, first // CHUNK, (after - 1) // CHUNK
    )
    items = [
        JobResult.model_validate({**result, "index": index})
        for row in rows
        for index, result in enumerate(json.loads(row["results"]), row["number"] * CHUNK)
        if first <= index < after
    ]
    more = job.succeeded + job.failed > after
    return JobResultPage(items=items, next_cursor=cursors.seal(scope, [after]) if more else None)


def _opened(key: Sequence[Any]) -> int:
    match key:
        case [int(first)]:
            return first
        case _:
            raise InvalidCursor


async def senders(session: TenantSession, job_ids: Sequence[UUID]) -> dict[UUID, Claims]:
    """Whose the jobs of the session's agency are: the claims with which they were sent."""
    rows = await session.fetch(QUERIES["list_senders"], list(job_ids))
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


async def work_off(session: TenantSession, job_id: UUID) -> Progress:
    """Do the next chunk of a job in its sender's session, which keeps its results, too.

    Whoever comes meanwhile waits, and then finds it done. Raises `NotFound`.
    """
    job = await session.fetchrow(QUERIES["lock_job"], job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id} here.")
    chunk = await session.fetchrow(QUERIES["next_chunk"], job_id)
    if chunk is None:
        return Progress(True, job["succeeded"], job["failed"])
    first = chunk["number"] * CHUNK
    operations = _OPERATIONS.validate_python(json.loads(chunk["operations"]))
    made = await _results(session, job, operations, first)
    failed = service.failed(made)
    succeeded = len(made) - failed
    await session.execute(QUERIES["keep_results"], job_id, chunk["number"], service.encode(made))
    finished = await session.fetchval(QUERIES["note_progress"], job_id, succeeded, failed)
    return Progress(bool(finished), job["succeeded"] + succeeded, job["failed"] + failed)


async def _results(
    session: TenantSession, job: Any, operations: Sequence[Kept], first: int
) -> list[service.Result]:
    claims = session.claims
    if await session.fetchval(
        QUERIES["may_still"], claims.agency_id, claims.sub, job["role"], job["key_id"]
    ):
        entity = declared.known()[job["entity"]]
        return await service.apply(session, entity, operations, first=first)
    gone = Forbidden("Whoever sent this job may not do it any more. Send what is left as yourself.")
    return [
        service.refusal(gone, operation, f"/operations/{number}")
        for number, operation in enumerate(operations, first)
    ]
