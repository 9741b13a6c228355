"""What machines that watch over this one are told: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gardenos.ai.agents import AGENT_TYPES
from gardenos.observability import metrics
from gardenos.observability.events import observe, subscribe
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.serve.health import KEPT_S
from tests.support.events import samples_of_every_event
from tests.support.local import (
    POOL,
    client_of,
    eventually,
    local_installation,
    settings_for,
    signing_in,
)

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.core.config import Settings
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer


@pytest.fixture
def settings(server: PostgresServer, database_name: str) -> Settings:
    return settings_for(server.app(database_name))


@pytest.fixture
async def installation(settings: Settings) -> AsyncGenerator[FastAPI]:
    async with local_installation(settings) as app:
        yield app


@pytest.fixture
async def alone(settings: Settings, db: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of an API that finds no orchestrator."""
    async with client_of(create_api(compose(settings, db))) as client:
        yield client


async def readiness(client: httpx.AsyncClient) -> tuple[int, dict[str, Any]]:
    answer = await client.get("/readyz")
    return answer.status_code, answer.json()


async def families(client: httpx.AsyncClient) -> dict[str, dict[tuple[str, ...], float]]:
    """The metrics by name: the values by the labels' values."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        family.name: {tuple(s.labels.values()): s.value for s in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


async def test_an_installation_becomes_ready(installation: FastAPI) -> None:
    async with client_of(installation) as client:
        _, told = await eventually(lambda: readiness(client), lambda seen: seen[0] == 200)
    assert told == {"status": "ready", "checks": {"database": "ok", "orchestrator": "ok"}}


async def test_a_process_lives_whatever_else_does_not(
    alone: httpx.AsyncClient, db: Database
) -> None:
    await db.pool.close()
    answer = await alone.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_without_an_orchestrator_it_is_not_ready(alone: httpx.AsyncClient) -> None:
    answer = await alone.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    told = answer.json()
    assert told["type"] == "urn:gardenos:problem:unavailable"
    assert told["checks"]["database"] == "ok"
    assert "orchestrator does not answer" in told["checks"]["orchestrator"]
    assert told["checks"]["orchestrator"] in told["detail"]


async def test_a_schema_that_is_behind_is_not_ready(
    alone: httpx.AsyncClient, admin: AdminConnection
) -> None:
    await admin.execute(
        "DELETE FROM app.migrations WHERE number = (SELECT max(number) FROM app.migrations)"
    )
    status, told = await readiness(alone)
    assert status == 503
    assert "gardenos migrate" in told["checks"]["database"]


async def test_a_database_without_a_schema_is_not_ready(
    alone: httpx.AsyncClient, admin: AdminConnection
) -> None:
    await admin.execute("DROP TABLE app.migrations")
    status, told = await readiness(alone)
    assert status == 503
    assert "gardenos migrate" in told["checks"]["database"]


async def test_a_database_that_is_away_is_not_ready(alone: httpx.AsyncClient, db: Database) -> None:
    await db.pool.close()
    status, told = await readiness(alone)
    assert status == 503
    assert "database does not answer" in told["checks"]["database"]


async def test_a_type_without_an_agent_is_not_ready(settings: Settings) -> None:
    async with (
        local_installation(settings, present=["lead_analysis"]) as app,
        client_of(app) as client,
    ):
        others = [agent_type for agent_type in AGENT_TYPES if agent_type != "lead_analysis"]
        absent = f"No agent runs yet for {', '.join(others)}."
        status, told = await eventually(
            lambda: readiness(client), lambda seen: seen[1]["checks"]["orchestrator"] == absent
        )
    assert status == 503
    assert told["checks"]["database"] == "ok"


async def test_an_orchestrator_that_stands_by_is_not_ready(
    settings: Settings, db: Database
) -> None:
    assert await PostgresQueue(db).take_office("another", ttl_s=600)
    async with local_installation(settings) as app, client_of(app) as client:
        status, told = await readiness(client)
    assert status == 503
    assert told["checks"]["orchestrator"] == "The orchestrator waits to take office."


class CountedOrchestrator:
    """An orchestrator that waits to take office, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def snapshot(self) -> Mapping[str, Any]:
        self.asked += 1
        return {"epoch": None, "agents": {}}

    async def agents(self) -> Sequence[Mapping[str, Any]]:
        return []

    async def metrics(self) -> bytes:
        self.asked += 1
        return b"# nothing yet\n"

    async def set_replicas(
        self, agent_type: str, replicas: int, *, set_by: Claims, ttl_s: float | None = None
    ) -> Mapping[str, Any]:
        raise AssertionError("whether the parts are ready is asked without changing them")


async def test_however_many_ask_the_parts_are_asked_once_a_moment(
    settings: Settings, db: Database, admin: AdminConnection
) -> None:
    orchestrator = CountedOrchestrator()
    app = create_api(compose(settings, db, orchestrator=orchestrator))
    async with client_of(app) as client:
        began = time.monotonic()
        seen = await asyncio.gather(*(readiness(client) for _ in range(50)))
        assert orchestrator.asked <= 1 + (time.monotonic() - began) / KEPT_S
        assert {status for status, _ in seen} == {503}
        assert {told["checks"]["database"] for _, told in seen} == {"ok"}
        await admin.execute("DELETE FROM app.migrations")
        _, told = await eventually(
            lambda: readiness(client), lambda seen: seen[1]["checks"]["database"] != "ok"
        )
    assert "gardenos migrate" in told["checks"]["database"]


async def test_metrics_are_those_of_the_whole_installation(
    installation: FastAPI, owner: Claims
) -> None:
    async with signing_in(installation) as sign_in:
        client = sign_in(owner)
        done = ("lead_analysis", "done")
        before = (await families(client))["gardenos_task_runs"].get(done, 0)
        answer = await client.post("/ai/leads/analyze", json={"lead": {"first_name": "Ada"}})
        assert answer.status_code == 200
        seen = await eventually(
            lambda: families(client),
            # The backlog is that of the orchestrator's last round.
            lambda seen: (
                seen["gardenos_task_runs"].get(done) == before + 1
                and not any(seen["gardenos_pool_backlog"].values())
            ),
        )
    for agent_type in ("lead_analysis", "follow_up"):
        assert seen["gardenos_pool_replicas"][agent_type,] == 1
        assert seen["gardenos_pool_wanted_replicas"][agent_type,] == 1
        assert seen["gardenos_pool_capacity"][agent_type,] == POOL.concurrency
        assert seen["gardenos_pool_leases"][agent_type,] == 0
        assert seen["gardenos_pool_oldest_wait_seconds"][agent_type,] == 0
    assert seen["gardenos_orchestrator_up"] == {(): 1}
    assert seen["gardenos_orchestrator_epoch"][()] >= 1
    requests = seen["gardenos_http_request_duration_seconds"]
    assert any(labels[:3] == ("POST", "/ai/leads/analyze", "200") for labels in requests)
    assert not any(
        str(owner.agency_id) in label
        for family in seen.values()
        for labels in family
        for label in labels
    )


async def test_without_an_orchestrator_metrics_are_the_gateways_own_and_say_so(
    alone: httpx.AsyncClient,
) -> None:
    unsubscribe = subscribe(metrics.count_event)
    try:
        await alone.get("/healthz")
    finally:
        unsubscribe()
    seen = await families(alone)
    assert seen["gardenos_orchestrator_up"] == {(): 0}
    requests = seen["gardenos_http_request_duration_seconds"]
    assert any(labels[:2] == ("GET", "/healthz") for labels in requests)


async def test_however_many_ask_for_metrics_the_orchestrator_is_asked_once_a_moment(
    settings: Settings, db: Database
) -> None:
    orchestrator = CountedOrchestrator()
    async with client_of(create_api(compose(settings, db, orchestrator=orchestrator))) as client:
        began = time.monotonic()
        await asyncio.gather(*(client.get("/metrics") for _ in range(50)))
        assert orchestrator.asked <= 1 + (time.monotonic() - began) / KEPT_S


async def test_promtool_finds_nothing_to_say_of_the_metrics(
    installation: FastAPI, owner: Claims, promtool: Path
) -> None:
    async with signing_in(installation) as sign_in:
        client = sign_in(owner)
        answer = await client.post("/ai/leads/analyze", json={"lead": {"first_name": "Ada"}})
        assert answer.status_code == 200
        for event in samples_of_every_event():
            observe(event)
        text = (await client.get("/metrics")).content
    assert b"gen_ai_client_token_usage_bucket{" in text
    checked = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_what_is_asked_without_a_token_takes_no_parameters(
    alone: httpx.AsyncClient, path: str
) -> None:
    assert (await alone.get(path, params={"verbose": "1"})).status_code == 400
