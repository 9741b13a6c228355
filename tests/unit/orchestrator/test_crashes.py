"""A task that kills its replica, dispatched for real: it dies, and whoever ran beside it is only late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from gardenos.db.session import Role
from gardenos.orchestrator.dispatcher import Dispatcher, Tempo
from gardenos.orchestrator.executor import BatchReport, Executor
from gardenos.orchestrator.task import AgentTask
from tests.support.local import eventually
from tests.unit.orchestrator.conftest import Patient, Tasks

if TYPE_CHECKING:
    from gardenos.db.session import Database


class Replica:
    """Runs batches as a process does: whoever brings poison takes all that runs down."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._died = asyncio.Event()
        self.deaths = 0

    async def send(
        self, _agent_type: str, tasks: Sequence[AgentTask]
    ) -> AsyncIterator[BatchReport]:
        if any(task.payload.get("kills") for task in tasks):
            self.deaths += 1
            self._died.set()
            self._died = asyncio.Event()
            raise ConnectionError("the replica died")
        died = self._died
        await asyncio.wait([asyncio.create_task(died.wait())], timeout=0.05)
        if died.is_set():
            raise ConnectionError("the replica died")
        yield await self._executor.run_batch(tasks)


async def test_a_task_that_kills_its_replica_dies_alone(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    replica = Replica(Executor(db, patient))
    patient.may_end.set()
    await tasks.enqueue(*[{}] * 20, {"kills": True}, *[{}] * 20)
    dispatcher = Dispatcher(
        tasks.queue,
        holder="test",
        send=replica.send,
        capacity=lambda: {"patient": 32},
        tempo=Tempo(poll_s=0.02, batch=8),
    )
    dispatcher.start()
    try:

        async def hurried() -> list[tuple[str, int]]:
            """Where all stand; what waits out a backoff waits no longer."""
            async with db.system(Role.WORKER) as session:
                await session.execute(
                    "UPDATE agent_tasks SET run_at = now() WHERE state = 'queued'"
                )
            return [(view.state.value, view.attempt) for view in await tasks.all()]

        ends = await eventually(
            hurried, lambda seen: {state for state, _ in seen} == {"succeeded", "dead"}
        )
    finally:
        await dispatcher.stop()
    assert sorted(ends) == [("dead", 4)] + [("succeeded", 0)] * 40
    assert replica.deaths == 6
