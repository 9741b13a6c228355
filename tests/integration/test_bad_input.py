"""What the orchestrator is asked and cannot mean: each answered in a sentence, and nothing done."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.testing.postgres import make_member
from tests.support.local import POOL, local_installation, settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection, PostgresServer

TASKS, SCHEDULES, RUN = "/ai/tasks", "/ai/schedules", "/ai/agents/lead_analysis/run"
SCALE = "/ai/agents/lead_analysis/scale"
ADA = {"lead_data": {"first_name": "Ada"}}
TASK: dict[str, Any] = {"agent_type": "lead_analysis", "payload": ADA}
DAILY = TASK | {"name": "Daily", "cron": "0 7 * * *"}
KEPT = """
SELECT (SELECT count(*) FROM agent_tasks) AS tasks,
       (SELECT count(*) FROM task_schedules) AS schedules,
       (SELECT count(*) FROM agent_overrides) AS overrides,
       (SELECT count(*) FROM operator_actions) AS actions
"""


@dataclass(frozen=True)
class Asked:
    """A request, and how it is refused."""

    path: str
    body: Any
    status: int
    code: str
    pointer: str | None
    says: str
    headers: dict[str, str] = field(default_factory=dict[str, str])


INVALID = (422, "invalid-content")
OUTSIDE = (400, "invalid-request", "/replicas", f"is outside {POOL.lowest} to {POOL.highest}")
BAD: dict[str, Asked] = {
    "an unknown agent type": Asked(
        TASKS,
        TASK | {"agent_type": "painter"},
        *INVALID,
        "/agent_type",
        "no agent of type 'painter'",
    ),
    "an unknown agent type to run": Asked(
        "/ai/agents/painter/run",
        {"input": {}},
        404,
        "not-found",
        None,
        "no agents of type 'painter'",
    ),
    "an unknown agent type to schedule": Asked(
        SCHEDULES, DAILY | {"agent_type": "painter"}, *INVALID, "/agent_type", "no agent of type"
    ),
    "priority 0": Asked(TASKS, TASK | {"priority": 0}, *INVALID, "/priority", "or equal to 1"),
    "priority 0 to run": Asked(RUN, {"input": ADA, "priority": 0}, *INVALID, "/priority", "to 1"),
    "max_retries -1": Asked(
        TASKS, TASK | {"max_retries": -1}, *INVALID, "/max_retries", "or equal to 0"
    ),
    "max_retries of a million": Asked(
        TASKS, TASK | {"max_retries": 1_000_000}, *INVALID, "/max_retries", "or equal to 100"
    ),
    "a payload of 5 MB": Asked(
        TASKS,
        TASK | {"payload": {"lead_data": {"notes": "x" * 5_000_000}}},
        413,
        "body-too-large",
        None,
        "larger than the 1,048,576 bytes",
    ),
    "an input of 5 MB": Asked(
        RUN, {"input": {"text": "x" * 5_000_000}}, 413, "body-too-large", None, "Send less at once"
    ),
    "a body that is not JSON": Asked(
        TASKS,
        b'{"agent_type": "lead_analysis", payload: {}}',
        400,
        "invalid-request",
        None,
        "cannot",
    ),
    "a body that is no JSON by its type": Asked(
        TASKS,
        b"agent_type=lead_analysis",
        415,
        "unsupported-media",
        None,
        "Send JSON",
        {"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "a payload that is not an object": Asked(
        TASKS, TASK | {"payload": "Ada"}, *INVALID, "/payload", "valid dictionary"
    ),
    "a payload with a number JSON does not have": Asked(
        TASKS,
        b'{"agent_type": "lead_analysis", "payload": {"lead_data": {"custom": {"a": NaN}}}}',
        *INVALID,
        "/payload",
        "number that JSON does not have",
    ),
    "a run_at in year 9999": Asked(
        TASKS, TASK | {"run_at": "9999-12-31T23:59:59Z"}, *INVALID, "/run_at", "366 days ahead"
    ),
    "a run_at in year 9999 to run": Asked(
        RUN, {"input": ADA, "run_at": "9999-12-31T23:59:59Z"}, *INVALID, "/run_at", "366 days ahead"
    ),
    "an idempotency key reused with another body": Asked(
        TASKS,
        TASK | {"priority": 1},
        409,
        "idempotency-key-reused",
        None,
        "Use a new key",
        {"Idempotency-Key": "used"},
    ),
    "scaling to 11": Asked(SCALE, {"replicas": 11}, *OUTSIDE),
    "scaling to -1": Asked(SCALE, {"replicas": -1}, *OUTSIDE),
    "a cron line that never fires": Asked(
        SCHEDULES, DAILY | {"cron": "0 0 30 2 *"}, *INVALID, "/cron", "never fires"
    ),
    "cancelling everything by mistake": Asked(
        f"{TASKS}/cancel", {}, *INVALID, "", "needs a filter, or all: true"
    ),
}


@pytest.fixture
async def app(server: PostgresServer, database_name: str) -> AsyncGenerator[FastAPI]:
    async with local_installation(settings_for(server.app(database_name))) as app:
        yield app


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    async with signing_in(app) as client:
        yield client


@pytest.fixture
async def client(
    sign_in: Callable[[Claims], httpx.AsyncClient], admin: AdminConnection
) -> httpx.AsyncClient:
    """A client that may do anything, so that nothing but the request itself is refused."""
    return sign_in(await make_member(admin, operator=True))


@pytest.mark.parametrize("name", BAD)
async def test_it_is_refused_in_a_sentence_and_nothing_is_done_or_lost(
    client: httpx.AsyncClient, admin: AdminConnection, name: str
) -> None:
    asked = BAD[name]
    before_it = await client.post(TASKS, json=TASK, headers={"Idempotency-Key": "used"})
    assert before_it.status_code == 202
    before = await admin.fetchrow(KEPT)
    headers = {"Content-Type": "application/json"} | asked.headers
    sent: dict[str, Any] = (
        {"content": asked.body} if isinstance(asked.body, bytes) else {"json": asked.body}
    )
    answer = await client.post(asked.path, headers=headers, **sent)
    assert answer.status_code == asked.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:gardenos:problem:{asked.code}"
    faults = problem.get("errors", [])
    if asked.pointer is not None:
        assert [fault["pointer"] for fault in faults] == [asked.pointer]
    assert asked.says in " ".join([problem["detail"], *(fault["detail"] for fault in faults)])
    assert await admin.fetchrow(KEPT) == before
    found = await client.get(f"{TASKS}/{before_it.json()['id']}", params={"wait_s": 30})
    assert found.json()["state"] == "succeeded"


async def test_cancelling_a_finished_task_is_refused_and_it_keeps_its_result(
    client: httpx.AsyncClient,
) -> None:
    made = await client.post(TASKS, json=TASK)
    path = f"{TASKS}/{made.json()['id']}"
    done = (await client.get(path, params={"wait_s": 30})).json()
    answer = await client.post(f"{path}/cancel")
    assert answer.status_code == 409
    assert "has ended as succeeded" in answer.json()["detail"]
    assert (await client.get(path)).json() == done


async def test_a_run_at_in_the_past_means_now_and_the_answer_says_when(
    client: httpx.AsyncClient,
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    for path, body in ((TASKS, TASK), (RUN, {"input": ADA, "wait_s": 30})):
        answer = await client.post(path, json=body | {"run_at": "2001-01-01T00:00:00Z"})
        assert answer.is_success, answer.text
        task_id = answer.json().get("id") or answer.json()["task_id"]
        found = (await client.get(f"{TASKS}/{task_id}", params={"wait_s": 30})).json()
        assert found["state"] == "succeeded"
        assert before < datetime.fromisoformat(found["run_at"]) < datetime.now(UTC)
