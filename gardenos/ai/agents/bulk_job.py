"""Works bulk jobs off, chunk after chunk, each in a transaction of whoever sent the job."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from gardenos.ai.agents.base import BaseAIAgent, Context, Unfinished
from gardenos.crm.records.bulk import jobs
from gardenos.crm.records.bulk.jobs import AGENT_TYPE, Progress
from gardenos.crm.routers import ROUTERS
from gardenos.orchestrator.task import AgentTask, Cancel, Snooze

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession
    from gardenos.orchestrator.executor import OpenSession

TURN_S = 20.0
"""How long one run goes on beginning chunks; the rest is left for a run after it."""


class BulkTask(BaseModel):
    """Which job to work off."""

    model_config = ConfigDict(extra="forbid")

    job_id: UUID


class BulkOutcome(BaseModel):
    """How many of its operations succeeded, and how many failed."""

    succeeded: int
    failed: int


class BulkJobAgent(BaseAIAgent[BulkTask, BulkOutcome]):
    """Works off a bulk request of over a thousand operations. Uses no model."""

    agent_type = AGENT_TYPE
    routers = ROUTERS
    """With them, every noun that a job can be about is known."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._open: OpenSession | None = None

    def act_through(self, open_session: OpenSession) -> None:
        """See `ActsForMembers`."""
        self._open = open_session

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        """Whose the jobs are."""
        wanted = {task.id: _job_id(task) for task in tasks}
        ids = [job_id for job_id in wanted.values() if job_id is not None]
        found = await jobs.senders(session, ids)
        return {
            task_id: found[job_id]
            for task_id, job_id in wanted.items()
            if job_id is not None and job_id in found
        }

    async def work(self, request: BulkTask, context: Context) -> BulkOutcome | Unfinished:
        """Do chunks until the job is done, or for a while."""
        claims: Claims | None = context.loaded
        if claims is None:
            return Cancel("The job is gone.")
        until = time.monotonic() + TURN_S
        while True:
            progress = await self._chunk(claims, request.job_id)
            if progress.finished:
                return BulkOutcome(succeeded=progress.succeeded, failed=progress.failed)
            if time.monotonic() >= until:
                return Snooze(self.clock.now())

    async def _chunk(self, claims: Claims, job_id: UUID) -> Progress:
        assert self._open is not None  # noqa: S101 an executor has given it
        async with self._open(claims) as session:
            return await jobs.work_off(session, job_id)


def _job_id(task: AgentTask) -> UUID | None:
    try:
        return BulkTask.model_validate(task.payload).job_id
    except ValidationError:
        return None
