"""Tasks cancelled and replayed through HTTP, one and many, by members and by operators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from gardenos.core.claims import UserRole
from gardenos.db.session import Role
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.testing.postgres import make_member
from tests.support.local import eventually, settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

TASKS, CANCEL, REPLAY = "/ai/tasks", "/ai/tasks/cancel", "/ai/tasks/replay"
ACTIONS = "/ai/operator-actions"
STATES = ("queued", "running", "succeeded", "dead", "cancelled")
INSERT = """
INSERT INTO agent_tasks (agency_id, agent_type, state, priority, attempt, max_retries, fence, started_at,
                         finished_at, lease_until, leased_by, error, created_at)
SELECT $1, $2, $3, $4,
       CASE WHEN $3 = 'dead' THEN 4 ELSE 0 END, 3, 1, now(),
       CASE WHEN $3 IN ('succeeded', 'dead', 'cancelled') THEN now() END,
       CASE WHEN $3 = 'running' THEN now() + interval '1 hour' END,
       CASE WHEN $3 = 'running' THEN 'somebody' END,
       CASE WHEN $3 = 'dead' THEN '{"code": "failed", "detail": "It never works."}'::jsonb END,
       coalesce($5, now())
RETURNING id
"""


@pytest.fixture
def app(db: Database, server: PostgresServer, database_name: str) -> FastAPI:
    """The API alone: nothing dispatches, so that tasks stay as they are put."""
    return create_api(compose(settings_for(server.app(database_name)), db))


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    async with signing_in(app) as client:
        yield client


@pytest.fixture
async def operator(admin: AdminConnection) -> Claims:
    return await make_member(admin, operator=True)


@pytest.fixture
def operating(
    sign_in: Callable[[Claims], httpx.AsyncClient], operator: Claims
) -> httpx.AsyncClient:
    return sign_in(operator)


async def put(
    admin: AdminConnection,
    claims: Claims,
    state: str = "queued",
    *,
    agent_type: str = "lead_analysis",
    priority: int = 5,
    created_at: Any = None,
) -> str:
    """A task in a state; its id."""
    row = await admin.fetchval(INSERT, claims.agency_id, agent_type, state, priority, created_at)
    return str(row)


async def states(admin: AdminConnection) -> dict[str, int]:
    rows = await admin.fetch("SELECT state, count(*) FROM agent_tasks GROUP BY state")
    return {row["state"]: row["count"] for row in rows}


async def heard(server: PostgresServer, name: str, channel: str, act: Awaitable[None]) -> list[str]:
    """The payloads notified on a channel while `act` runs."""
    listener = await asyncpg.connect(server.admin(name))
    payloads: list[str] = []

    def hear(_conn: object, _pid: int, _channel: str, payload: object) -> None:
        payloads.append(str(payload))

    try:
        await listener.add_listener(channel, hear)
        await act
        await listener.fetchval("SELECT 1")
        return payloads
    finally:
        await listener.close()


# -- cancelling one --------------------------------------------------------------------------


async def test_a_queued_task_ends_at_once_and_whoever_waits_is_told(
    api: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    server: PostgresServer,
    database_name: str,
) -> None:
    task_id = await put(admin, owner)

    async def cancel() -> None:
        answer = await api.post(f"{TASKS}/{task_id}/cancel")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["state"], told["error"]["code"]) == ("cancelled", "cancelled")
        assert told["finished_at"]
        assert told["cancel_requested_at"]

    assert await heard(server, database_name, "gardenos_task_finished", cancel()) == [task_id]
    assert await admin.fetchval("SELECT cancelled_by FROM agent_tasks") == owner.sub


async def test_a_running_task_is_marked_and_asking_again_changes_nothing(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    task_id = await put(admin, owner, "running")
    answers = [await api.post(f"{TASKS}/{task_id}/cancel") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    first, second = (answer.json() for answer in answers)
    assert first["state"] == "running"
    assert first["cancel_requested_at"] == second["cancel_requested_at"] is not None


@pytest.mark.parametrize("state", ["succeeded", "dead", "cancelled"])
async def test_what_has_ended_stays_as_it_is(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, state: str
) -> None:
    task_id = await put(admin, owner, state)
    answer = await api.post(f"{TASKS}/{task_id}/cancel")
    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        f"The task {task_id} has ended as {state}: there is nothing left to cancel."
    )
    assert await states(admin) == {state: 1}


async def test_a_cancel_repeated_with_its_key_is_answered_alike(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    task_id = await put(admin, owner)
    key = {"Idempotency-Key": "once"}
    first = await api.post(f"{TASKS}/{task_id}/cancel", headers=key)
    again = await api.post(f"{TASKS}/{task_id}/cancel", headers=key)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    other = await put(admin, owner)
    assert (await api.post(f"{TASKS}/{other}/cancel", headers=key)).status_code == 409
    assert (await api.get(f"{TASKS}/{other}")).json()["state"] == "queued"


@pytest.mark.parametrize("act", ["cancel", "replay"])
async def test_who_only_reads_and_who_is_not_of_the_agency_change_nothing(
    api: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    admin: AdminConnection,
    *,
    owner: Claims,
    act: str,
) -> None:
    state = "queued" if act == "cancel" else "dead"
    task_id = await put(admin, owner, state)
    assert (await reader.post(f"{TASKS}/{task_id}/{act}")).status_code == 403
    assert (await outsider.post(f"{TASKS}/{task_id}/{act}")).status_code == 404
    assert (await api.post(f"{TASKS}/{uuid4()}/{act}")).status_code == 404
    for client in (reader, outsider):
        done = await client.post(f"{TASKS}/{act}", json={"all": True})
        assert done.status_code in (200, 403)
    assert await states(admin) == {state: 1}


async def test_a_member_cannot_write_a_state_past_the_routes(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    await put(admin, owner, "dead")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.session(owner) as session:
            await session.execute("UPDATE agent_tasks SET state = 'queued'")


# -- cancelling many -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "ended", "marked"),
    [
        ({"all": True}, 4, 2),
        ({"state": "queued"}, 4, 0),
        ({"state": "running"}, 0, 2),
        ({"agent_type": "follow_up"}, 1, 0),
        ({"priority": 1}, 1, 1),
        ({"priority": 1, "state": "queued"}, 1, 0),
        ({"created_before": "2026-01-01T00:00:00Z"}, 1, 0),
        ({"agent_type": "painter"}, 0, 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
async def test_the_tasks_that_match_are_cancelled_and_counted(
    api: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    stranger: Claims,
    *,
    wanted: dict[str, Any],
    ended: int,
    marked: int,
) -> None:
    for state in STATES:
        await put(admin, owner, state)
    await put(admin, owner, agent_type="follow_up")
    await put(admin, owner, priority=1)
    await put(admin, owner, "running", priority=1)
    old = await admin.fetchval("SELECT '2025-01-01T00:00:00Z'::timestamptz")
    await put(admin, owner, created_at=old)
    theirs = await put(admin, stranger)
    answer = await api.post(CANCEL, json=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"cancelled": ended, "cancelling": marked, "more": False}
    counts = await states(admin)
    assert counts["cancelled"] == 1 + ended
    assert (counts["succeeded"], counts["dead"]) == (1, 1)
    asked = "SELECT count(*) FROM agent_tasks WHERE state = 'running' AND cancel_requested_at IS NOT NULL"
    assert await admin.fetchval(asked) == marked
    stays = "SELECT state FROM agent_tasks WHERE id = $1::text::uuid"
    assert await admin.fetchval(stays, theirs) == "queued"


async def test_many_are_cancelled_in_steps_the_oldest_first(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    ids = [await put(admin, owner) for _ in range(5)]
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["more"]:
        seen.append((await api.post(CANCEL, json={"all": True, "limit": 2})).json())
        ended = await admin.fetch(
            "SELECT id FROM agent_tasks WHERE state = 'cancelled' ORDER BY id"
        )
        assert [str(row["id"]) for row in ended] == ids[: len(ended)]
    assert [step["cancelled"] for step in seen] == [2, 2, 1]


@pytest.mark.parametrize("path", [CANCEL, REPLAY])
async def test_all_must_be_meant(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, path: str
) -> None:
    await put(admin, owner, "queued")
    await put(admin, owner, "dead")
    for body in ({}, {"limit": 5}, {"all": False}, {"all": "yes"}, {"states": "queued"}):
        assert (await api.post(path, json=body)).status_code == 422
    for limit in (0, 10_001, "5"):
        answer = await api.post(path, json={"all": True, "limit": limit})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/limit"
    assert await states(admin) == {"queued": 1, "dead": 1}


@pytest.mark.parametrize("path", [CANCEL, REPLAY])
async def test_what_only_takes_a_post_says_so(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# -- replaying -------------------------------------------------------------------------------


async def test_a_dead_task_is_queued_again_with_fresh_retries(
    api: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    server: PostgresServer,
    database_name: str,
) -> None:
    task_id = await put(admin, owner, "dead")
    [dead] = (await api.get(TASKS, params={"state": "dead"})).json()["items"]
    assert (dead["id"], dead["attempt"], dead["error"]["code"]) == (task_id, 4, "failed")
    # Somebody had asked for its end while it ran and failed.
    await admin.execute("UPDATE agent_tasks SET cancel_requested_at = now()")

    async def replay() -> None:
        answer = await api.post(f"{TASKS}/{task_id}/replay")
        assert answer.status_code == 202, answer.text
        told = answer.json()
        assert (told["state"], told["attempt"], told["finished_at"]) == ("queued", 0, None)
        assert told["cancel_requested_at"] is None

    hints = await heard(server, database_name, "gardenos_task_queued", replay())
    assert hints == ["lead_analysis"]
    again = await api.post(f"{TASKS}/{task_id}/replay")
    assert again.status_code == 409
    assert "is queued. Only a dead one can be replayed" in again.json()["detail"]


async def test_the_dead_that_match_are_queued_again(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, stranger: Claims
) -> None:
    for state in STATES:
        await put(admin, owner, state)
    await put(admin, owner, "dead", agent_type="follow_up")
    await put(admin, stranger, "dead")
    done = await api.post(REPLAY, json={"agent_type": "follow_up"})
    assert done.json() == {"replayed": 1, "more": False}
    done = await api.post(REPLAY, json={"all": True, "limit": 1})
    assert done.json() == {"replayed": 1, "more": True}
    assert (await api.post(REPLAY, json={"all": True})).json() == {"replayed": 0, "more": False}
    assert await states(admin) == {
        "queued": 3,
        "running": 1,
        "succeeded": 1,
        "cancelled": 1,
        "dead": 1,
    }


# -- operators -------------------------------------------------------------------------------


async def test_an_operator_acts_on_any_agencys_tasks_and_it_is_written_down(
    operating: httpx.AsyncClient, operator: Claims, admin: AdminConnection, owner: Claims
) -> None:
    queued, dead = await put(admin, owner), await put(admin, owner, "dead")
    assert (await operating.get(f"{TASKS}/{queued}")).json()["state"] == "queued"
    assert (await operating.post(f"{TASKS}/{queued}/cancel")).status_code == 200
    assert (await operating.post(f"{TASKS}/{dead}/replay")).status_code == 202
    agency = {"agency_id": str(owner.agency_id)}
    listed = await operating.get(TASKS, params=agency)
    assert {item["id"] for item in listed.json()["items"]} == {queued, dead}
    assert (await operating.get(TASKS)).json()["items"] == []
    done = await operating.post(CANCEL, json={"state": "queued", **agency})
    assert done.json()["cancelled"] == 1
    told = (await operating.get(ACTIONS)).json()["items"]
    assert [(each["action"], each["target"]) for each in told] == [
        ("cancel", f"agency {owner.agency_id}"),
        ("replay", f"task {dead}"),
        ("cancel", f"task {queued}"),
    ]
    assert {each["actor"] for each in told} == {str(operator.sub)}
    assert told[0]["detail"] == {"limit": 1000, "state": "queued", "cancelled": 1}


async def test_an_operator_replays_the_dead_of_every_agency(
    operating: httpx.AsyncClient, admin: AdminConnection, owner: Claims, stranger: Claims
) -> None:
    for claims in (owner, stranger):
        await put(admin, claims, "dead")
    done = await operating.post(REPLAY, json={"all": True, "every_agency": True})
    assert done.json() == {"replayed": 2, "more": False}
    [told] = (await operating.get(ACTIONS)).json()["items"]
    assert (told["action"], told["target"]) == ("replay", "every agency")


async def test_what_an_operator_does_and_its_record_stand_or_fall_together(
    operating: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    task_id = await put(admin, owner)
    await admin.execute("ALTER TABLE operator_actions ADD CONSTRAINT no_more CHECK (false)")
    answer = await operating.post(f"{TASKS}/{task_id}/cancel")
    assert answer.status_code == 500
    assert await states(admin) == {"queued": 1}


@pytest.mark.parametrize("role", list(UserRole))
async def test_no_member_reaches_past_the_agency(
    sign_in: Callable[[Claims], httpx.AsyncClient],
    admin: AdminConnection,
    stranger: Claims,
    role: UserRole,
) -> None:
    await put(admin, stranger)
    await put(admin, stranger, "dead")
    member = sign_in(await make_member(admin, role=role))
    whose = {"agency_id": str(stranger.agency_id)}
    answers = [
        await member.get(TASKS, params=whose),
        await member.get(ACTIONS),
        *[
            await member.post(path, json={"all": True, **reach})
            for path in (CANCEL, REPLAY)
            for reach in (whose, {"every_agency": True})
        ],
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert await states(admin) == {"queued": 1, "dead": 1}


async def test_an_agency_and_every_agency_contradict_each_other(
    operating: httpx.AsyncClient, owner: Claims
) -> None:
    both = {"all": True, "every_agency": True, "agency_id": str(owner.agency_id)}
    assert (await operating.post(CANCEL, json=both)).status_code == 400


async def test_records_are_paged_and_only_added_to(
    operating: httpx.AsyncClient, admin: AdminConnection, owner: Claims, db: Database
) -> None:
    for _ in range(3):
        assert (
            await operating.post(f"{TASKS}/{await put(admin, owner)}/cancel")
        ).status_code == 200
    first = (await operating.get(ACTIONS, params={"limit": 2})).json()
    rest = await operating.get(ACTIONS, params={"limit": 2, "cursor": first["next_cursor"]})
    ids = [each["id"] for each in [*first["items"], *rest.json()["items"]]]
    assert len(set(ids)) == 3
    assert ids == sorted(ids, reverse=True)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.system(Role.WORKER) as session:
            await session.execute("DELETE FROM operator_actions")


async def test_a_cancel_waits_for_a_lease_in_the_making_and_marks_what_runs(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    task_id = await put(admin, owner)
    async with admin.transaction():
        await admin.execute(
            "UPDATE agent_tasks SET state = 'running', fence = 2, leased_by = 'x', started_at = now(),"
            " lease_until = now() + interval '1 hour'"
        )
        asking = asyncio.create_task(api.post(f"{TASKS}/{task_id}/cancel"))
        blocked = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
        await eventually(lambda: admin.fetchval(blocked), bool)
    answer = await asking
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
