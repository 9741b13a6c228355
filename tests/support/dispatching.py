"""A dispatcher at work over a queue in memory, and agents whose tasks end when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from gardenos.core.errors import DatabaseUnavailable
from gardenos.core.ids import AgencyId, TaskId
from gardenos.orchestrator.dispatcher import Dispatcher, Tempo
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.queue import Rescue
from gardenos.orchestrator.task import AgentTask, NewTask
from gardenos.testing.queue import InMemoryQueue
from tests.support.tokens import TurnedClock

if TYPE_CHECKING:
    from gardenos.orchestrator.lanes import Seen
    from gardenos.orchestrator.schedule import Allotment
    from gardenos.orchestrator.settlement import Settlement

AGENCY, OTHER = AgencyId(UUID(int=8)), AgencyId(UUID(int=9))
SOON_S = 10.0
QUICK = Tempo(lease_s=0.03, poll_s=0.01, rescue_every_s=0.01)
CALM = Tempo(poll_s=0.01, rescue_every_s=0.01)
"""Heartbeats come every ten seconds: none while a test runs."""
HINTED = Tempo(poll_s=3600, office_ttl_s=7200)
"""It looks once, and then only when it is woken."""


class WatchedQueue(InMemoryQueue):
    """A queue that says what is asked of it, and can be out of reach or hold an answer back."""

    def __init__(self, clock: TurnedClock) -> None:
        super().__init__(clock)
        self.away = False
        self.calls: asyncio.Queue[str] = asyncio.Queue()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def _noted(self, call: str) -> None:
        self.calls.put_nowait(call)
        if self.away:
            raise DatabaseUnavailable

    async def called(self, *calls: str) -> None:
        """Wait until these were asked of it, in this order, from now on."""
        while not self.calls.empty():
            self.calls.get_nowait()
        async with asyncio.timeout(SOON_S):
            for call in calls:
                while await self.calls.get() != call:
                    pass

    async def lanes(self, agent_types: Collection[str] | None = None) -> Seen:
        self._noted("lanes")
        return await super().lanes(agent_types)

    async def lease(
        self,
        agent_type: str,
        allotments: Sequence[Allotment],
        *,
        holder: str,
        epoch: int,
        lease_s: float,
    ) -> list[AgentTask]:
        leased = await super().lease(
            agent_type, allotments, holder=holder, epoch=epoch, lease_s=lease_s
        )
        self._noted("lease")
        # A turn of the loop, as any real answer takes: batches end meanwhile.
        await asyncio.sleep(0)
        await self.may_answer.wait()
        return leased

    async def heartbeat(self, tasks: Sequence[AgentTask], *, lease_s: float) -> set[TaskId]:
        self._noted("heartbeat")
        return await super().heartbeat(tasks, lease_s=lease_s)

    async def rescue(self, *, limit: int) -> Rescue:
        self._noted("rescue")
        return await super().rescue(limit=limit)

    async def settle(self, settlements: Sequence[Settlement]) -> set[TaskId]:
        self._noted("settle")
        return await super().settle(settlements)

    async def leave_office(self, holder: str) -> None:
        self._noted("leave")
        await super().leave_office(holder)


class Batch:
    """A batch at an agent, whose ends are reported as the test says."""

    def __init__(self, tasks: Sequence[AgentTask]) -> None:
        self.tasks = list(tasks)
        self._reports: asyncio.Queue[BatchReport | Exception | None] = asyncio.Queue()

    @property
    def ids(self) -> list[TaskId]:
        return [task.id for task in self.tasks]

    def ends(self, *tasks: AgentTask, lost: int = 0) -> None:
        """These have ended, and it is written down."""
        outcomes = {"done": len(tasks) - lost}
        self._reports.put_nowait(BatchReport(outcomes, lost, ended=tuple(t.id for t in tasks)))

    def fails(self, error: Exception) -> None:
        self._reports.put_nowait(error)

    def closes(self) -> None:
        """The agent says no more."""
        self._reports.put_nowait(None)

    async def reports(self) -> AsyncIterator[BatchReport]:
        while (report := await self._reports.get()) is not None:
            if isinstance(report, Exception):
                raise report
            yield report


class Agents:
    """Takes batches, and ends their tasks when it is told."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[Batch] = asyncio.Queue()

    def send(self, _agent_type: str, tasks: Sequence[AgentTask]) -> AsyncIterator[BatchReport]:
        batch = Batch(tasks)
        self.batches.put_nowait(batch)
        return batch.reports()

    async def batch(self) -> Batch:
        """The next batch sent."""
        async with asyncio.timeout(SOON_S):
            return await self.batches.get()


@asynccontextmanager
async def dispatching(
    queue: WatchedQueue,
    agents: Agents,
    *,
    tempo: Tempo = CALM,
    capacity: Mapping[str, int] | None = None,
    holder: str = "test",
) -> AsyncGenerator[Dispatcher]:
    """`echo` agents take two tasks, in one batch, unless told otherwise."""
    accepts = capacity or {"echo": 2}
    dispatcher = Dispatcher(
        queue,
        holder=holder,
        send=agents.send,
        capacity=lambda: accepts,
        concurrency={name: 2 * n for name, n in accepts.items()},
        tempo=tempo,
    )
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        queue.may_answer.set()
        await dispatcher.stop(within_s=0)


def in_flight(dispatcher: Dispatcher, agent_type: str = "echo") -> int:
    count: int = dispatcher.snapshot()["agents"][agent_type]["in_flight"]
    return count


def enqueue(
    queue: WatchedQueue, *priorities: int, agent_type: str = "echo", by: AgencyId = AGENCY
) -> list[TaskId]:
    return [queue.enqueue(by, NewTask(agent_type, {}, priority=p)) for p in priorities]


def head(dispatcher: Dispatcher, agent_type: str = "echo") -> dict[str, Any]:
    """What is said about the lane that is next."""
    found: dict[str, Any] = dispatcher.snapshot()["agents"][agent_type]["heads"][0]
    return found
