"""Work that somebody waits for, through HTTP: `/ai/leads/analyze` and `/ai/follow-ups`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.local import client_of, local_installation, settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection, PostgresServer

ANALYZE, FOLLOW_UPS, TASKS = "/ai/leads/analyze", "/ai/follow-ups", "/ai/tasks"
BOTH = pytest.mark.parametrize("path", [ANALYZE, FOLLOW_UPS])
ADA = {"first_name": "Ada", "source": "Referral", "email": "ada@example.com"}


@pytest.fixture
async def app(server: PostgresServer, database_name: str) -> AsyncGenerator[FastAPI]:
    async with local_installation(settings_for(server.app(database_name))) as app:
        yield app


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    """Clients of the whole installation, for the fixtures that need one."""
    async with signing_in(app) as client:
        yield client


async def new_lead(api: httpx.AsyncClient, **fields: Any) -> str:
    answer = await api.post("/v1/leads", json=ADA | fields)
    assert answer.status_code == 201, answer.text
    lead_id: str = answer.json()["id"]
    return lead_id


async def finished(api: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    answer = await api.get(f"{TASKS}/{task_id}", params={"wait_s": 30})
    assert answer.status_code == 200, answer.text
    task: dict[str, Any] = answer.json()
    assert task["finished_at"], task
    return task


def pointers(answer: httpx.Response) -> list[str]:
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def tasks_of(admin: AdminConnection) -> int:
    count: int = await admin.fetchval("SELECT count(*) FROM agent_tasks")
    return count


async def test_a_lead_is_scored_and_keeps_the_score(api: httpx.AsyncClient) -> None:
    lead_id = await new_lead(api)
    answer = await api.post(ANALYZE, json={"lead_id": lead_id})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state"], told["error"]) == ("succeeded", None)
    result = told["result"]
    assert 0 <= result["quality_score"] <= 100
    assert 0 < result["conversion_probability"] < 1
    assert result["next_actions"]
    assert {"feature", "value", "contribution", "text"} == result["reasons"][0].keys()
    assert (result["provider"], result["model"]) == ("rules", "rules-1")
    lead = (await api.get(f"/v1/leads/{lead_id}")).json()
    assert lead["quality_score"] == result["quality_score"]
    assert lead["conversion_probability"] == result["conversion_probability"]
    task = await finished(api, told["task_id"])
    assert (task["result"], task["payload"]) == (result, {"lead_id": lead_id})
    assert task["priority"] == 3


async def test_a_lead_described_on_the_spot_is_scored_like_one_that_is_stored(
    api: httpx.AsyncClient,
) -> None:
    stored = (await api.post(ANALYZE, json={"lead_id": await new_lead(api)})).json()
    answer = await api.post(ANALYZE, json={"lead": ADA})
    assert answer.status_code == 200
    assert answer.json()["result"]["quality_score"] == stored["result"]["quality_score"]
    assert len((await api.get("/v1/leads")).json()["items"]) == 1


async def test_a_follow_up_is_drafted_with_the_occasion_and_stored_with_the_lead(
    api: httpx.AsyncClient,
) -> None:
    lead_id = await new_lead(api)
    answer = await api.post(FOLLOW_UPS, json={"lead_id": lead_id, "context": "our call on Monday"})
    assert answer.status_code == 200, answer.text
    draft = answer.json()["result"]
    assert "Ada" in draft["body"]
    assert "our call on Monday" in draft["full_message"]
    assert draft["subject"] in draft["full_message"]
    (kept,) = (await api.get(f"/v1/leads/{lead_id}/follow-ups")).json()["items"]
    assert (kept["subject"], kept["state"]) == (draft["subject"], "draft")


async def test_a_follow_up_can_be_drafted_to_somebody_described(api: httpx.AsyncClient) -> None:
    answer = await api.post(FOLLOW_UPS, json={"lead": ADA})
    assert answer.status_code == 200
    assert "Ada" in answer.json()["result"]["full_message"]


@BOTH
async def test_whoever_does_not_wait_gets_the_task_and_finds_it_finished(
    api: httpx.AsyncClient, path: str
) -> None:
    answer = await api.post(path, json={"lead": ADA, "wait_s": 0})
    assert answer.status_code == 202
    told = answer.json()
    assert told["state"] in ("queued", "running")
    assert answer.headers["location"] == told["location"] == f"{TASKS}/{told['task_id']}"
    found = await api.get(answer.headers["location"], params={"wait_s": 30})
    assert found.json()["state"] == "succeeded"
    assert found.json()["result"]["provider"] == "rules"


async def test_a_wait_ends_when_its_time_is_over(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    later = {"lead_data": ADA}
    task = (
        await api.post(
            TASKS,
            json={
                "agent_type": "lead_analysis",
                "payload": later,
                "run_at": "2027-06-01T00:00:00Z",
                "idempotency_key": "one day",
            },
        )
    ).json()
    answer = await api.post(
        ANALYZE, json={"lead": ADA, "wait_s": 0.2}, headers={"Idempotency-Key": "one day"}
    )
    assert answer.status_code == 202
    assert answer.json()["task_id"] == task["id"]
    found = await api.get(f"{TASKS}/{task['id']}", params={"wait_s": 0.2})
    assert (found.status_code, found.json()["state"]) == (200, "queued")
    assert await admin.fetchval("SELECT awaited FROM agent_tasks")


@BOTH
async def test_a_request_repeated_with_its_key_gets_the_same_task(
    api: httpx.AsyncClient, admin: AdminConnection, path: str
) -> None:
    key = {"Idempotency-Key": "again"}
    answers = await asyncio.gather(
        *(api.post(path, json={"lead": ADA, "wait_s": 30}, headers=key) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    assert len({str(answer.json()["result"]) for answer in answers}) == 1
    assert await tasks_of(admin) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ANALYZE, {"lead": {"first_name": "Bob"}}),
        (FOLLOW_UPS, {"lead": ADA}),
        (ANALYZE, {"lead": ADA | {"notes": "asks for a quote"}}),
    ],
    ids=["another lead", "another agent", "one more field"],
)
async def test_a_key_with_another_request_is_refused(
    api: httpx.AsyncClient, admin: AdminConnection, path: str, body: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "once"}
    assert (await api.post(ANALYZE, json={"lead": ADA}, headers=key)).status_code == 200
    answer = await api.post(path, json=body, headers=key)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:gardenos:problem:idempotency-key-reused"
    assert await tasks_of(admin) == 1


async def test_a_key_is_an_agencys_own(api: httpx.AsyncClient, outsider: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "once"}
    ours = await api.post(ANALYZE, json={"lead": ADA}, headers=key)
    theirs = await outsider.post(ANALYZE, json={"lead": {"first_name": "Bob"}}, headers=key)
    assert theirs.status_code == 200
    assert ours.json()["task_id"] != theirs.json()["task_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "ümlaut"], ids=["empty", "long", "not ASCII"])
async def test_a_key_that_is_none_is_refused(api: httpx.AsyncClient, key: str) -> None:
    answer = await api.post(
        ANALYZE, json={"lead": ADA}, headers=[(b"Idempotency-Key", key.encode())]
    )
    assert answer.status_code == 400
    assert pointers(answer) == ["Idempotency-Key"]


@BOTH
async def test_another_agencys_lead_is_none(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, admin: AdminConnection, path: str
) -> None:
    theirs = await new_lead(outsider)
    for lead_id in (theirs, str(uuid4())):
        answer = await api.post(path, json={"lead_id": lead_id})
        assert answer.status_code == 404
        assert lead_id in answer.json()["detail"]
    assert await tasks_of(admin) == 0


async def test_another_agencys_task_is_none(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    theirs = (await outsider.post(ANALYZE, json={"lead": ADA})).json()["task_id"]
    for params in ({}, {"wait_s": 1}):
        answer = await api.get(f"{TASKS}/{theirs}", params=params)
        assert answer.status_code == 404
    assert (await api.get(TASKS)).json()["items"] == []


@BOTH
async def test_a_deleted_lead_is_worked_on_no_more(
    api: httpx.AsyncClient, admin: AdminConnection, path: str
) -> None:
    lead_id = await new_lead(api)
    await api.delete(f"/v1/leads/{lead_id}", headers={"If-Match": "*"})
    answer = await api.post(path, json={"lead_id": lead_id})
    assert answer.status_code == 404
    assert await tasks_of(admin) == 0


async def test_work_on_a_lead_deleted_meanwhile_is_cancelled_and_the_answer_says_why(
    api: httpx.AsyncClient,
) -> None:
    lead_id = await new_lead(api)
    await api.delete(f"/v1/leads/{lead_id}", headers={"If-Match": "*"})
    named = {"agent_type": "lead_analysis", "payload": {"lead_id": lead_id}}
    task = (await api.post(TASKS, json=named | {"idempotency_key": "k"})).json()
    assert (await finished(api, task["id"]))["state"] == "cancelled"
    assert (await api.post(f"/v1/leads/{lead_id}/restore")).status_code == 200
    answer = await api.post(ANALYZE, json={"lead_id": lead_id}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 200
    why = {"code": "cancelled", "detail": f"The lead {lead_id} has been deleted."}
    assert answer.json() == {
        "task_id": task["id"],
        "state": "cancelled",
        "result": None,
        "error": why,
    }


@BOTH
async def test_who_only_reads_begins_no_work_and_may_watch_it(
    api: httpx.AsyncClient, reader: httpx.AsyncClient, admin: AdminConnection, path: str
) -> None:
    assert (await reader.post(path, json={"lead": ADA})).status_code == 403
    assert await tasks_of(admin) == 0
    task_id = (await api.post(path, json={"lead": ADA, "wait_s": 0})).json()["task_id"]
    assert (await finished(reader, task_id))["state"] == "succeeded"


@BOTH
async def test_without_a_token_nothing_is_done(app: FastAPI, path: str) -> None:
    async with client_of(app) as nobody:
        assert (await nobody.post(path, json={"lead": ADA})).status_code == 401
        assert (await nobody.get(TASKS)).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"lead": ADA, "lead_id": str(uuid4())}, ""),
        ({"lead_id": "first"}, "/lead_id"),
        ({"lead": ADA, "wait_s": -1}, "/wait_s"),
        ({"lead": ADA, "wait_s": 61}, "/wait_s"),
        ({"lead": ADA, "priority": 0}, "/priority"),
        ({"lead": ADA, "priority": 10}, "/priority"),
        ({"lead": ADA, "priority": "1"}, "/priority"),
        ({"lead": ADA, "waits": 1}, "/waits"),
        ({"lead": {"first_nme": "Ada"}}, "/lead/first_nme"),
        ({"lead": {"first_name": "x" * 201}}, "/lead/first_name"),
        ({"lead": {"notes": "a\x00b"}}, "/lead/notes"),
        ({"lead": {"custom": {"a": {"b": 1}}}}, "/lead/custom/a"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value or "whole",
)
async def test_what_is_no_request_is_named(
    api: httpx.AsyncClient, admin: AdminConnection, body: dict[str, Any], pointer: str
) -> None:
    answer = await api.post(ANALYZE, json=body)
    assert answer.status_code == 422, answer.text
    assert all(found.startswith(pointer) for found in pointers(answer))
    assert await tasks_of(admin) == 0


async def test_a_lead_too_large_for_a_task_is_pointed_out_in_the_request(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    custom = {f"k{number}": "字" * 480 for number in range(100)}
    answer = await api.post(ANALYZE, json={"lead": {"custom": custom}})
    assert answer.status_code == 422
    assert pointers(answer) == ["/lead"]
    assert "262144 bytes" in answer.json()["errors"][0]["detail"]
    assert await tasks_of(admin) == 0


async def test_an_occasion_has_a_cap(api: httpx.AsyncClient) -> None:
    answer = await api.post(FOLLOW_UPS, json={"lead": ADA, "context": "x" * 2001})
    assert answer.status_code == 422
    assert pointers(answer) == ["/context"]
    assert (await api.post(ANALYZE, json={"lead": ADA, "context": "x"})).status_code == 422


async def test_a_body_over_the_limit_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post(ANALYZE, json={"lead": {"notes": "x" * 1_100_000}})
    assert answer.status_code == 413
