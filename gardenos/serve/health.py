"""`/healthz`, `/readyz`, `/metrics`: for machines that watch over this one. No token needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from gardenos.core.errors import (
    GardenOSError,
    InvalidRequest,
    OrchestratorUnavailable,
    Unavailable,
    UnknownParameter,
)
from gardenos.db.readiness import require_schema
from gardenos.observability import samples
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

router = APIRouter(tags=["health"], route_class=StrictRoute)
KEPT_S = 1.0
"""Anybody may ask whether we are ready: the database is asked once in this time."""
_UP = "gardenos_orchestrator_up"
_ERRORS = (InvalidRequest, UnknownParameter, GardenOSError)


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Every part is ready to work."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str]


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", responses=problems.responses(*_ERRORS))
async def read_health() -> Health:
    """Whether the process lives. Says nothing about the database."""
    return Health()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=problems.responses(*_ERRORS, Unavailable))
async def read_readiness(request: Request, services: ServicesDep) -> Readiness:
    """Whether a request would be served: database, schema, orchestrator and agents."""
    kept: _Kept | None = getattr(request.app.state, "readiness", None)
    if kept is None:
        kept = request.app.state.readiness = _Kept(services)
    checks = await kept.checks()
    missing = [f"{part}: {said}" for part, said in checks.items() if said != "ok"]
    if missing:
        raise Unavailable(
            f"Not ready. {' '.join(missing)}", retry_after_s=1, extra={"checks": checks}
        )
    return Readiness(checks=checks)


class _Kept:
    """The checks, at most `KEPT_S` seconds old."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._checks: dict[str, str] = {}
        self._at = -KEPT_S
        self._asking = asyncio.Lock()

    async def checks(self) -> dict[str, str]:
        async with self._asking:
            if time.monotonic() - self._at >= KEPT_S:
                database, orchestrator = await asyncio.gather(
                    _database(self._services), _orchestrator(self._services)
                )
                self._checks = {"database": database, "orchestrator": orchestrator}
                self._at = time.monotonic()
            return self._checks


async def _database(services: Services) -> str:
    try:
        await require_schema(services.database)
    except GardenOSError as error:
        return error.detail
    return "ok"


async def _orchestrator(services: Services) -> str:
    if services.orchestrator is None:
        return OrchestratorUnavailable().detail
    try:
        snapshot = await services.orchestrator.snapshot()
    except GardenOSError as error:
        return error.detail
    if snapshot["epoch"] is None:
        return "The orchestrator waits to take office."
    agents: Mapping[str, Mapping[str, Any]] = snapshot["agents"]
    absent = [name for name, pool in agents.items() if not pool["replicas"]]
    return f"No agent runs yet for {', '.join(absent)}." if absent else "ok"


@router.get(
    "/metrics",
    response_class=Response,
    responses=problems.responses(*_ERRORS)
    | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(request: Request, services: ServicesDep) -> Response:
    """Metrics of the whole installation, in Prometheus' text format.

    While the orchestrator does not answer, those of this gateway alone: `gardenos_orchestrator_up` is 0.
    """
    kept: _KeptMetrics | None = getattr(request.app.state, "metrics", None)
    if kept is None:
        kept = request.app.state.metrics = _KeptMetrics(services)
    return Response(await kept.text(), media_type=CONTENT_TYPE_LATEST)


class _KeptMetrics:
    """The metrics, at most `KEPT_S` seconds old."""

    def __init__(self, services: Services) -> None:
        self._orchestrator = services.orchestrator
        self._text = b""
        self._at = -KEPT_S
        self._asking = asyncio.Lock()

    async def text(self) -> bytes:
        async with self._asking:
            if time.monotonic() - self._at >= KEPT_S:
                self._text = await self._ask()
                self._at = time.monotonic()
            return self._text

    async def _ask(self) -> bytes:
        if self._orchestrator is not None:
            with suppress(OrchestratorUnavailable):
                return await self._orchestrator.metrics()
        return samples.exposition(samples.collect() | {(_UP, ()): (0.0,)})
