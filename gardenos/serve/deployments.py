"""The Serve deployments besides the gateway: thin shells that bind our asyncio classes to Ray."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal, cast
from uuid import UUID, uuid4

from ray import serve
from ray.serve.handle import DeploymentHandle

from gardenos.ai import agents
from gardenos.core.config import Settings
from gardenos.core.errors import GardenOSError
from gardenos.observability import events
from gardenos.orchestrator import wire
from gardenos.orchestrator.actor import AIOrchestrator, PoolSpec
from gardenos.orchestrator.dispatcher import Tempo
from gardenos.orchestrator.executor import BatchReport, Executor
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.task import AgentTask
from gardenos.orchestrator.worker import REPORT_S, Worker
from gardenos.serve.board import RayBoard
from gardenos.serve.process import RayMetrics, set_up
from gardenos.serve.replicas import routed

_AGENT_CONNECTIONS = 4
"""Per agent replica; twenty of them must leave PostgreSQL's limit of connections some room."""
_ORCHESTRATOR_CONNECTIONS = 6
HAND_OVER_S = 20.0
"""An orchestrator that is replaced goes on until its successor has started, for so long at most."""


class DeadlineTooShort(GardenOSError):
    """The agents' deadline is shorter than a request to the model may take. Raise `deadline_s`."""

    code = "deadline-too-short"


def refuse_short_deadline(agent_type: str, deadline_s: float, settings: Settings) -> None:
    """Raise `DeadlineTooShort` where a run could be cut off while its model may still answer."""
    if settings.llm_timeout_s >= deadline_s:
        raise DeadlineTooShort(
            f"Agents of type {agent_type} have {deadline_s:g} s for a task, and a request to the model "
            f"may take {settings.llm_timeout_s:g} s. Raise `deadline_s` in serve_config.yaml, or lower "
            "GARDENOS_LLM_TIMEOUT_S."
        )


def _tempo(settings: Settings) -> Tempo:
    # An agent that falls silent for two thirds of a lease loses its tasks: their leases are extended
    # from here, and would never run out by themselves.
    return Tempo(
        lease_s=settings.task_lease_s,
        silent_s=max(3 * REPORT_S, settings.task_lease_s * 2 / 3),
        keep=timedelta(days=settings.task_keep_days),
        keep_deleted=timedelta(days=settings.deleted_keep_days),
    )


class AgentReplica:
    """A `Worker` as a Serve replica."""

    async def __init__(
        self,
        agent_type: str,
        *,
        concurrency: int,
        deadline_s: float,
        llm_provider: Literal["auto", "rules", "openai"] | None,
        path: str | None,
    ) -> None:
        # Its own class only: another that cannot be imported is no reason not to work.
        agents.register({agent_type: path} if path else {})
        settings = Settings.load()
        if llm_provider is not None:
            settings = settings.model_copy(update={"llm_provider": llm_provider})
        refuse_short_deadline(agent_type, deadline_s, settings)
        replica_id = serve.get_replica_context().replica_id.unique_id
        self._process = await set_up(
            f"gardenos-{agent_type}",
            settings=settings,
            pool_max=_AGENT_CONNECTIONS,
            board=RayBoard(),
        )
        self._agent = agents.create(agent_type, settings)
        events.subscribe(RayMetrics({"agent_type": agent_type, "agent": replica_id}).count)
        self._worker = Worker(
            replica_id,
            agent_type,
            Executor(
                self._process.database, self._agent, deadline_s=deadline_s, concurrency=concurrency
            ),
            RayBoard(),
            about=self._agent.about,
        )
        self._worker.start()

    async def run_batch(self, packed: bytes) -> AsyncGenerator[bytes]:
        """See `Worker`; tasks and reports as `gardenos.orchestrator.wire` packs them."""
        async for report in self._worker.run_batch(wire.unpack_tasks(packed)):
            yield wire.pack_report(report)

    async def check_health(self) -> None:
        """Raise where this replica is of no use; a database that is away is no reason."""
        if not self._worker.lives:
            raise RuntimeError("The agent does not beat any more.")

    async def __del__(self) -> None:
        """Leave in order: Serve calls this once the last batch has ended."""
        with suppress(Exception):
            await self._worker.stop()
            await self._agent.aclose()
            await self._process.close()


class OrchestratorReplica:
    """The one orchestrator: `AIOrchestrator` with batches sent through Serve's handles."""

    async def __init__(
        self, agent_handles: Mapping[str, DeploymentHandle[Any]], pools: Mapping[str, PoolSpec]
    ) -> None:
        self._process = await set_up(
            "gardenos-orchestrator", pool_max=_ORCHESTRATOR_CONNECTIONS, board=RayBoard()
        )
        self._handles = {
            agent_type: handle.options(stream=True) for agent_type, handle in agent_handles.items()
        }
        self._orchestrator = AIOrchestrator(
            PostgresQueue(self._process.database),
            dsn=self._process.dsn,
            holder=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
            send=self._send,
            board=RayBoard(),
            pools=pools,
            tempo=_tempo(self._process.settings),
            routed=lambda agent_type: routed(self._handles[agent_type]),
        )
        self._orchestrator.start()

    async def _send(
        self, agent_type: str, tasks: Sequence[AgentTask]
    ) -> AsyncGenerator[BatchReport]:
        replies = self._handles[agent_type].run_batch.remote(wire.pack_tasks(tasks))
        async for packed in cast("AsyncIterator[bytes]", replies):
            yield wire.unpack_report(packed)

    async def snapshot(self) -> dict[str, Any]:
        """See `AIOrchestrator`."""
        return self._orchestrator.snapshot()

    async def agents(self) -> Sequence[Mapping[str, Any]]:
        """See `AIOrchestrator`."""
        return self._orchestrator.agents()

    async def metrics(self) -> bytes:
        """See `AIOrchestrator`."""
        return self._orchestrator.metrics()

    async def set_replicas(
        self, agent_type: str, replicas: int, *, set_by: UUID, ttl_s: float | None = None
    ) -> Mapping[str, Any]:
        """See `AIOrchestrator`."""
        return await self._orchestrator.set_replicas(
            agent_type, replicas, set_by=set_by, ttl_s=ttl_s
        )

    async def check_health(self) -> None:
        """Raise where the orchestrator has stopped; an outage of the database does not stop it."""
        if not self._orchestrator.lives:
            raise RuntimeError("The orchestrator does its rounds no more.")

    async def __del__(self) -> None:
        """Leave office to a successor that has started, which need not wait for it to expire."""
        with suppress(Exception):
            await self._orchestrator.stop(hand_over_s=HAND_OVER_S)
            await self._process.close()
