"""The orchestrator's loop: hold office, lease what the replicas can take, send it, tend the leases."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gardenos.core.errors import GardenOSError
from gardenos.core.ids import TaskId
from gardenos.observability import events, metrics
from gardenos.observability.events import observe
from gardenos.orchestrator import settlement
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.queue import Queue
from gardenos.orchestrator.task import AgentTask

Send = Callable[[str, Sequence[AgentTask]], Awaitable[BatchReport]]


@dataclass(frozen=True, slots=True)
class Tempo:
    """The loop's times, in seconds, and its batch size."""

    lease_s: float = 30.0
    office_ttl_s: float = 6.0
    poll_s: float = 1.0
    rescue_every_s: float = 2.0
    prune_every_s: float = 300.0
    keep: timedelta = timedelta(days=30)
    batch: int = 50


@dataclass(slots=True)
class Pool:
    """What is known of one agent type's replicas."""

    in_flight: dict[TaskId, AgentTask] = field(default_factory=dict[TaskId, AgentTask])
    leased: int = 0
    outcomes: defaultdict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    lost: int = 0
    given_back: int = 0


class Dispatcher:
    """Leases tasks and sends them to agents, never more than their replicas accept."""

    def __init__(
        self,
        queue: Queue,
        *,
        holder: str,
        send: Send,
        capacity: Callable[[], Mapping[str, int]],
        tempo: Tempo | None = None,
    ) -> None:
        self._queue = queue
        self._holder = holder
        self._send = send
        self._capacity = capacity
        self._tempo = tempo or Tempo()
        self._pools: defaultdict[str, Pool] = defaultdict(Pool)
        self._epoch: int | None = None
        self._office_renewed = 0.0
        self._extended = time.monotonic()
        self._woken = asyncio.Event()
        self._batches: set[asyncio.Task[None]] = set()
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._sentences: dict[str, str] = {}
        self._stopping = False

    # -- life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin dispatching in the background."""
        chores = {
            "dispatch": (self._dispatch, self._tempo.poll_s),
            "heartbeat": (self._heartbeat, self._tempo.lease_s / 3),
            "rescue": (self._rescue, self._tempo.rescue_every_s),
            "prune": (self._prune, self._tempo.prune_every_s),
        }
        for name, (cycle, every_s) in chores.items():
            self._loops[name] = asyncio.create_task(self._repeat(name, cycle, every_s), name=name)

    @property
    def lives(self) -> bool:
        """Whether all its loops run."""
        return bool(self._loops) and not any(loop.done() for loop in self._loops.values())

    async def stop(self, *, within_s: float = 10.0) -> None:
        """Lease no more, leave the office to a successor, and wait for what runs."""
        self._stopping = True
        self.wake()
        await self._end("rescue", "prune")
        if "dispatch" in self._loops:
            # It ends by itself: cancelled between lease and launch, it would lose what it leased.
            await asyncio.wait([self._loops["dispatch"]], timeout=within_s)
        with suppress(GardenOSError):
            await self._queue.leave_office(self._holder)
        self._epoch = None
        if self._batches:
            await asyncio.wait(self._batches, timeout=within_s)
        await self._end("dispatch", "heartbeat")

    async def _end(self, *names: str) -> None:
        loops = [self._loops[name] for name in names if name in self._loops]
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    def wake(self, _payload: str = "") -> None:
        """There may be work: look now instead of at the next poll."""
        self._woken.set()

    async def _repeat(self, name: str, cycle: Callable[[], Awaitable[str]], every_s: float) -> None:
        while not (self._stopping and name == "dispatch"):
            try:
                sentence = await cycle()
            except GardenOSError as error:
                sentence = f"waits: {error.detail}"
            except Exception as error:  # noqa: BLE001 the loop outlives whatever one cycle meets
                sentence = f"failed and goes on: {type(error).__name__}: {error}"
            if self._sentences.get(name) != sentence:
                self._sentences[name] = sentence
                observe(events.CycleSaid(loop=name, sentence=sentence))
            if name == "dispatch":
                with suppress(TimeoutError):
                    async with asyncio.timeout(every_s):
                        await self._woken.wait()
                self._woken.clear()
            else:
                await asyncio.sleep(every_s)

    # -- dispatch --------------------------------------------------------------------------

    async def _hold_office(self) -> int | None:
        now = time.monotonic()
        if self._epoch is not None and now - self._office_renewed < self._tempo.office_ttl_s / 3:
            return self._epoch
        epoch = await self._queue.take_office(self._holder, ttl_s=self._tempo.office_ttl_s)
        if epoch != self._epoch:
            observe(events.OfficeChanged(holder=self._holder, epoch=epoch))
        self._epoch, self._office_renewed = epoch, now
        return epoch

    async def _dispatch(self) -> str:
        epoch = await self._hold_office()
        if epoch is None:
            return "waits for another orchestrator to leave office"
        capacity = self._capacity()
        if not capacity:
            return "waits for agents to start"
        sent = 0
        for agent_type, accepts in capacity.items():
            sent += await self._fill(agent_type, accepts, epoch)
        return "dispatches" if sent else "has nothing due"

    async def _fill(self, agent_type: str, accepts: int, epoch: int) -> int:
        pool = self._pools[agent_type]
        # Counted once: a quick type that empties as fast as it is filled must not keep us here.
        free = accepts - len(pool.in_flight)
        sent = 0
        while sent < free and not self._stopping:
            limit = min(free - sent, self._tempo.batch)
            tasks = await self._queue.lease(
                agent_type,
                limit=limit,
                holder=self._holder,
                epoch=epoch,
                lease_s=self._tempo.lease_s,
            )
            if tasks and self._stopping:
                await self._queue.settle([settlement.handed_back(task) for task in tasks])
            elif tasks:
                self._launch(agent_type, pool, tasks)
                sent += len(tasks)
            if len(tasks) < limit:
                break
        return sent

    def _launch(self, agent_type: str, pool: Pool, tasks: Sequence[AgentTask]) -> None:
        pool.in_flight |= {task.id: task for task in tasks}
        pool.leased += len(tasks)
        observe(events.TasksLeased(agent_type=agent_type, tasks=len(tasks)))
        metrics.TASKS_IN_FLIGHT.labels(agent_type).set(len(pool.in_flight))
        batch = asyncio.create_task(self._deliver(agent_type, pool, tasks))
        self._batches.add(batch)
        batch.add_done_callback(self._batches.discard)

    async def _deliver(self, agent_type: str, pool: Pool, tasks: Sequence[AgentTask]) -> None:
        try:
            report = await self._send(agent_type, tasks)
        except Exception as error:  # noqa: BLE001 a lost replica raises whatever its transport does
            await self._give_back(agent_type, pool, tasks, f"{type(error).__name__}: {error}")
        else:
            for outcome, count in report.outcomes.items():
                pool.outcomes[outcome] += count
            pool.lost += report.lost
        finally:
            self._release(agent_type, tasks)

    def _release(self, agent_type: str, tasks: Iterable[AgentTask]) -> None:
        in_flight = self._pools[agent_type].in_flight
        for task in tasks:
            # Under a later fence it is in flight anew, and that lease is still to be looked after.
            if in_flight.get(task.id) is task:
                del in_flight[task.id]
        metrics.TASKS_IN_FLIGHT.labels(agent_type).set(len(in_flight))
        self.wake()

    async def _give_back(
        self, agent_type: str, pool: Pool, tasks: Sequence[AgentTask], why: str
    ) -> None:
        observe(events.BatchGivenBack(agent_type=agent_type, tasks=len(tasks), reason=why[:500]))
        pool.given_back += len(tasks)
        # Where that fails too, mostly for want of a database, the leases run out and the rescuer does it.
        with suppress(Exception):
            await self._queue.settle([settlement.crashed(task, why) for task in tasks])

    # -- chores ----------------------------------------------------------------------------

    async def _heartbeat(self) -> str:
        running = {name: list(pool.in_flight.values()) for name, pool in self._pools.items()}
        tasks = [task for pool in running.values() for task in pool]
        if not tasks:
            self._extended = time.monotonic()
            return "has no lease to extend"
        held = await self._queue.heartbeat(tasks, lease_s=self._tempo.lease_s)
        self._extended = time.monotonic()
        # What has ended makes room, also where others of its batch go on.
        for agent_type, pool in running.items():
            if ended := [task for task in pool if task.id not in held]:
                self._release(agent_type, ended)
        return "extends leases"

    async def _rescue(self) -> str:
        if self._epoch is None:
            return "leaves rescue to whoever holds office"
        if time.monotonic() - self._extended > self._tempo.lease_s / 2:
            # After an outage our own leases have run out, and our agents are at work all the same.
            await self._heartbeat()
        rescued = await self._queue.rescue(limit=1000)
        if not (rescued.requeued or rescued.dead):
            return "found no expired lease"
        observe(events.TasksRescued(requeued=rescued.requeued, dead=rescued.dead))
        self.wake()
        return f"queued {rescued.requeued} tasks again, {rescued.dead} died"

    async def _prune(self) -> str:
        if self._epoch is None:
            return "leaves pruning to whoever holds office"
        gone = await self._queue.prune(keep=self._tempo.keep, limit=10_000)
        return f"pruned {gone} old tasks"

    # -- what it is doing ------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What the orchestrator is doing: epoch, sentences, and per agent type its numbers."""
        return {
            "holder": self._holder,
            "epoch": self._epoch,
            "stopping": self._stopping,
            "doing": dict(self._sentences),
            "agents": {
                name: {
                    "in_flight": len(pool.in_flight),
                    "leased": pool.leased,
                    "outcomes": dict(pool.outcomes),
                    "lost": pool.lost,
                    "given_back": pool.given_back,
                }
                for name, pool in self._pools.items()
            },
        }
