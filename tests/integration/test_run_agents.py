"""Agents of any type through HTTP: which there are, what they take, what they make of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

import pytest

from gardenos.ai import agents
from tests.support.local import local_installation, settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection, PostgresServer

TYPES, RUN = "/ai/agent-types", "/ai/agents/lead_analysis/run"
ADA = {"lead_data": {"first_name": "Ada", "source": "Referral"}}


@pytest.fixture
async def app(server: PostgresServer, database_name: str) -> AsyncGenerator[FastAPI]:
    async with local_installation(settings_for(server.app(database_name))) as app:
        yield app


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    async with signing_in(app) as client:
        yield client


async def test_every_type_is_described_by_what_it_takes_and_gives(api: httpx.AsyncClient) -> None:
    answer = await api.get(TYPES)
    assert answer.status_code == 200, answer.text
    told = {each["agent_type"]: each for each in answer.json()["items"]}
    assert told.keys() == set(agents.registry())
    analysis = told["lead_analysis"]
    assert {"lead_id", "lead_data"} <= analysis["input_schema"]["properties"].keys()
    assert "quality_score" in analysis["output_schema"]["properties"]
    assert all(each["summary"].endswith(".") for each in told.values())


async def test_an_input_is_worked_off_and_its_result_answered(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    answer = await api.post(RUN, json={"input": ADA, "max_retries": 1, "wait_s": 30})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state"], told["error"]) == ("succeeded", None)
    assert 0 <= told["result"]["quality_score"] <= 100
    row = await admin.fetchrow("SELECT priority, max_retries, payload::text FROM agent_tasks")
    assert row is not None
    assert (row["priority"], row["max_retries"]) == (3, 1)
    later = await api.post(RUN, json={"input": ADA, "run_at": "2027-06-01T00:00:00Z", "wait_s": 0})
    assert later.status_code == 202
    assert later.headers["location"] == f"/ai/tasks/{later.json()['task_id']}"


async def test_a_run_repeated_with_its_key_is_the_same_task(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = [
        await api.post(RUN, json={"input": ADA, "wait_s": 30}, headers=key) for _ in range(2)
    ]
    assert first.json() == again.json()
    other = await api.post(RUN, json={"input": {"lead_data": {}}}, headers=key)
    assert other.status_code == 409
    assert await admin.fetchval("SELECT count(*) FROM agent_tasks") == 1


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({}, "/input"),
        ({"lead_id": "first"}, "/input/lead_id"),
        ({"lead_data": {"first_nme": "Ada"}}, "/input/lead_data/first_nme"),
        ({"lead_data": {"custom": {"k": "字" * 480}}} | {"lead_id": None}, None),
    ],
    ids=["empty", "no id", "no field", "fits"],
)
async def test_an_input_the_agent_does_not_take_is_pointed_out(
    api: httpx.AsyncClient, admin: AdminConnection, given: dict[str, object], pointer: str | None
) -> None:
    answer = await api.post(RUN, json={"input": given})
    assert answer.status_code == (422 if pointer else 200), answer.text
    if pointer:
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        assert await admin.fetchval("SELECT count(*) FROM agent_tasks") == 0


async def test_who_only_reads_runs_nothing(
    reader: httpx.AsyncClient, admin: AdminConnection
) -> None:
    assert (await reader.post(RUN, json={"input": ADA})).status_code == 403
    assert (await reader.get(TYPES)).status_code == 200
    assert await admin.fetchval("SELECT count(*) FROM agent_tasks") == 0
