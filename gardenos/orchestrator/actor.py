"""The orchestrator of a cluster: dispatches, watches the agents, tells the autoscaler what it knows.

Plain asyncio: how a batch reaches an agent and where notes hang is given from outside, and
`gardenos.serve.deployments` gives it Ray's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gardenos.core.errors import GardenOSError, InvalidContent, NotFound
from gardenos.observability import metrics
from gardenos.observability.events import CycleSaid, OverrideSet, observe
from gardenos.orchestrator.board import AGENT_PREFIX, POOLS, Board, decode, encode
from gardenos.orchestrator.dispatcher import Dispatcher, Send, Tempo
from gardenos.orchestrator.listener import Listener
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.sightings import Sightings

QUEUED_CHANNEL = "gardenos_task_queued"
ROUND_S = 1.0
ALIVE_S = 4.0
"""An agent that has not been heard of for so long is taken for dead."""
FORGET_S = 60.0


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """What is set for the replicas of one agent type."""

    lowest: int
    highest: int
    concurrency: int
    """Tasks a replica works on at a time; more are never sent to it."""


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
    ) -> None:
        self._queue = queue
        self._board = board
        self._round_s = round_s
        self._pools = dict(pools)
        self._known = _Known()
        self._sightings = Sightings(ALIVE_S)
        self._said = ""
        self._dispatcher = Dispatcher(
            queue, holder=holder, send=send, capacity=self.capacity, tempo=tempo
        )
        self._hints = Listener(dsn, QUEUED_CHANNEL, self._dispatcher.wake)
        self._rounds: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to dispatch and to watch."""
        self._dispatcher.start()
        self._hints.start()
        self._rounds = asyncio.create_task(self._go_round(), name="rounds")

    async def stop(self) -> None:
        """Hand the office over: lease no more, let what runs end, tell no more."""
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
        counts = dict.fromkeys(self._pools, 0)
        for note in self._known.agents.values():
            agent_type = str(note.get("agent_type"))
            if agent_type in counts:
                counts[agent_type] += 1
        return counts

    # -- rounds ----------------------------------------------------------------------------

    async def _go_round(self) -> None:
        while True:
            sentence = "watches"
            try:
                await self._watch()
                await self._tell()
            except GardenOSError as error:
                sentence = f"knows no figures: {error.detail}"
            except Exception as error:  # noqa: BLE001 the rounds outlive whatever one of them meets
                sentence = f"failed and goes on: {type(error).__name__}: {error}"
            if sentence != self._said:
                self._said = sentence
                observe(CycleSaid(loop="rounds", sentence=sentence))
            await asyncio.sleep(self._round_s)

    async def _watch(self) -> None:
        """See who lives; the dispatcher is woken when that changed."""
        notes = await asyncio.to_thread(self._board.read, AGENT_PREFIX)
        read = {key: decode(note) for key, note in notes.items()}
        now = time.monotonic()
        self._sightings.see({key: note.get("at") for key, note in read.items()}, now)
        fresh = self._sightings.fresh(now)
        before = self._known.agents.keys()
        self._known.agents = {key: note for key, note in read.items() if key in fresh}
        if self._known.agents.keys() - before:
            self._dispatcher.wake()
        for key in read.keys() - fresh:
            # By its writer's clock, and generously: this only keeps the board from filling up.
            if time.time() - _written_at(read[key]) > FORGET_S:
                await asyncio.to_thread(self._board.drop, key)

    async def _tell(self) -> None:
        """Note down for the autoscaler what there is to do."""
        self._known.depth = await self._queue.depth()
        self._known.overrides = await self._queue.overrides()
        for agent_type in self._pools:
            ready = int(self._known.depth.get(agent_type, {}).get("ready", 0))
            metrics.TASKS_QUEUED.labels(agent_type).set(ready)
        note = {"at": time.time(), "pools": {name: self._figures(name) for name in self._pools}}
        await asyncio.to_thread(self._board.put, POOLS, encode(note))

    def _figures(self, agent_type: str) -> dict[str, Any]:
        doing = self._dispatcher.snapshot()["agents"].get(agent_type, {})
        return {
            "override": self._known.overrides.get(agent_type),
            "backlog": int(self._known.depth.get(agent_type, {}).get("ready", 0)),
            "in_flight": int(doing.get("in_flight", 0)),
        }

    # -- what others ask -------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What it is doing: office, sentences, and per agent type work, replicas and range."""
        doing = self._dispatcher.snapshot()
        counts = self._replicas()
        return doing | {
            "doing": doing["doing"] | {"rounds": self._said},
            "agents": {
                name: {
                    **doing["agents"].get(name, {}),
                    **self._figures(name),
                    "scheduled": int(self._known.depth.get(name, {}).get("scheduled", 0)),
                    "oldest_ready_s": self._known.depth.get(name, {}).get("oldest_ready_s"),
                    "replicas": counts[name],
                    "min_replicas": spec.lowest,
                    "max_replicas": spec.highest,
                    "capacity": counts[name] * spec.concurrency,
                }
                for name, spec in self._pools.items()
            },
        }

    def agents(self) -> Sequence[Mapping[str, Any]]:
        """Every living agent's note: id, agent_type and its metrics."""
        return sorted(
            self._known.agents.values(),
            key=lambda note: (str(note.get("agent_type")), str(note.get("id"))),
        )

    async def set_replicas(
        self, agent_type: str, replicas: int, *, set_by: UUID, ttl_s: float | None = None
    ) -> Mapping[str, Any]:
        """Override a pool's size, for `ttl_s` seconds or for good; `ttl_s=0` ends an override.

        Raises `NotFound` for an unknown type, `InvalidContent` outside the type's range.
        """
        spec = self._pools.get(agent_type)
        if spec is None:
            known = ", ".join(sorted(self._pools))
            raise NotFound(f"There are no agents of type {agent_type!r}. Known are: {known}.")
        if not spec.lowest <= replicas <= spec.highest:
            range_ = f"{spec.lowest} to {spec.highest}"
            raise InvalidContent(
                f"{agent_type} runs {range_} agents here. serve_config.yaml sets that range.",
                errors=[{"pointer": "/replicas", "detail": f"is outside {range_}"}],
            )
        row = await self._queue.set_override(agent_type, replicas, set_by=set_by, ttl_s=ttl_s)
        observe(OverrideSet(agent_type, replicas, set_by=set_by, expires_at=row["expires_at"]))
        # It stands already: whatever keeps us from telling now, the next round tells it.
        with suppress(Exception):
            await self._tell()
        return row


def _written_at(note: Mapping[str, Any]) -> float:
    """When a note says it was written; long ago where it does not say."""
    at = note.get("at")
    return float(at) if isinstance(at, int | float) else 0.0
