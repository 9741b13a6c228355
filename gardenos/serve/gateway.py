"""The gateway: the API as a Serve deployment, which talks SQL itself and asks the orchestrator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from gardenos.ai import agents
from gardenos.ai.routes import WAITER
from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.core.errors import GardenOSError, OrchestratorUnavailable
from gardenos.crm.attachments.sweeper import Sweeper
from gardenos.crm.duplicates.sweep import Duplicates
from gardenos.crm.feed.hub import Hub
from gardenos.crm.feed.routes import HUB
from gardenos.crm.webhooks.fanout import Fanout
from gardenos.orchestrator.waiters import TaskWaiter
from gardenos.serve.api import create_api
from gardenos.serve.board import RayBoard
from gardenos.serve.composition import compose
from gardenos.serve.process import set_up

ANSWER_WITHIN_S = 3.0
T = TypeVar("T")


class RemoteOrchestrator:
    """`OrchestratorClient` over a Serve handle; whatever keeps it from answering is one error."""

    def __init__(
        self, handle: DeploymentHandle[Any], *, answer_within_s: float = ANSWER_WITHIN_S
    ) -> None:
        self._handle = handle
        self._answer_within_s = answer_within_s

    async def snapshot(self) -> Mapping[str, Any]:
        """See `OrchestratorClient`."""
        return await self._answer(self._handle.snapshot.remote)

    async def agents(self) -> Sequence[Mapping[str, Any]]:
        """See `OrchestratorClient`."""
        return await self._answer(self._handle.agents.remote)

    async def metrics(self) -> bytes:
        """See `OrchestratorClient`."""
        return await self._answer(self._handle.metrics.remote)

    async def set_replicas(
        self, agent_type: str, replicas: int, *, set_by: Claims, ttl_s: float | None = None
    ) -> Mapping[str, Any]:
        """See `OrchestratorClient`."""
        ask = self._handle.set_replicas.remote
        return await self._answer(ask, agent_type, replicas, set_by=set_by.sub, ttl_s=ttl_s)

    async def _answer(self, ask: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        try:
            async with asyncio.timeout(self._answer_within_s):
                return await ask(*args, **named)
        except RayTaskError as error:
            # Ray's copy of an error is of a class of its own: the original says it better.
            if isinstance(error.cause, GardenOSError):
                raise error.cause from None
            raise OrchestratorUnavailable(retry_after_s=1) from error
        except (RayError, RayServeException, TimeoutError) as error:
            raise OrchestratorUnavailable(retry_after_s=1) from error


@serve.ingress()
class Gateway:
    """One replica of the API: its own pool of connections and its own ear for finished tasks."""

    async def __init__(
        self, orchestrator: DeploymentHandle[Any], agent_classes: Mapping[str, str]
    ) -> None:
        agents.register(agent_classes)
        settings = Settings.load()
        self._process = await set_up(
            "gardenos-gateway",
            settings=settings,
            pool_max=settings.database_pool_max,
            board=RayBoard(),
        )
        self._waiter = TaskWaiter(self._process.database, self._process.dsn)
        self._waiter.start()
        self._sweeper = Sweeper(self._process.settings, self._process.database)
        self._sweeper.start()
        self._duplicates = Duplicates(self._process.database)
        self._duplicates.start()
        self._hub = Hub(
            self._process.database,
            self._process.dsn,
            keep=timedelta(hours=settings.events_keep_hours),
        )
        self._hub.start()
        self._webhooks = Fanout(self._process.database)
        self._hub.tell(self._webhooks.hint)
        self._webhooks.start()
        self._services = compose(
            self._process.settings,
            self._process.database,
            orchestrator=RemoteOrchestrator(orchestrator),
            extras={WAITER: self._waiter, HUB: self._hub},
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_api(self._services)

    async def __del__(self) -> None:
        """Leave in order: Serve calls this once the last request was answered."""
        with suppress(Exception):
            await self._sweeper.stop()
            await self._duplicates.stop()
            await self._waiter.stop()
            await self._webhooks.stop()
            await self._hub.stop()
            await self._process.close()
