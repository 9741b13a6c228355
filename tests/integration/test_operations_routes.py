"""How the agents fare, how many there are, and what waits for them, through HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.ai import agents
from gardenos.core.claims import UserRole
from gardenos.observability import events
from gardenos.observability.events import OverrideSet
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.testing.postgres import make_member
from tests.support.local import (
    POOL,
    eventually,
    local_installation,
    settings_for,
    signing_in,
)

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

STATUS, AGENTS, QUEUES = "/ai/status", "/ai/agents", "/ai/debug/queues"
SCALE = f"{AGENTS}/lead_analysis/scale"
TYPES = set(agents.AGENT_TYPES)


@pytest.fixture
async def app(server: PostgresServer, database_name: str) -> AsyncGenerator[FastAPI]:
    async with local_installation(settings_for(server.app(database_name))) as app:
        yield app


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    """Clients of the whole installation, for the fixtures that need one."""
    async with signing_in(app) as client:
        yield client


@pytest.fixture
async def operator(admin: AdminConnection) -> Claims:
    """Whoever runs the installation."""
    return await make_member(admin, operator=True)


@pytest.fixture
def operating(
    sign_in: Callable[[Claims], httpx.AsyncClient], operator: Claims
) -> httpx.AsyncClient:
    """The operator's client."""
    return sign_in(operator)


async def running_agents(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The agents, once there is one of each type."""

    async def ask() -> list[dict[str, Any]]:
        answer = await client.get(AGENTS)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    return await eventually(ask, lambda items: {item["agent_type"] for item in items} == TYPES)


async def submit(client: httpx.AsyncClient, **fields: Any) -> str:
    described = {"agent_type": "lead_analysis", "payload": {"lead_data": {}}}
    answer = await client.post("/ai/tasks", json=described | fields)
    assert answer.status_code == 202, answer.text
    task_id: str = answer.json()["id"]
    return task_id


async def test_the_status_counts_agents_and_the_agencys_own_tasks(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    await running_agents(api)
    done = await submit(api)
    await api.get(f"/ai/tasks/{done}", params={"wait_s": 30})
    later = [await submit(api, run_at="2027-06-01T00:00:00Z") for _ in range(2)]
    assert len(later) == 2
    await submit(outsider, run_at="2027-06-01T00:00:00Z")
    status = (await api.get(STATUS)).json()
    assert status["orchestrator"] == "dispatching"
    pool = status["agents"]["lead_analysis"]
    assert pool["tasks"] == {"succeeded": 1, "queued": 2}
    assert (pool["replicas"], pool["min_replicas"], pool["max_replicas"]) == (1, 1, 3)
    assert pool["override"] is None
    assert status["agents"]["follow_up"]["tasks"] == {}


async def test_what_the_loops_say_is_for_operators(
    api: httpx.AsyncClient, operating: httpx.AsyncClient
) -> None:
    await running_agents(api)
    assert (await api.get(STATUS)).json()["doing"] == {}

    async def doing() -> dict[str, str]:
        told: dict[str, str] = (await operating.get(STATUS)).json()["doing"]
        return told

    said = ("has nothing it may send", "dispatches")
    told = await eventually(doing, lambda told: told["dispatch"] in said)
    assert told["rounds"] == "watches"


async def test_agents_and_their_metrics_are_shown_without_where_they_run(
    api: httpx.AsyncClient, operating: httpx.AsyncClient
) -> None:
    listed = await running_agents(api)
    for agent in listed:
        answer = await api.get(f"{AGENTS}/{agent['id']}/metrics")
        assert answer.status_code == 200
        told = answer.json()
        assert (told["id"], told["provider"]) == (agent["id"], "rules")
        assert not {"host", "pid", "at"} & told.keys()
    whole = (await operating.get(f"{AGENTS}/{listed[0]['id']}/metrics")).json()
    assert whole["pid"] == os.getpid()
    assert whole["host"]


async def test_an_agents_metrics_count_what_it_did(api: httpx.AsyncClient) -> None:
    await running_agents(api)
    assert (await api.post("/ai/leads/analyze", json={"lead": {}})).status_code == 200

    async def metrics() -> dict[str, Any]:
        answer = await api.get(f"{AGENTS}/lead_analysis-1/metrics")
        told: dict[str, Any] = answer.json()
        return told

    told = await eventually(metrics, lambda told: told.get("finished") == 1)
    assert (told["outcomes"], told["lost"], told["batches"]) == ({"done": 1}, 0, 1)
    assert told["mean_batch_s"] > 0


@pytest.mark.parametrize("agent_id", ["nobody", "x" * 100, "%00", "..%2f..%2fetc"])
async def test_an_agent_that_does_not_run_is_not_found(
    api: httpx.AsyncClient, agent_id: str
) -> None:
    answer = await api.get(f"{AGENTS}/{agent_id}/metrics")
    assert answer.status_code == 404
    assert (await api.get(f"{AGENTS}/{'x' * 101}/metrics")).status_code == 400


async def test_an_operator_sets_a_size_and_it_is_known_who_did(
    operating: httpx.AsyncClient, operator: Claims, admin: AdminConnection
) -> None:
    seen: list[events.Event] = []
    forget = events.subscribe(seen.append)
    try:
        answer = await operating.post(SCALE, json={"replicas": 3, "ttl_s": 3600})
    finally:
        forget()
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["agent_type"], told["replicas"]) == ("lead_analysis", 3)
    ends = datetime.fromisoformat(told["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    row = await admin.fetchrow("SELECT * FROM agent_overrides")
    assert row is not None
    assert (row["replicas"], row["set_by"]) == (3, operator.sub)
    assert [event for event in seen if isinstance(event, OverrideSet)] == [
        OverrideSet("lead_analysis", 3, set_by=operator.sub, expires_at=ends)
    ]
    pool = (await operating.get(STATUS)).json()["agents"]["lead_analysis"]
    assert pool["override"] == 3


async def test_a_size_asked_for_with_a_key_is_asked_for_once_and_written_down(
    operating: httpx.AsyncClient, operator: Claims
) -> None:
    key = {"Idempotency-Key": "once"}
    first = await operating.post(SCALE, json={"replicas": 3}, headers=key)
    assert (await operating.post(SCALE, json={"replicas": 2})).status_code == 200
    again = await operating.post(SCALE, json={"replicas": 3}, headers=key)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    # What was asked for since stands: a repetition is not another request.
    pool = (await operating.get(STATUS)).json()["agents"]["lead_analysis"]
    assert pool["override"] == 2
    other = await operating.post(SCALE, json={"replicas": 1}, headers=key)
    assert other.status_code == 409
    refused = await operating.post(SCALE, json={"replicas": 11}, headers={"Idempotency-Key": "new"})
    assert refused.status_code == 400
    tried = await operating.post(SCALE, json={"replicas": 1}, headers={"Idempotency-Key": "new"})
    assert tried.status_code == 200
    told = (await operating.get("/ai/operator-actions")).json()["items"]
    assert [(each["action"], each["detail"]["replicas"]) for each in told] == [
        ("scale", 1),
        ("scale", 2),
        ("scale", 3),
    ]
    assert {(each["target"], each["actor"]) for each in told} == {
        ("agents lead_analysis", str(operator.sub))
    }


async def test_why_a_head_waits_is_told_by_the_orchestrator(
    operating: httpx.AsyncClient, api: httpx.AsyncClient, owner: Claims
) -> None:
    await running_agents(operating)
    assert (await api.put("/ai/pauses", json={})).status_code == 200

    async def lanes() -> list[dict[str, Any]]:
        # Pauses are read every second: what comes before that may still be worked off.
        await submit(api)
        found: list[dict[str, Any]] = (await operating.get(QUEUES)).json()["lanes"]
        return found

    [lane] = await eventually(
        lanes, lambda lanes: [lane["hold"] for lane in lanes] == ["paused_agency"]
    )
    assert lane["agency_id"] == str(owner.agency_id)
    assert "paused" in lane["why"]


async def test_a_member_sees_of_the_work_under_way_its_agencys_own(
    api: httpx.AsyncClient, operating: httpx.AsyncClient
) -> None:
    for idle in await running_agents(api):
        assert idle["current"] == []
        assert idle["latency_s"].keys() == {"p50", "p95", "p99"}
        assert idle["tokens"] == {"input": 0, "output": 0}
    assert (await api.post("/ai/leads/analyze", json={"lead": {}})).status_code == 200

    async def agent() -> dict[str, Any]:
        told: dict[str, Any] = (await operating.get(f"{AGENTS}/lead_analysis-1/metrics")).json()
        return told

    told = await eventually(agent, lambda told: told["finished"] == 1)
    assert told["throughput_per_s"] > 0
    assert told["latency_s"]["p50"] > 0
    assert (told["errors"], told["cost_usd"]) == (0, "0")


async def test_a_size_without_an_end_stands_until_it_is_handed_back(
    operating: httpx.AsyncClient,
) -> None:
    async def override() -> int | None:
        answer = await operating.get(STATUS)
        size: int | None = answer.json()["agents"]["lead_analysis"]["override"]
        return size

    assert (await operating.post(SCALE, json={"replicas": 2})).json()["expires_at"] is None
    assert await override() == 2
    assert (await operating.post(SCALE, json={"replicas": 2, "ttl_s": 0})).status_code == 200
    assert await override() is None


@pytest.mark.parametrize("replicas", [-1, 0, POOL.highest + 1, 10**30])
async def test_a_size_outside_the_range_is_refused_with_the_range(
    operating: httpx.AsyncClient, admin: AdminConnection, replicas: int
) -> None:
    answer = await operating.post(SCALE, json={"replicas": replicas})
    assert answer.status_code == 400
    assert "1 to 3" in answer.json()["detail"]
    assert answer.json()["errors"] == [{"pointer": "/replicas", "detail": "is outside 1 to 3"}]
    assert await admin.fetchval("SELECT count(*) FROM agent_overrides") == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/replicas"),
        ({"replicas": "2"}, "/replicas"),
        ({"replicas": 1.5}, "/replicas"),
        ({"replicas": True}, "/replicas"),
        ({"replicas": 2, "ttl_s": -1}, "/ttl_s"),
        ({"replicas": 2, "ttl_s": 31_536_001}, "/ttl_s"),
        ({"replicas": 2, "for": 60}, "/for"),
    ],
)
async def test_what_is_no_size_is_named(
    operating: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await operating.post(SCALE, json=body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_an_unknown_type_has_no_size(operating: httpx.AsyncClient) -> None:
    answer = await operating.post(f"{AGENTS}/painter/scale", json={"replicas": 1})
    assert answer.status_code == 404
    assert "lead_analysis" in answer.json()["detail"]
    answer = await operating.post(f"{AGENTS}/Lead%20Analysis/scale", json={"replicas": 1})
    assert answer.status_code == 400


@pytest.mark.parametrize("role", list(UserRole))
async def test_only_operators_scale_and_look_into_the_queues(
    sign_in: Callable[[Claims], httpx.AsyncClient],
    admin: AdminConnection,
    outsider: httpx.AsyncClient,
    stranger: Claims,
    role: UserRole,
) -> None:
    task_id = await submit(outsider, run_at="2027-06-01T00:00:00Z")
    member = sign_in(await make_member(admin, role=role))
    refused = await member.get(QUEUES)
    assert refused.status_code == 403
    assert (await member.post(SCALE, json={"replicas": 2})).status_code == 403
    assert await admin.fetchval("SELECT count(*) FROM agent_overrides") == 0
    for path in (STATUS, AGENTS, QUEUES):
        told = (await member.get(path)).text
        assert str(stranger.agency_id) not in told
        assert task_id not in told


async def test_the_queues_show_what_waits_and_what_would_run_next(
    admin: AdminConnection, operating: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    await running_agents(operating)
    await submit(outsider, run_at="2027-06-01T00:00:00Z", priority=1)
    agency = await admin.fetchval("INSERT INTO agencies (name) VALUES ('A') RETURNING id")
    # Of a type that no agent works off, so that they stay where they are.
    await admin.execute(
        "INSERT INTO agent_tasks (agency_id, agent_type, priority)"
        " SELECT $1, 'painter', 1 + n % 9 FROM generate_series(1, 12) n",
        agency,
    )
    answer = await operating.get(QUEUES)
    assert answer.status_code == 200, answer.text
    queues = answer.json()
    assert queues["depth"]["lead_analysis"] == {
        "ready": 0,
        "scheduled": 1,
        "running": 0,
        "oldest_ready_s": None,
        "at_least": False,
    }
    painting = queues["depth"]["painter"]
    assert (painting["ready"], painting["scheduled"], painting["running"]) == (12, 0, 0)
    assert painting["oldest_ready_s"] >= 0
    heads = queues["heads"]
    assert {head["agent_type"] for head in heads} == {"painter"}
    assert {head["agency_id"] for head in heads} == {str(agency)}
    # One for each lane: what an agency has queued for a type at a priority.
    assert [head["priority"] for head in heads] == list(range(1, 10))
    orphans = [lane for lane in queues["lanes"] if lane["agent_type"] == "painter"]
    assert [lane["priority"] for lane in orphans] == list(range(1, 10))
    assert {lane["why"] for lane in orphans} == {"This installation has no agents of type painter."}
    assert queues["orchestrator"]["epoch"] == 1
    assert queues["orchestrator"]["agents"]["lead_analysis"]["capacity"] == POOL.concurrency


async def test_without_an_orchestrator_what_the_database_knows_is_told(
    db: Database, owner: Claims, operator: Claims, server: PostgresServer, database_name: str
) -> None:
    app = create_api(compose(settings_for(server.app(database_name)), db))
    async with signing_in(app) as client:
        await submit(client(owner))
        status = (await client(owner).get(STATUS)).json()
        assert status["orchestrator"] == "unavailable"
        pool = status["agents"]["lead_analysis"]
        assert (pool["replicas"], pool["tasks"]) == (None, {"queued": 1})
        operating = client(operator)
        queues = (await operating.get(QUEUES)).json()
        assert queues["orchestrator"] is None
        assert queues["depth"]["lead_analysis"]["ready"] == 1
        for answer in (
            await operating.get(AGENTS),
            await operating.get(f"{AGENTS}/x/metrics"),
            await operating.post(SCALE, json={"replicas": 2}),
        ):
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:gardenos:problem:orchestrator-unavailable"


@pytest.mark.parametrize("path", [STATUS, AGENTS, QUEUES, f"{AGENTS}/x/metrics"])
async def test_no_route_takes_parameters_it_does_not_have(
    operating: httpx.AsyncClient, path: str
) -> None:
    assert (await operating.get(path, params={"verbose": "1"})).status_code == 400
