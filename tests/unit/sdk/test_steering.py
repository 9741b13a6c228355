"""Steering the queue through both clients: cancel, replay, schedules, pauses, limits, any agent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from gardenos.core.errors import Conflict, NotFound
from gardenos.sdk import (
    AsyncGardenOS,
    GardenOS,
    Schedule,
    TaskFailed,
    UnexpectedAnswer,
    Unreachable,
)
from gardenos.testing import samples
from gardenos.testing.wire import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gardenos.sdk import Change
    from gardenos.testing.wire import Wire

AGENCY = UUID(int=9)
EVENTS = f"GET /ai/tasks/{samples.TASK_ID}/events"


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)


def schedule(**fields: Any) -> dict[str, Any]:
    return {
        "id": str(UUID(int=5)),
        "name": "Daily",
        "agent_type": "lead_analysis",
        "payload": {},
        "priority": 5,
        "max_retries": 3,
        "cron": "0 7 * * *",
        "time_zone": "UTC",
        "enabled": True,
        "next_runs": ["2026-12-01T07:00:00Z"],
        "last_run_at": None,
        "last_task_id": None,
        "version": 4,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **fields,
    }


def stream(*events: tuple[str, str, str]) -> httpx.Response:
    """Events of a task (name, id, state), as the server sends them."""
    told = "".join(
        f": ping\n\nid: {event_id}\nevent: {name}\ndata: {json.dumps(samples.task(state=state))}\n\n"
        for name, event_id, state in events
    )
    return httpx.Response(200, text=told, headers={"Content-Type": "text/event-stream"})


# -- any agent -------------------------------------------------------------------------------


async def test_any_agent_is_run_by_its_type(wire: Wire, agarden: AsyncGardenOS) -> None:
    wire.will(httpx.Response(200, json=samples.answer({"title": "Hello", "task_id": "its own"})))
    run = await agarden.agents.run("headline_writer", {"about": "tea"}, priority=2, max_retries=0)
    assert (run.task_id, run.output["title"]) == (samples.TASK_ID, "Hello")
    assert run.output["task_id"] == "its own"
    assert wire.paths == ["POST /ai/agents/headline_writer/run"]
    assert body(wire.asked[0]) == {
        "input": {"about": "tea"},
        "priority": 2,
        "max_retries": 0,
        "wait_s": 20,
    }


def test_a_run_that_takes_longer_is_waited_for_and_its_failure_told(
    wire: Wire, garden: GardenOS
) -> None:
    wire.will(
        httpx.Response(202, json=samples.answer(None, state="queued")),
        httpx.Response(200, json=samples.task(state="dead", error={"detail": "No ink."})),
    )
    with pytest.raises(TaskFailed, match="is dead: No ink"):
        garden.agents.run("headline_writer", {})


def test_types_come_with_their_schemas(wire: Wire, garden: GardenOS) -> None:
    described = {"agent_type": "a", "summary": "Does.", "input_schema": {"type": "object"}}
    wire.will(httpx.Response(200, json={"items": [described]}))
    assert garden.agents.types().items[0].input_schema == {"type": "object"}


# -- tasks -----------------------------------------------------------------------------------


def test_a_task_is_cancelled_and_a_dead_one_replayed(wire: Wire, garden: GardenOS) -> None:
    marked = samples.task(state="running", cancel_requested_at="2026-01-01T00:00:00Z")
    wire.will(
        httpx.Response(202, json=marked),
        problem(409, "conflict", "has ended"),
        httpx.Response(202, json=samples.task()),
    )
    assert garden.tasks.cancel(samples.TASK_ID).cancel_requested_at is not None
    with pytest.raises(Conflict, match="has ended"):
        garden.tasks.cancel(samples.TASK_ID)
    assert garden.tasks.replay(samples.TASK_ID, idempotency_key="k").state == "queued"
    assert wire.paths[2] == f"POST /ai/tasks/{samples.TASK_ID}/replay"
    assert wire.asked[2].headers["Idempotency-Key"] == "k"


async def test_many_are_cancelled_and_replayed_by_what_matches(
    wire: Wire, agarden: AsyncGardenOS
) -> None:
    wire.will(
        httpx.Response(200, json={"cancelled": 3, "cancelling": 1, "more": False}),
        httpx.Response(200, json={"replayed": 7, "more": True}),
    )
    before = datetime(2026, 1, 1, tzinfo=UTC)
    done = await agarden.tasks.cancel_all(
        state="queued", agent_type="follow_up", created_before=before, agency_id=AGENCY
    )
    assert (done.cancelled, done.cancelling) == (3, 1)
    assert (await agarden.tasks.replay_all(all=True, every_agency=True, limit=7)).more
    assert body(wire.asked[0]) == {
        "state": "queued",
        "agent_type": "follow_up",
        "created_before": "2026-01-01T00:00:00+00:00",
        "agency_id": str(AGENCY),
    }
    assert body(wire.asked[1]) == {"all": True, "every_agency": True, "limit": 7}


# -- following -------------------------------------------------------------------------------


async def test_a_stream_that_breaks_is_taken_up_where_it_broke(
    wire: Wire, garden: GardenOS, agarden: AsyncGardenOS
) -> None:
    def answers() -> None:
        wire.will(
            stream(("queued", "0.queued", "queued"), ("running", "1.running", "running")),
            httpx.ConnectError("refused"),
            httpx.Response(404, text="Nothing here."),
            problem(503, "unavailable", retry_after_s=2),
            stream(("finished", "1.succeeded", "succeeded")),
        )

    answers()
    assert [task.state for task in garden.tasks.follow(samples.TASK_ID)] == [
        "queued",
        "running",
        "succeeded",
    ]
    answers()
    followed = [task.state async for task in agarden.tasks.follow(samples.TASK_ID)]
    assert followed[-1] == "succeeded"
    assert wire.paths == [EVENTS] * 10
    assert [request.headers.get("Last-Event-ID") for request in wire.asked[:5]] == [
        None,
        "1.running",
        "1.running",
        "1.running",
        "1.running",
    ]
    assert wire.asked[0].headers["Accept"] == "text/event-stream"


def test_what_has_ended_needs_no_following(wire: Wire, garden: GardenOS) -> None:
    wire.will(stream(("running", "1.running", "running")), httpx.Response(204))
    assert [task.state for task in garden.tasks.follow(samples.TASK_ID)] == ["running"]


async def test_a_refusal_ends_it_and_so_do_breaks_without_end(
    wire: Wire, garden: GardenOS, agarden: AsyncGardenOS
) -> None:
    wire.will(*[problem(404, "not-found") for _ in range(2)])
    with pytest.raises(NotFound):
        next(garden.tasks.follow(samples.TASK_ID))
    with pytest.raises(NotFound):
        await anext(agarden.tasks.follow(samples.TASK_ID))
    wire.will(*[httpx.ConnectError("refused") for _ in range(40)])
    with pytest.raises(Unreachable, match="refused"):
        next(garden.tasks.follow(samples.TASK_ID))
    assert 5 < len(wire.slept) < 20
    assert wire.slept == sorted(wire.slept)
    wire.answers[:] = [stream() for _ in range(40)]
    with pytest.raises(Unreachable, match="breaks off"):
        next(garden.tasks.follow(samples.TASK_ID))


async def test_changes_are_followed_from_where_one_was(
    wire: Wire, garden: GardenOS, agarden: AsyncGardenOS
) -> None:
    change = {"entity": "leads", "id": str(AGENCY), "verb": "update", "at": "2026-01-01T00:00:00Z"}
    told = f"id: b\nevent: change\ndata: {json.dumps(change)}\n\n"

    def answers() -> None:
        wire.will(
            httpx.Response(200, text="id: a\nevent: ready\ndata: {}\n\n" + told),
            httpx.Response(200, text="id: c\nevent: resync\ndata: {}\n\n"),
        )

    answers()
    followed = garden.events.follow(["leads", "deals"], since="0")
    assert [(c.event, c.event_id) for c in islice(followed, 3)] == [
        ("ready", "a"),
        ("change", "b"),
        ("resync", "c"),
    ]
    assert [r.headers.get("Last-Event-ID") for r in wire.asked] == ["0", "b"]
    assert wire.asked[0].url.params["entities"] == "leads,deals"
    answers()
    one = [c async for c in _first(agarden.events.follow(), 2)][1]
    assert (one.entity, one.id, one.verb) == ("leads", str(AGENCY), "update")
    assert wire.asked[2].headers.get("Last-Event-ID") is None
    wire.answers[:] = [httpx.Response(200, text="event: change\ndata: [1]\n\n")]
    with pytest.raises(UnexpectedAnswer, match="none of a change"):
        next(garden.events.follow())


async def _first(stream: AsyncIterator[Change], count: int) -> AsyncIterator[Change]:
    for _ in range(count):
        yield await anext(stream)


def test_secrets_are_given_and_not_printed(wire: Wire, garden: GardenOS) -> None:
    key = {
        "id": str(AGENCY),
        "name": "till",
        "role": "agent",
        "scopes": ["leads:read"],
        "user_id": str(AGENCY),
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": None,
        "last_used_at": None,
        "revoked_at": None,
        "key": "gk_secret",
    }
    wire.will(httpx.Response(201, json=key), httpx.Response(204))
    made = garden.api_keys.create("till", scopes=["leads:read"], role="agent")
    assert made.key is not None
    assert made.key.get_secret_value() == "gk_secret"
    assert "gk_secret" not in repr(made)
    garden.api_keys.revoke(made)
    assert body(wire.asked[0]) == {"name": "till", "scopes": ["leads:read"], "role": "agent"}
    assert wire.paths[1] == f"DELETE /v1/api-keys/{AGENCY}"


# -- schedules, pauses, limits ---------------------------------------------------------------


def test_a_schedule_is_changed_as_it_was_read(wire: Wire, garden: GardenOS) -> None:
    wire.will(
        httpx.Response(201, json=schedule()),
        httpx.Response(200, json=schedule(enabled=False, next_runs=[])),
        httpx.Response(200, json={"items": [schedule()], "next_cursor": None}),
        httpx.Response(204),
    )
    made = garden.schedules.create(name="Daily", agent_type="lead_analysis", cron="0 7 * * *")
    assert isinstance(made, Schedule)
    assert made.next_runs == (datetime(2026, 12, 1, 7, tzinfo=UTC),)
    assert garden.schedules.change(made, enabled=False).next_runs == ()
    assert [each.name for each in garden.schedules.list()] == ["Daily"]
    garden.schedules.delete(made)
    assert body(wire.asked[0]) == {
        "name": "Daily",
        "agent_type": "lead_analysis",
        "cron": "0 7 * * *",
    }
    assert wire.asked[1].headers["If-Match"] == '"4"'
    assert body(wire.asked[1]) == {"enabled": False}
    assert wire.paths[3] == f"DELETE /ai/schedules/{UUID(int=5)}"


async def test_pauses_and_limits_say_whose(wire: Wire, agarden: AsyncGardenOS) -> None:
    paused = {"agency_id": None, "agent_type": "a", "reason": "r", "set_at": "2026-01-01T00:00:00Z"}
    limit = {"weight": 2, "monthly_usd": "9.50", "set_at": "2026-01-01T00:00:00Z"}
    wire.will(
        httpx.Response(200, json=paused),
        httpx.Response(204),
        httpx.Response(200, json=limit),
        httpx.Response(204),
        httpx.Response(200, json={"items": [limit]}),
    )
    assert (await agarden.pauses.pause("a", reason="r", every_agency=True)).agent_type == "a"
    await agarden.pauses.resume()
    set_ = await agarden.limits.put({"monthly_usd": Decimal("9.50")}, agency_id=AGENCY)
    assert (set_.weight, set_.monthly_usd) == (2, Decimal("9.50"))
    await agarden.limits.lift(agent_type="a")
    assert len((await agarden.limits.list()).items) == 1
    assert [dict(request.url.params) for request in wire.asked] == [
        {"agent_type": "a", "every_agency": "true"},
        {},
        {"agency_id": str(AGENCY)},
        {"agent_type": "a"},
        {},
    ]
    assert body(wire.asked[0]) == {"reason": "r"}
    assert body(wire.asked[2]) == {"monthly_usd": "9.50"}


def test_what_operators_did_is_listed(wire: Wire, garden: GardenOS) -> None:
    action = {
        "id": str(UUID(int=7)),
        "at": "2026-01-01T00:00:00Z",
        "actor": str(AGENCY),
        "action": "scale",
        "target": "agents a",
        "detail": {"replicas": 5},
    }
    wire.will(httpx.Response(200, json={"items": [action], "next_cursor": None}))
    assert [each.detail["replicas"] for each in garden.orchestrator.actions()] == [5]
