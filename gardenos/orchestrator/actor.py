"""The orchestrator of a cluster: dispatches, watches the agents, tells the autoscaler what it knows.

Plain asyncio: how a batch reaches an agent and where notes hang is given from outside, and
`gardenos.serve.deployments` gives it Ray's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gardenos.core.errors import GardenOSError, InvalidRequest, NotFound
from gardenos.observability import metrics, samples
from gardenos.observability.events import CycleSaid, OverrideSet, observe
from gardenos.orchestrator.board import AGENT_PREFIX, POOLS, STANDBY, Board, decode, encode
from gardenos.orchestrator.dispatcher import Dispatcher, Send, Tempo
from gardenos.orchestrator.listener import Listener
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.scaling import PoolFigures, decide
from gardenos.orchestrator.sightings import Sightings
from gardenos.orchestrator.tally import Tally

QUEUED_CHANNEL = "gardenos_task_queued"
ROUND_S = 1.0
ALIVE_S = 4.0
"""An agent that has not been heard of for so long is taken for dead."""
FORGET_S = 60.0
_AGENTS_TOLD = 500
_LANES_TOLD = 20
_SENTENCE = 500
"""Characters of a sentence that are told on; an error may have said much."""

Routed = Callable[[str], Collection[str] | None]
"""The ids of a type's agents that are sent to; None while that is not known."""


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """What is set for the replicas of one agent type."""

    lowest: int
    highest: int
    concurrency: int
    """Tasks a replica works on at a time; more are never sent to it."""
    target: float = 500.0
    """Tasks due or running for each replica, beyond which another one is wanted."""


@dataclass(slots=True)
class _Known:
    """What the last round found out."""

    agents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    depth: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    overrides: Mapping[str, int] = field(default_factory=dict[str, int])


class AIOrchestrator:
    """Runs the dispatcher over a changing set of agents. One at a time holds office."""

    def __init__(
        self,
        queue: PostgresQueue,
        *,
        dsn: str,
        holder: str,
        send: Send,
        board: Board,
        pools: Mapping[str, PoolSpec],
        tempo: Tempo | None = None,
        round_s: float = ROUND_S,
        routed: Routed = lambda _: None,
    ) -> None:
        """`routed` knows which agents still get batches: one that is being stopped gets none."""
        self._queue = queue
        self._board = board
        self._round_s = round_s
        self._pools = dict(pools)
        self._known = _Known()
        self._sightings = Sightings(ALIVE_S)
        self._routed = routed
        self._tally = Tally(board)
        self._said = ""
        self._counts: Mapping[str, int] = {}
        self._in_office = False
        self._holder = holder
        self._rivals = Sightings(ALIVE_S)
        self._succeeded = asyncio.Event()
        """Set while somebody else holds office, or stands by to."""
        self._dispatcher = Dispatcher(
            queue,
            holder=holder,
            send=send,
            capacity=self.capacity,
            concurrency={name: spec.concurrency for name, spec in pools.items()},
            tempo=tempo,
        )
        self._hints = Listener(dsn, QUEUED_CHANNEL, self._dispatcher.wake)
        self._rounds: asyncio.Task[None] | None = None
        self._telling = asyncio.Lock()

    def start(self) -> None:
        """Begin to dispatch and to watch."""
        self._dispatcher.start()
        self._hints.start()
        self._rounds = asyncio.create_task(self._go_round(), name="rounds")

    async def stop(self, *, hand_over_s: float = 0.0) -> None:
        """Hand the office over: lease no more, let what runs end, tell no more.

        For up to `hand_over_s` seconds it goes on until a successor stands by, who takes over at once.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(hand_over_s):
                await self._succeeded.wait()
        if self._rounds:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)
        await self._hints.stop()
        await self._dispatcher.stop()

    @property
    def lives(self) -> bool:
        """Whether all its loops run. An outage of the database does not end them."""
        on_rounds = self._rounds is not None and not self._rounds.done()
        return on_rounds and self._dispatcher.lives

    def capacity(self) -> Mapping[str, int]:
        """How many tasks the living agents take, by type; types without one are left out."""
        counts = self._replicas()
        return {
            agent_type: counts[agent_type] * spec.concurrency
            for agent_type, spec in self._pools.items()
            if counts.get(agent_type)
        }

    def _replicas(self) -> dict[str, int]:
        """How many agents of each type take tasks: they beat, and batches still go to them."""
        routed = {agent_type: self._routed(agent_type) for agent_type in self._pools}
        counts = dict.fromkeys(self._pools, 0)
        for note in self._known.agents.values():
            agent_type = str(note.get("agent_type"))
            if agent_type in counts:
                takes = routed[agent_type]
                counts[agent_type] += takes is None or note.get("id") in takes
        return counts

    # -- rounds ----------------------------------------------------------------------------

    async def _go_round(self) -> None:
        while True:
            sentence = "watches"
            try:
                await self._watch()
                await self._tell()
                await self._look_for_rivals()
                await self._tally.look(in_office=self._in_office)
            except GardenOSError as error:
                sentence = f"knows no figures: {error.detail}"
            except Exception as error:  # noqa: BLE001 the rounds outlive whatever one of them meets
                sentence = f"failed and goes on: {type(error).__name__}: {error}"
            if sentence != self._said:
                self._said = sentence[:_SENTENCE]
                observe(CycleSaid(loop="rounds", sentence=sentence))
            await asyncio.sleep(self._round_s)

    async def _watch(self) -> None:
        """See who lives; the dispatcher is woken when that changed."""
        notes = await asyncio.to_thread(self._board.read, AGENT_PREFIX)
        read = {key: decode(note) for key, note in notes.items()}
        now = time.monotonic()
        self._sightings.see({key: note.get("at") for key, note in read.items()}, now)
        fresh = self._sightings.fresh(now)
        self._known.agents = {key: note for key, note in read.items() if key in fresh}
        counts = self._replicas()
        if any(count > self._counts.get(name, 0) for name, count in counts.items()):
            self._dispatcher.wake()
        self._counts = counts
        for key in read.keys() - fresh:
            # By its writer's clock, and generously: this only keeps the board from filling up.
            if time.time() - _written_at(read[key]) > FORGET_S:
                await asyncio.to_thread(self._board.drop, key)

    async def _tell(self) -> None:
        """Note down for the autoscaler what there is to do.

        One at a time: what a round read earlier must not be told after what was read later.
        """
        async with self._telling:
            self._known.depth = await self._queue.depth()
            self._known.overrides = await self._queue.overrides()
            snapshot = self.snapshot()
            self._in_office = snapshot["epoch"] is not None
            if not self._in_office:
                return  # who holds office tells, and of what is in flight only that one knows
            pools = {
                name: {figure: pool[figure] for figure in _FIGURES}
                for name, pool in snapshot["agents"].items()
            }
            note = {"at": time.time(), "pools": pools}
            await asyncio.to_thread(self._board.put, POOLS, encode(note))

    async def _look_for_rivals(self) -> None:
        """Out of office, say that it stands by; in office, see whether another does."""
        if not self._in_office:
            note = encode({"at": time.time(), "holder": self._holder})
            await asyncio.to_thread(self._board.put, STANDBY, note)
            self._succeeded.set()
            return
        notes = await asyncio.to_thread(self._board.read, STANDBY)
        rivals = {note.get("holder"): note.get("at") for note in map(decode, notes.values())}
        self._rivals.see(
            {str(who): at for who, at in rivals.items() if who != self._holder}, time.monotonic()
        )
        if self._rivals.fresh(time.monotonic()):
            self._succeeded.set()
        else:
            self._succeeded.clear()

    # -- what others ask -------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What it is doing: office, sentences, and per agent type work, replicas and range."""
        doing = self._dispatcher.snapshot()
        counts = self._replicas()
        sentences = doing["doing"] | {"rounds": self._said}
        return doing | {
            "doing": {loop: sentence[:_SENTENCE] for loop, sentence in sentences.items()},
            "agents": {
                name: self._pool(name, doing["agents"].get(name, {}), counts[name])
                for name in self._pools
            },
        }

    def _pool(self, name: str, doing: Mapping[str, Any], replicas: int) -> dict[str, Any]:
        spec, depth = self._pools[name], self._known.depth.get(name, {})
        figures = PoolFigures(
            backlog=int(depth.get("ready", 0)),
            in_flight=int(doing.get("in_flight", 0)),
            override=self._known.overrides.get(name),
        )
        wanted = decide(
            figures,
            current=replicas,
            target=spec.target,
            lowest=spec.lowest,
            highest=spec.highest,
        )
        told = {key: value for key, value in doing.items() if key != "heads"}
        return {
            **told,
            "lanes": [_lane(head) for head in doing.get("heads", ())[:_LANES_TOLD]],
            "override": figures.override,
            "backlog": figures.backlog,
            "in_flight": figures.in_flight,
            "scheduled": int(depth.get("scheduled", 0)),
            "leases": int(depth.get("running", 0)),
            "at_least": bool(depth.get("at_least", False)),
            "oldest_ready_s": depth.get("oldest_ready_s"),
            "replicas": replicas,
            "wanted_replicas": wanted.n,
            "why": wanted.why,
            "min_replicas": spec.lowest,
            "max_replicas": spec.highest,
            "capacity": replicas * spec.concurrency,
        }

    def agents(self) -> Sequence[Mapping[str, Any]]:
        """Every living agent's note: id, agent_type and its metrics."""
        return sorted(
            self._known.agents.values(),
            key=lambda note: (str(note.get("agent_type")), str(note.get("id"))),
        )[:_AGENTS_TOLD]

    def metrics(self) -> bytes:
        """What the whole cluster has counted, in Prometheus' text format."""
        self._gauge()
        return samples.exposition(self._tally.rows())

    def _gauge(self) -> None:
        snapshot = self.snapshot()
        metrics.ORCHESTRATOR_UP.set(1)
        metrics.EPOCH.set(snapshot["epoch"] or 0)
        for agent_type, pool in snapshot["agents"].items():
            for gauge, key in _GAUGES.items():
                gauge.labels(agent_type).set(pool[key] or 0)

    async def set_replicas(
        self, agent_type: str, replicas: int, *, set_by: UUID, ttl_s: float | None = None
    ) -> Mapping[str, Any]:
        """Override a pool's size, for `ttl_s` seconds or for good; `ttl_s=0` ends an override.

        Raises `NotFound` for an unknown type, `InvalidRequest` outside the type's range.
        """
        spec = self._pools.get(agent_type)
        if spec is None:
            known = ", ".join(sorted(self._pools))
            raise NotFound(f"There are no agents of type {agent_type!r}. Known are: {known}.")
        if not spec.lowest <= replicas <= spec.highest:
            range_ = f"{spec.lowest} to {spec.highest}"
            raise InvalidRequest(
                f"{agent_type} runs {range_} agents here. serve_config.yaml sets that range.",
                errors=[{"pointer": "/replicas", "detail": f"is outside {range_}"}],
            )
        row = await self._queue.set_override(agent_type, replicas, set_by=set_by, ttl_s=ttl_s)
        observe(OverrideSet(agent_type, replicas, set_by=set_by, expires_at=row["expires_at"]))
        # It stands already: whatever keeps us from telling now, the next round tells it.
        with suppress(Exception):
            await self._tell()
        return row


_FIGURES = ("override", "backlog", "in_flight")
"""What the autoscaler is told of each pool."""
_GAUGES = {
    metrics.REPLICAS: "replicas",
    metrics.REPLICAS_WANTED: "wanted_replicas",
    metrics.CAPACITY: "capacity",
    metrics.TASKS_IN_FLIGHT: "in_flight",
    metrics.TASKS_RUNNING: "leases",
    metrics.TASKS_QUEUED: "backlog",
    metrics.TASKS_SCHEDULED: "scheduled",
    metrics.OLDEST_WAIT: "oldest_ready_s",
}


def _lane(head: Mapping[str, Any]) -> dict[str, Any]:
    """The head of a lane as it is told: when it is due, and what holds it."""
    renamed = {"run_at": "due", "reason": "hold"}
    return {renamed.get(key, key): value for key, value in head.items()}


def _written_at(note: Mapping[str, Any]) -> float:
    """When a note says it was written; long ago where it does not say."""
    at = note.get("at")
    return float(at) if isinstance(at, int | float) else 0.0
