"""All of GardenOS but Ray on one event loop: the API, the orchestrator, one agent of each type."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

from gardenos.ai import agents
from gardenos.ai.routes import WAITER
from gardenos.auth.keys import new_signing_key
from gardenos.auth.tokens import TokenIssuer
from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.crm.feed.hub import Hub
from gardenos.crm.feed.routes import HUB
from gardenos.crm.webhooks.fanout import Fanout
from gardenos.db.pool import open_database
from gardenos.db.session import Database
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
SOON_S = 15.0
T = TypeVar("T")


class NearbyOrchestrator:
    """`OrchestratorClient` for an orchestrator in this process."""

    def __init__(self, orchestrator: AIOrchestrator) -> None:
        self._orchestrator = orchestrator

    async def snapshot(self) -> Mapping[str, Any]:
        return self._orchestrator.snapshot()

    async def agents(self) -> Sequence[Mapping[str, Any]]:
        return self._orchestrator.agents()

    async def metrics(self) -> bytes:
        return self._orchestrator.metrics()

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
async def _worker(
    agent_type: str, settings: Settings, database: Database, board: LocalBoard
) -> AsyncGenerator[Worker]:
    agent = agents.create(agent_type, settings)
    worker = Worker(
        f"{agent_type}-1",
        agent_type,
        Executor(database, agent),
        board,
        about=agent.about,
        beat_s=0.1,
    )
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()
        await agent.aclose()


@asynccontextmanager
async def local_installation(
    settings: Settings, *, present: Sequence[str] | None = None
) -> AsyncGenerator[FastAPI]:
    """The API with everything behind it at work, until the block ends.

    `present` are the types of which there is an agent; every type where it is not given.
    """
    assert settings.database_url is not None
    dsn = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        stack.callback(events.subscribe(metrics.count_event))
        database = await open_database(dsn, min_size=1, name="test-local")
        stack.push_async_callback(database.pool.close)
        board = LocalBoard()
        workers: dict[str, Worker] = {}
        for agent_type in agents.registry() if present is None else present:
            at_work = _worker(agent_type, settings, database, board)
            workers[agent_type] = await stack.enter_async_context(at_work)

        def send(agent_type: str, tasks: Sequence[AgentTask]) -> AsyncIterator[BatchReport]:
            return workers[agent_type].run_batch(tasks)

        orchestrator = AIOrchestrator(
            PostgresQueue(database),
            dsn=dsn,
            holder="test-local",
            send=send,
            board=board,
            pools=dict.fromkeys(agents.registry(), POOL),
            tempo=Tempo(poll_s=0.1),
            round_s=0.2,
        )
        orchestrator.start()
        stack.push_async_callback(orchestrator.stop)
        waiter = TaskWaiter(database, dsn)
        waiter.start()
        stack.push_async_callback(waiter.stop)
        hub = Hub(database, dsn)
        hub.start()
        stack.push_async_callback(hub.stop)
        webhooks = Fanout(database)
        hub.tell(webhooks.hint)
        webhooks.start()
        stack.push_async_callback(webhooks.stop)
        services = compose(
            settings,
            database,
            orchestrator=NearbyOrchestrator(orchestrator),
            extras={WAITER: waiter, HUB: hub},
        )
        yield create_api(services)


@asynccontextmanager
async def signing_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    """Makes clients of `app` that send a token of its own issuer with the claims they are given."""
    issuer: TokenIssuer = app.state.services.extras["issuer"]
    async with AsyncExitStack() as stack:

        def client(claims: Claims) -> httpx.AsyncClient:
            said = {
                "sub": str(claims.sub),
                "role": "authenticated",
                "agency_id": str(claims.agency_id),
                "user_role": claims.user_role.value,
                "operator": claims.operator,
            }
            made = client_of(app, issuer.issue(said, ttl_s=600).token)
            stack.push_async_callback(made.aclose)
            return made

        yield client


def client_of(app: FastAPI, token: str | None = None) -> httpx.AsyncClient:
    """A client of `app`; an exception that reaches the server is a 500 to it, as it is outside."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://gardenos.test",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=SOON_S,
    )


async def eventually(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """What `ask` answered when it first held. Fails the test where that is not soon."""
    seen: list[T] = []

    async def look() -> T:
        seen[:] = [await ask()]
        return seen[0]

    retrying = AsyncRetrying(
        retry=retry_if_result(lambda answer: not holds(answer)),
        stop=stop_after_delay(SOON_S),
        wait=wait_fixed(0.05),
    )
    try:
        return await retrying(look)
    except RetryError:
        raise AssertionError(f"Not within {SOON_S:g} s; last seen: {seen[0]!r}") from None
