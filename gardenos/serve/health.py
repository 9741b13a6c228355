"""`/healthz`, `/readyz`, `/metrics`: for machines that watch over this one. No token needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel

from gardenos.core.errors import (
    GardenOSError,
    InvalidRequest,
    OrchestratorUnavailable,
    Unavailable,
    UnknownParameter,
)
from gardenos.db.readiness import require_schema
from gardenos.observability import metrics
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

router = APIRouter(tags=["health"], route_class=StrictRoute)
KEPT_S = 1.0
"""Anybody may ask whether we are ready: the database is asked once in this time."""
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
async def read_metrics(services: ServicesDep) -> Response:
    """Metrics of this process and of the agent pools, in Prometheus' text format."""
    text = metrics.exposition()
    if services.orchestrator is not None:
        try:
            text += _pool_metrics(await services.orchestrator.snapshot())
        except OrchestratorUnavailable:
            text += b"# The orchestrator does not answer: no figures of the pools.\n"
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _pool_metrics(snapshot: Mapping[str, Any]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Pools(snapshot["agents"]))
    return generate_latest(registry)


class _Pools(Collector):
    """The orchestrator's snapshot as metrics."""

    def __init__(self, agents: Mapping[str, Mapping[str, Any]]) -> None:
        self._agents = agents

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        for key, text in (
            ("replicas", "Agents running."),
            ("backlog", "Tasks due and waiting."),
            ("in_flight", "Tasks sent and not answered."),
            ("capacity", "Tasks the running agents take."),
        ):
            gauge = GaugeMetricFamily(f"gardenos_pool_{key}", text, labels=["agent_type"])
            for agent_type, pool in self._agents.items():
                gauge.add_metric([agent_type], float(pool.get(key) or 0))
            yield gauge
        runs = CounterMetricFamily(
            "gardenos_pool_runs", "Runs ended, by outcome.", labels=["agent_type", "outcome"]
        )
        for agent_type, pool in self._agents.items():
            for outcome, count in pool.get("outcomes", {}).items():
                runs.add_metric([agent_type, outcome], float(count))
        yield runs
