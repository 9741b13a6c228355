"""All of GardenOS but Ray on one event loop: the API, the orchestrator, one agent of each type."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr

from gardenos.ai import agents
from gardenos.ai.routes import WAITER
from gardenos.auth.keys import new_signing_key
from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.db.pool import open_database
from gardenos.observability import events, metrics
from gardenos.orchestrator.actor import AIOrchestrator, PoolSpec
from gardenos.orchestrator.board import LocalBoard
from gardenos.orchestrator.dispatcher import Tempo
from gardenos.orchestrator.executor import BatchReport, Executor
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.orchestrator.task import AgentTask
from gardenos.orchestrator.waiters import TaskWaiter
from gardenos.orchestrator.worker import Worker
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose

POOL = PoolSpec(lowest=1, highest=3, concurrency=32)


class NearbyOrchestrator:
    """`OrchestratorClient` for an orchestrator in this process."""

    def __init__(self, orchestrator: AIOrchestrator) -> None:
        self._orchestrator = orchestrator

    async def snapshot(self) -> Mapping[str, Any]:
        return self._orchestrator.snapshot()

    async def agents(self) -> Sequence[Mapping[str, Any]]:
        return self._orchestrator.agents()

    async def set_replicas(
        self, agent_type: str, replicas: int, *, set_by: Claims, ttl_s: float | None = None
    ) -> Mapping[str, Any]:
        return await self._orchestrator.set_replicas(
            agent_type, replicas, set_by=set_by.sub, ttl_s=ttl_s
        )


def settings_for(dsn: str, **more: Any) -> Settings:
    """Settings with secrets of their own; the deterministic provider, whatever key is around."""
    return Settings(
        database_url=SecretStr(dsn),
        cursor_secret=SecretStr(secrets.token_hex(32)),
        jwt_signing_key=SecretStr(new_signing_key()),
        llm_provider="rules",
        **more,
    )


@asynccontextmanager
async def local_installation(settings: Settings) -> AsyncGenerator[FastAPI]:
    """The API with everything behind it at work, until the block ends."""
    assert settings.database_url is not None
    dsn = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        stack.callback(events.subscribe(metrics.count_event))
        database = await open_database(dsn, min_size=1, name="test-local")
        stack.push_async_callback(database.pool.close)
        board = LocalBoard()
        workers: dict[str, Worker] = {}
        for agent_type in agents.AGENT_TYPES:
            agent = agents.create(agent_type, settings)
            about = {"provider": agent.llm.provider, "model": agent.llm.model}
            worker = Worker(
                f"{agent_type}-1",
                agent_type,
                Executor(database, agent),
                board,
                about=about,
                beat_s=0.1,
            )
            worker.start()
            stack.push_async_callback(agent.aclose)
            stack.push_async_callback(worker.stop)
            workers[agent_type] = worker

        async def send(agent_type: str, tasks: Sequence[AgentTask]) -> BatchReport:
            return await workers[agent_type].run_batch(tasks)

        orchestrator = AIOrchestrator(
            PostgresQueue(database),
            dsn=dsn,
            holder="test-local",
            send=send,
            board=board,
            pools=dict.fromkeys(agents.AGENT_TYPES, POOL),
            tempo=Tempo(poll_s=0.1),
            round_s=0.2,
        )
        orchestrator.start()
        stack.push_async_callback(orchestrator.stop)
        waiter = TaskWaiter(database, dsn)
        waiter.start()
        stack.push_async_callback(waiter.stop)
        services = compose(
            settings,
            database,
            orchestrator=NearbyOrchestrator(orchestrator),
            extras={WAITER: waiter},
        )
        yield create_api(services)
