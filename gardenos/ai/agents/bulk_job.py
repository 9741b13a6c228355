"""Works bulk jobs and imports off, chunk after chunk, each in a transaction of whoever sent it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from gardenos.ai.agents.base import BaseAIAgent, Context, Unfinished
from gardenos.core.ids import ImportId
from gardenos.crm.records.bulk import jobs
from gardenos.crm.records.bulk.jobs import AGENT_TYPE
from gardenos.crm.routers import ROUTERS
from gardenos.crm.transfer import work as imports
from gardenos.orchestrator.task import AgentTask, Cancel, Snooze

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession
    from gardenos.orchestrator.executor import OpenSession

TURN_S = 20.0
"""How long one run goes on beginning chunks; the rest is left for a run after it."""


class BulkTask(BaseModel):
    """Which job to work off, or which import."""

    model_config = ConfigDict(extra="forbid")

    job_id: UUID | None = None
    import_id: UUID | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.job_id is None) is (self.import_id is None):
            raise ValueError("names a job_id or an import_id")
        return self

    @property
    def about(self) -> UUID:
        """The id of either."""
        found = self.job_id or self.import_id
        assert found is not None  # noqa: S101 one is named
        return found


class BulkOutcome(BaseModel):
    """How many operations of a job succeeded, and how many failed; of imports the state says all."""

    succeeded: int = 0
    failed: int = 0
    state: str | None = None


class BulkJobAgent(BaseAIAgent[BulkTask, BulkOutcome]):
    """Works off bulk requests of over a thousand operations, and large imports. Uses no model."""

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
        """Whose the jobs and imports are."""
        wanted = {task.id: found for task in tasks if (found := _named(task)) is not None}
        job_ids = [one.job_id for one in wanted.values() if one.job_id]
        import_ids = [one.import_id for one in wanted.values() if one.import_id]
        found = await jobs.senders(session, job_ids) if job_ids else {}
        found |= await imports.senders(session, import_ids) if import_ids else {}
        return {task_id: found[one.about] for task_id, one in wanted.items() if one.about in found}

    async def work(self, request: BulkTask, context: Context) -> BulkOutcome | Unfinished:
        """Do chunks until nothing is left, or for a while."""
        claims: Claims | None = context.loaded
        if claims is None:
            return Cancel("What it was about is gone.")
        until = time.monotonic() + TURN_S
        while True:
            ended = await self._chunk(claims, request)
            if ended is not None:
                return ended
            if time.monotonic() >= until:
                return Snooze(self.clock.now())

    async def _chunk(self, claims: Claims, request: BulkTask) -> BulkOutcome | None:
        """Do one, in a transaction; what it came to in the end, once there is none left."""
        assert self._open is not None  # noqa: S101 an executor has given it
        async with self._open(claims) as session:
            if request.job_id is not None:
                done = await jobs.work_off(session, request.job_id)
                outcome = BulkOutcome(succeeded=done.succeeded, failed=done.failed)
                return outcome if done.finished else None
            step = await imports.step(session, ImportId(request.about))
            return BulkOutcome(state=step.state.value) if step.finished else None


def _named(task: AgentTask) -> BulkTask | None:
    try:
        return BulkTask.model_validate(task.payload)
    except ValidationError:
        return None
