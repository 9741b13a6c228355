"""The orchestrator's loop: hold office, lease what the replicas can take, send it, tend the leases."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gardenos.core.errors import GardenOSError
from gardenos.observability import events, metrics
from gardenos.observability.events import observe
from gardenos.orchestrator import schedule, settlement
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.lanes import Outlook
from gardenos.orchestrator.lookout import Hint, Lookout
from gardenos.orchestrator.pool import Pool
from gardenos.orchestrator.queue import Queue
from gardenos.orchestrator.suspects import Suspects
from gardenos.orchestrator.task import AgentTask

Send = Callable[[str, Sequence[AgentTask]], AsyncIterator[BatchReport]]
"""Sends a batch to an agent; yields a report for each group of its tasks whose ends are written."""
PRUNED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Tempo:
    """The loop's times, in seconds, and how much it does at once.

    A successor dispatches at the latest `office_ttl_s + poll_s` after a predecessor that just died.
    """

    lease_s: float = 30.0
    office_ttl_s: float = 6.0
    poll_s: float = 1.0
    hint_gap_s: float = 0.02
    """Between two looks at the queue that hints ask for, or two leases that they make possible."""
    linger_s: float = 0.0
    """Where little room is free, a lease waits so long for more, unless what waits is urgent.

    Not at all: with 20 ms no drain was faster.
    """
    rescue_every_s: float = 2.0
    recur_every_s: float = 1.0
    prune_every_s: float = 300.0
    keep: timedelta = timedelta(days=30)
    keep_deleted: timedelta = timedelta(days=30)
    """How long tasks are kept that succeeded or were cancelled; dead ones stay."""
    batch: int = 50
    """The most tasks in a call to an agent."""
    leased_at_once: int = 200
    age_s: float = schedule.AGE_S
    """A waiting task gains a priority for each of these."""
    silent_s: float = 20.0
    """An agent that sends no report of a batch for so long, not even an empty one, is taken for dead."""


class Dispatcher:
    """Leases tasks and sends them to agents, never more than their replicas accept."""

    def __init__(
        self,
        queue: Queue,
        *,
        holder: str,
        send: Send,
        capacity: Callable[[], Mapping[str, int]],
        concurrency: Mapping[str, int] | None = None,
        tempo: Tempo | None = None,
    ) -> None:
        """`capacity`: tasks that all agents of a type take now. `concurrency`: that a single one does."""
        self._queue = queue
        self._holder = holder
        self._send = send
        self._capacity = capacity
        self._concurrency = dict(concurrency or {})
        self._tempo = tempo or Tempo()
        self._outlook = Outlook(age_s=self._tempo.age_s)
        self._lookout = Lookout(
            queue,
            self._outlook,
            poll_s=self._tempo.poll_s,
            hint_gap_s=self._tempo.hint_gap_s,
        )
        self._pools: defaultdict[str, Pool] = defaultdict(Pool)
        self._suspects = Suspects()
        self._epoch: int | None = None
        self._office_renewed = 0.0
        self._extended = time.monotonic()
        self._woken = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
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
            "recur": (self._recur, self._tempo.recur_every_s),
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
        await self._end("rescue", "recur", "prune")
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

    def wake(self, hint: str = "") -> None:
        """There may be work, of this type or lane if one is named: see to it before the next poll."""
        wait_s = self._lookout.hear(Hint.read(hint))
        if wait_s <= 0:
            self._woken.set()
        elif not self._alarm or self._alarm.when() <= asyncio.get_running_loop().time():
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self._woken.set)

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
                    async with asyncio.timeout(self._rest_s()):
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
        before = self._epoch
        epoch = await self._hold_office()
        if epoch is None:
            return "waits for another orchestrator to leave office"
        if epoch != before:
            await self._lookout.enter_office()
        await self._lookout.update(self._holder, self._roomy())
        capacity = self._capacity()
        if not capacity:
            return "waits for agents to start"
        sent = 0
        for agent_type, accepts in capacity.items():
            sent += await self._fill(agent_type, accepts, epoch)
        return "dispatches" if sent else "has nothing it may send"

    def _rest_s(self) -> float:
        """Seconds until there is something to do, unless it is woken."""
        now = time.monotonic()
        lingers = [p.lingers_for_s(self._tempo.linger_s, now) for p in self._pools.values()]
        rest_s = min(self._tempo.poll_s, self._outlook.due_in_s(now), *lingers)
        if self._epoch is not None:
            rest_s = min(rest_s, self._lookout.look_in_s(now, self._roomy()))
        return max(0.0, rest_s)

    def _roomy(self) -> set[str]:
        """The types whose agents have room for a task."""
        accepts = self._capacity()
        return {name for name in accepts if accepts[name] > len(self._pools[name].in_flight)}

    async def _fill(self, agent_type: str, accepts: int, epoch: int) -> int:
        pool = self._pools[agent_type]
        # Counted once: a quick type that empties as fast as it is filled must not keep us here.
        free = accepts - len(pool.in_flight)
        sent = 0
        while sent < free and not self._stopping:
            room = min(free - sent, self._tempo.leased_at_once)
            allotments = self._outlook.plan(agent_type, room, time.monotonic())
            if not allotments:
                break
            if not sent and pool.lingers(
                free=free,
                accepts=accepts,
                level=allotments[0].level,
                linger_s=self._tempo.linger_s,
                now=time.monotonic(),
            ):
                break
            tasks = await self._queue.lease(
                agent_type,
                allotments,
                holder=self._holder,
                epoch=epoch,
                lease_s=self._tempo.lease_s,
            )
            if tasks and self._stopping:
                await self._queue.settle([settlement.handed_back(task) for task in tasks])
                break
            # One that is in flight already has lapsed, and its first run counts no more.
            self._outlook.ended(pool.take(tasks))
            self._outlook.leased(agent_type, allotments, tasks, time.monotonic())
            self._launch(agent_type, pool, tasks, accepts)
            sent += len(tasks)
        return sent

    def _launch(
        self, agent_type: str, pool: Pool, tasks: Sequence[AgentTask], accepts: int
    ) -> None:
        if not tasks:
            return
        now = self._outlook.now(time.monotonic())
        waits = [
            (t.priority, max(0.0, (now - t.run_at).total_seconds())) for t in tasks if t.run_at
        ]
        observe(events.TasksLeased(agent_type=agent_type, tasks=len(tasks), waits=waits))
        metrics.TASKS_IN_FLIGHT.labels(agent_type).set(len(pool.in_flight))
        size = self._batch_size(agent_type, accepts)
        for part in self._suspects.part(tasks):
            for start in range(0, len(part), size):
                deliver = self._deliver(agent_type, pool, part[start : start + size])
                batch = asyncio.create_task(deliver)
                self._batches.add(batch)
                batch.add_done_callback(self._batches.discard)

    def _batch_size(self, agent_type: str, accepts: int) -> int:
        """So many that an agent works on two batches at least: one comes while another ends."""
        concurrency = self._concurrency.get(agent_type, accepts)
        return max(1, min(self._tempo.batch, concurrency // 2))

    async def _deliver(self, agent_type: str, pool: Pool, tasks: Sequence[AgentTask]) -> None:
        async with pool.alone if self._suspects.suspects(tasks[0]) else nullcontext():
            await self._deliver_now(agent_type, pool, tasks)

    async def _deliver_now(self, agent_type: str, pool: Pool, tasks: Sequence[AgentTask]) -> None:
        left = {task.id: task for task in tasks}
        clock = asyncio.get_running_loop().time
        patience = asyncio.timeout(self._tempo.silent_s)
        try:
            async with patience:
                async for report in self._send(agent_type, tasks):
                    patience.reschedule(clock() + self._tempo.silent_s)
                    pool.count(report)
                    ended = [left.pop(task_id) for task_id in report.ended if task_id in left]
                    self._suspects.ended(report.ended)
                    self._release(agent_type, ended)
            why, died = "The agent ended its reply without it.", False
        except Exception as error:  # noqa: BLE001 a lost replica raises whatever its transport does
            silent = isinstance(error, TimeoutError) and patience.expired()
            why = "The agent fell silent." if silent else f"{type(error).__name__}: {error}"
            died = True
        try:
            if left:
                await self._give_back(agent_type, pool, list(left.values()), why, died=died)
        finally:
            self._release(agent_type, left.values())

    def _release(self, agent_type: str, tasks: Iterable[AgentTask]) -> None:
        pool = self._pools[agent_type]
        self._outlook.ended(pool.release(tasks))
        metrics.TASKS_IN_FLIGHT.labels(agent_type).set(len(pool.in_flight))
        self._woken.set()

    async def _give_back(
        self, agent_type: str, pool: Pool, tasks: Sequence[AgentTask], why: str, *, died: bool
    ) -> None:
        observe(events.BatchGivenBack(agent_type=agent_type, tasks=len(tasks), reason=why[:500]))
        pool.given_back += len(tasks)
        given_back = [settlement.crashed(task, why) for task in tasks]
        if died:
            given_back = self._suspects.lost(tasks, why)
        # Where that fails too, mostly for want of a database, the leases run out and the rescuer does it.
        with suppress(Exception):
            await self._queue.settle(given_back)

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
        if not rescued:
            return "found no expired lease"
        observe(events.TasksRescued(requeued=rescued.requeued, dead=rescued.dead))
        self.wake()
        cancelled = f", {rescued.cancelled} were cancelled" if rescued.cancelled else ""
        return f"queued {rescued.requeued} tasks again, {rescued.dead} died{cancelled}"

    async def _recur(self) -> str:
        if self._epoch is None:
            return "leaves schedules to whoever holds office"
        fired = await self._queue.fire(limit=100)
        for schedule_id, why in fired.stopped.items():
            observe(events.ScheduleStopped(schedule_id=schedule_id, reason=why))
        if not fired.tasks:
            return "found no schedule due"
        observe(events.SchedulesFired(tasks=len(fired.tasks)))
        self.wake()
        return f"enqueued {len(fired.tasks)} tasks of schedules"

    async def _prune(self) -> str:
        if self._epoch is None:
            return "leaves pruning to whoever holds office"
        gone = some = await self._prune_some()
        while some == PRUNED_AT_ONCE:
            some = await self._prune_some()
            gone += some
        return f"pruned {gone} old tasks"

    async def _prune_some(self) -> int:
        return await self._queue.prune(
            keep=self._tempo.keep, limit=PRUNED_AT_ONCE, keep_deleted=self._tempo.keep_deleted
        )

    # -- what it is doing ------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What the orchestrator is doing: epoch, sentences, and per agent type its numbers and heads."""
        capacity = self._capacity()
        known = self._pools.keys() | set(self._outlook.types)
        return {
            "holder": self._holder,
            "epoch": self._epoch,
            "stopping": self._stopping,
            "doing": dict(self._sentences),
            "agents": {name: self._doing(name, capacity.get(name, 0)) for name in sorted(known)},
        }

    def _doing(self, agent_type: str, accepts: int) -> dict[str, Any]:
        pool = self._pools.get(agent_type) or Pool()
        heads = self._outlook.heads(
            agent_type, time.monotonic(), accepts=accepts, in_flight=len(pool.in_flight)
        )
        return pool.doing() | {"heads": heads}
