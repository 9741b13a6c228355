"""Tasks through HTTP: submitted one by one or many at once, listed, read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.local import local_installation, settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection, PostgresServer

TASKS = "/ai/tasks"
LATER = "2027-06-01T00:00:00Z"


@pytest.fixture
async def app(server: PostgresServer, database_name: str) -> AsyncGenerator[FastAPI]:
    async with local_installation(settings_for(server.app(database_name))) as app:
        yield app


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    """Clients of the whole installation, for the fixtures that need one."""
    async with signing_in(app) as client:
        yield client


def task(name: str = "Ada", **rest: Any) -> dict[str, Any]:
    return {"agent_type": "lead_analysis", "payload": {"lead_data": {"first_name": name}}} | rest


def pointers(answer: httpx.Response) -> list[str]:
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def stored(admin: AdminConnection) -> int:
    count: int = await admin.fetchval("SELECT count(*) FROM agent_tasks")
    return count


async def fill(admin: AdminConnection, claims: Claims, tasks: int) -> None:
    """Tasks that ended one way or the other, of two types."""
    await admin.execute(
        "INSERT INTO agent_tasks (agency_id, agent_type, state, fence, started_at, finished_at,"
        "                         error)"
        " SELECT $1, (ARRAY['lead_analysis', 'follow_up'])[1 + n % 2],"
        "        (ARRAY['succeeded', 'dead', 'cancelled'])[1 + n % 3], 1, now(), now(), '{}'"
        "   FROM generate_series(1, $2::integer) n",
        claims.agency_id,
        tasks,
    )


async def pages(api: httpx.AsyncClient, **params: Any) -> list[list[str]]:
    """The ids on every page of the list, by following the Link headers."""
    found: list[list[str]] = []
    answer = await api.get(TASKS, params=params)
    while True:
        assert answer.status_code == 200, answer.text
        found.append([item["id"] for item in answer.json()["items"]])
        link = answer.headers.get("link")
        assert (link is None) == (answer.json()["next_cursor"] is None)
        if link is None:
            return found
        target, rel = link.split("; ")
        assert rel == 'rel="next"'
        answer = await api.get(target.strip("<>"))


async def test_a_task_is_accepted_and_done(api: httpx.AsyncClient) -> None:
    answer = await api.post(TASKS, json=task(priority=9, max_retries=0))
    assert answer.status_code == 202
    made = answer.json()
    assert (made["state"], made["priority"], made["max_retries"]) == ("queued", 9, 0)
    assert answer.headers["location"] == f"{TASKS}/{made['id']}"
    found = (await api.get(answer.headers["location"], params={"wait_s": 30})).json()
    assert (found["state"], found["attempt"]) == ("succeeded", 0)
    assert found["result"]["provider"] == "rules"


async def test_many_tasks_are_accepted_in_their_order(api: httpx.AsyncClient) -> None:
    names = [f"lead {number}" for number in range(100)]
    answer = await api.post(TASKS, json={"tasks": [task(name, run_at=LATER) for name in names]})
    assert answer.status_code == 202
    items = answer.json()["items"]
    assert [item["payload"]["lead_data"]["first_name"] for item in items] == names
    (listed,) = await pages(api, limit=200)
    assert listed == [item["id"] for item in reversed(items)]


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"priority": 0}, "/tasks/1/priority"),
        ({"max_retries": 101}, "/tasks/1/max_retries"),
        ({"agent_type": "painter"}, "/tasks/1/agent_type"),
        ({"payload": {}}, "/tasks/1/payload"),
        ({"payload": {"lead_id": "x"}}, "/tasks/1/payload/lead_id"),
        ({"payload": {"lead_data": {"notes": "\x00"}}}, "/tasks/1/payload"),
        ({"run_at": "2099-01-01T00:00:00Z"}, "/tasks/1/run_at"),
        ({"run_at": "2027-01-01T00:00:00"}, "/tasks/1/run_at"),
        ({"unknown": 1}, "/tasks/1/unknown"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
async def test_one_faulty_task_of_many_is_named_and_none_is_accepted(
    api: httpx.AsyncClient, admin: AdminConnection, fault: dict[str, Any], pointer: str
) -> None:
    answer = await api.post(TASKS, json={"tasks": [task(), task() | fault, task()]})
    assert answer.status_code == 422, answer.text
    assert pointers(answer) == [pointer]
    assert await stored(admin) == 0


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"priority": 10}, "/priority"),
        ({"priority": 1.5}, "/priority"),
        ({"max_retries": -1}, "/max_retries"),
        ({"agent_type": "painter"}, "/agent_type"),
        ({"agent_type": "Lead Analysis"}, "/agent_type"),
        ({"payload": []}, "/payload"),
        ({"payload": {"lead_data": {}, "lead_id": str(uuid4())}}, "/payload"),
        ({"payload": {"lead_data": {"city": 7}}}, "/payload/lead_data/city"),
        ({"run_at": "tomorrow"}, "/run_at"),
        ({"run_at": "9999-12-31T23:59:59Z"}, "/run_at"),
        ({"idempotency_key": ""}, "/idempotency_key"),
        ({"idempotency_key": "x" * 256}, "/idempotency_key"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
async def test_a_faulty_task_is_named(
    api: httpx.AsyncClient, admin: AdminConnection, fault: dict[str, Any], pointer: str
) -> None:
    answer = await api.post(TASKS, json=task() | fault)
    assert answer.status_code == 422, answer.text
    assert pointers(answer) == [pointer]
    assert await stored(admin) == 0


@pytest.mark.parametrize("count", [0, 1001])
async def test_none_and_too_many_are_refused(
    api: httpx.AsyncClient, admin: AdminConnection, count: int
) -> None:
    answer = await api.post(TASKS, json={"tasks": [task()] * count})
    assert answer.status_code == 422
    assert pointers(answer) == ["/tasks"]
    assert await stored(admin) == 0


async def test_a_payload_has_a_cap_alone_and_among_others(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    large = {"lead_data": {"custom": {f"k{n}": "字" * 480 for n in range(100)}}}
    too_large = task(payload=large)
    for body, pointer in (
        (too_large, "/payload"),
        ({"tasks": [too_large]}, "/tasks/0/payload"),
        ({"tasks": [task(), too_large]}, "/tasks/1/payload"),
    ):
        answer = await api.post(TASKS, json=body)
        assert answer.status_code == 422, answer.text
        assert pointers(answer) == [pointer]
    assert await stored(admin) == 0


@pytest.mark.parametrize("depth", [b"[" * 900 + b"]" * 900, b"[" * 200_000], ids=["closed", "open"])
async def test_a_payload_nested_too_deeply_is_refused(api: httpx.AsyncClient, depth: bytes) -> None:
    body = b'{"agent_type": "lead_analysis", "payload": {"lead_data": ' + depth + b"}}"
    answer = await api.post(TASKS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


async def test_a_name_given_twice_is_one_task(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    named = task(run_at=LATER, idempotency_key="k")
    first = (await api.post(TASKS, json=named)).json()
    again = (await api.post(TASKS, json={"tasks": [named, task("Bob", run_at=LATER)]})).json()
    assert again["items"][0]["id"] == first["id"]
    assert again["items"][1]["id"] != first["id"]
    assert await stored(admin) == 2


async def test_a_name_for_other_work_is_refused_and_so_is_what_came_with_it(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    await api.post(TASKS, json=task(idempotency_key="k"))
    answer = await api.post(TASKS, json={"tasks": [task(), task("Bob", idempotency_key="k")]})
    assert answer.status_code == 409
    twice = await api.post(TASKS, json={"tasks": [task(idempotency_key="t")] * 2})
    assert twice.status_code == 422
    assert await stored(admin) == 1


async def test_a_submission_repeated_with_its_key_is_answered_alike(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"tasks": [task(), task("Bob")]}
    first = await api.post(TASKS, json=body, headers=key)
    again = await api.post(TASKS, json=body, headers=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    other = await api.post(TASKS, json=task(), headers=key)
    assert other.status_code == 409
    assert await stored(admin) == 2


async def test_a_task_for_later_waits_and_one_for_earlier_does_not_push_in(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    later = (await api.post(TASKS, json=task(run_at="2027-06-01T02:00:00+02:00"))).json()
    assert later["run_at"] == LATER
    before = datetime.now(UTC) - timedelta(seconds=5)
    early = (await api.post(TASKS, json=task(run_at="0001-01-01T00:00:00Z"))).json()
    assert datetime.fromisoformat(early["run_at"]) > before
    found = (await api.get(f"{TASKS}/{early['id']}", params={"wait_s": 30})).json()
    assert found["state"] == "succeeded"
    waiting = await admin.fetchval("SELECT state FROM agent_tasks WHERE run_at > now()")
    assert waiting == "queued"


async def test_who_only_reads_submits_nothing(
    reader: httpx.AsyncClient, admin: AdminConnection
) -> None:
    assert (await reader.post(TASKS, json=task())).status_code == 403
    assert (await reader.get(TASKS)).status_code == 200
    assert await stored(admin) == 0


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"state": "dead"},
        {"agent_type": "follow_up"},
        {"state": "succeeded", "agent_type": "lead_analysis"},
        {"state": "running"},
    ],
    ids=["none", "state", "type", "both", "nothing matches"],
)
@pytest.mark.parametrize("limit", [1, 7, 200])
async def test_pages_divide_the_list_among_them(
    api: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    stranger: Claims,
    *,
    filters: dict[str, str],
    limit: int,
) -> None:
    await fill(admin, owner, 23)
    await fill(admin, stranger, 5)
    whole = (await api.get(TASKS, params={"limit": 200})).json()["items"]
    assert len(whole) == 23
    assert whole == sorted(whole, key=lambda item: item["id"], reverse=True)
    found = await pages(api, limit=limit, **filters)
    matching = [item["id"] for item in whole if filters.items() <= item.items()]
    assert [task_id for page in found for task_id in page] == matching
    assert all(len(page) == limit for page in found[:-1])


async def test_a_cursor_is_good_for_its_own_list_only(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    await fill(admin, owner, 5)
    cursor = (await api.get(TASKS, params={"limit": 2})).json()["next_cursor"]
    assert (await api.get(TASKS, params={"limit": 3, "cursor": cursor})).status_code == 200
    tampered = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    refused = [
        await api.get(TASKS, params={"cursor": cursor, "state": "dead"}),
        await api.get(TASKS, params={"cursor": cursor, "agent_type": "follow_up"}),
        await outsider.get(TASKS, params={"cursor": cursor}),
        await api.get("/v1/leads", params={"cursor": cursor}),
        *[await api.get(TASKS, params={"cursor": c}) for c in (tampered, "x", "", "é")],
    ]
    for answer in refused:
        assert answer.status_code == 400, answer.text
        assert answer.json()["type"] == "urn:gardenos:problem:invalid-cursor"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=99999999999999999999999999",
        "limit=1e3",
        "limit=",
        "limit=1&limit=2",
        "state=failed",
        "agent_type=Lead%20Analysis",
        "agent_type=x%00",
        f"cursor={'x' * 1001}",
        "colour=red",
        "wait_s=1",
    ],
)
async def test_a_parameter_that_is_none_is_refused(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"{TASKS}?{query}")
    assert answer.status_code == 400, answer.text
    assert pointers(answer) == [query.partition("=")[0]]


@pytest.mark.parametrize("wait", ["-1", "61", "inf", "nan", "long", ""])
async def test_nobody_waits_for_ever(api: httpx.AsyncClient, wait: str) -> None:
    made = (await api.post(TASKS, json=task(run_at=LATER))).json()
    answer = await api.get(f"{TASKS}/{made['id']}", params={"wait_s": wait})
    assert answer.status_code == 400
    assert pointers(answer) == ["wait_s"]


@pytest.mark.parametrize("task_id", ["1", "x" * 300, "%00", "null"])
async def test_what_is_no_id_is_named(api: httpx.AsyncClient, task_id: str) -> None:
    answer = await api.get(f"{TASKS}/{task_id}")
    assert answer.status_code == 400
    assert pointers(answer) == ["task_id"]
