"""An agent whose runs wait until they are let go, and tasks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from gardenos.orchestrator import store
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.schedule import Allotment
from gardenos.orchestrator.task import AgentTask, Attempt, Done, Fail, NewTask

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import Database, TenantSession


class Patient:
    """Says when it works, and ends when it may: what `fails` with a failure, what is `quick` at once."""

    agent_type: ClassVar[str] = "patient"

    def __init__(self) -> None:
        self.working = asyncio.Event()
        self.may_end = asyncio.Event()

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        return {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        self.working.set()
        if not task.payload.get("quick"):
            await self.may_end.wait()
        return Attempt(task, Fail("as told") if task.payload.get("fails") else Done({}))

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None: ...
    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None: ...


class Tasks:
    """Tasks of one agency for the patient agent."""

    def __init__(self, db: Database, claims: Claims) -> None:
        self.queue = PostgresQueue(db)
        self._db, self._claims = db, claims

    async def enqueue(self, *payloads: Mapping[str, Any]) -> list[store.TaskView]:
        async with self._db.session(self._claims) as session:
            return await store.enqueue(session, [NewTask("patient", p) for p in payloads])

    async def leased(self, *payloads: Mapping[str, Any]) -> list[AgentTask]:
        """New tasks, leased."""
        await self.enqueue(*payloads)
        epoch = await self.queue.take_office("test", ttl_s=60)
        assert epoch is not None
        seen = await self.queue.lanes(["patient"])
        everything = [
            Allotment(lane.priority, lane.agency_id, 50, lane.head, seen.at, lane.priority)
            for lane in seen.lanes["patient"]
        ]
        return await self.queue.lease("patient", everything, holder="test", epoch=epoch, lease_s=30)

    async def all(self) -> list[store.TaskView]:
        async with self._db.session(self._claims) as session:
            return await store.list_tasks(session, limit=50)

    async def states(self) -> list[str]:
        return [view.state.value for view in await self.all()]


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def tasks(db: Database, owner: Claims) -> Tasks:
    return Tasks(db, owner)
