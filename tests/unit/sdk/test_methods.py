from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import httpx
import psutil
import pytest
from pydantic import ValidationError

from gardenos.core.errors import NotFound
from gardenos.sdk import (
    AgentTask,
    Analysis,
    AsyncGardenOS,
    GardenOS,
    Lead,
    Scaling,
    TaskFailed,
    TaskUnfinished,
    Unreachable,
)
from gardenos.testing import samples
from gardenos.testing.wire import problem

if TYPE_CHECKING:
    from gardenos.testing.wire import Wire

JOHN = {"first_name": "John", "company": "TechCorp", "source": "website"}
SCALED = {"agent_type": "lead_analysis", "replicas": 5, "expires_at": None}


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)


def page(*ids: int, next_cursor: str | None) -> httpx.Response:
    items = [samples.lead(id=f"00000000-0000-0000-0000-{n:012}") for n in ids]
    return httpx.Response(200, json={"items": items, "next_cursor": next_cursor, "total": None})


# -- the brief's examples ------------------------------------------------------------------


async def test_the_briefs_examples_read_as_written(wire: Wire, agarden: AsyncGardenOS) -> None:
    orchestrator = agarden.orchestrator
    wire.will(
        httpx.Response(200, json=SCALED),
        httpx.Response(200, json=samples.answer(samples.ANALYSIS)),
        httpx.Response(200, json=samples.answer(samples.FOLLOW_UP)),
    )
    scaled = await orchestrator.scale_agents("lead_analysis", 5)
    analysis = await orchestrator.analyze_lead(
        {"first_name": "John", "company": "TechCorp", "source": "website"}
    )
    follow_up = await orchestrator.generate_follow_up(
        {"first_name": "John", "company": "TechCorp"}, context="Initial consultation call"
    )
    assert scaled.replicas == 5
    assert analysis.quality_score == analysis["quality_score"] == 72
    assert analysis.conversion_probability == analysis["conversion_probability"] == 0.41
    assert analysis.next_actions == ("Call within a day",)
    assert follow_up.subject == "Our call"
    assert follow_up["full_message"].startswith("Hello John")
    assert wire.paths == [
        "POST /ai/agents/lead_analysis/scale",
        "POST /ai/leads/analyze",
        "POST /ai/follow-ups",
    ]
    assert body(wire.asked[0]) == {"replicas": 5}
    assert body(wire.asked[1])["lead"] == JOHN
    assert body(wire.asked[2])["context"] == "Initial consultation call"


def test_the_sync_client_does_the_same_without_await(wire: Wire, garden: GardenOS) -> None:
    wire.will(
        httpx.Response(200, json=SCALED),
        httpx.Response(200, json=samples.answer(samples.ANALYSIS)),
    )
    assert garden.orchestrator.scale_agents("lead_analysis", 5, ttl_s=600).replicas == 5
    assert garden.orchestrator.analyze_lead(JOHN).quality_score == 72
    assert body(wire.asked[0]) == {"replicas": 5, "ttl_s": 600}


async def test_a_type_checker_sees_which_client_it_is(
    garden: GardenOS, agarden: AsyncGardenOS
) -> None:
    assert_type(garden.leads.list({"status": "new"}), Iterator[Lead])
    assert_type(agarden.leads.list({"status": "new"}), AsyncIterator[Lead])
    waiting = agarden.orchestrator.scale_agents("lead_analysis", 5)
    _ = assert_type(waiting, Coroutine[Any, Any, Scaling])
    waiting.close()


# -- analysing and drafting ----------------------------------------------------------------


def test_a_stored_lead_is_named_by_its_id(wire: Wire, garden: GardenOS) -> None:
    stored = Lead.model_validate(samples.lead())
    for lead in (stored, samples.LEAD_ID, str(samples.LEAD_ID)):
        wire.will(httpx.Response(200, json=samples.answer(samples.ANALYSIS)))
        garden.orchestrator.analyze_lead(lead, priority=1)
    assert all(
        body(request) == {"lead_id": str(samples.LEAD_ID), "priority": 1, "wait_s": 20}
        for request in wire.asked
    )


def test_an_accepted_analysis_is_waited_for(wire: Wire, garden: GardenOS) -> None:
    def holds_on(request: httpx.Request) -> httpx.Response:
        wire.time += float(request.url.params["wait_s"])
        return httpx.Response(200, json=samples.task(state="running"))

    wire.will(
        httpx.Response(202, json=samples.answer(None, state="queued")),
        holds_on,
        httpx.Response(200, json=samples.task(state="succeeded", result=samples.ANALYSIS)),
    )
    analysis = garden.orchestrator.analyze_lead(JOHN)
    assert analysis.task_id == samples.TASK_ID
    assert analysis.reasons[0].contribution == 8.0
    assert wire.paths[1:] == [f"GET /ai/tasks/{samples.TASK_ID}"] * 2
    assert wire.slept == []
    assert wire.asked[1].extensions["timeout"]["read"] == 50


def test_an_analysis_that_takes_too_long_says_where_it_is(wire: Wire, garden: GardenOS) -> None:
    def holds_on(request: httpx.Request) -> httpx.Response:
        wire.time += float(request.url.params["wait_s"])
        return httpx.Response(200, json=samples.task(state="queued"))

    wire.will(httpx.Response(202, json=samples.answer(None, state="queued")), *[holds_on] * 3)
    with pytest.raises(TaskUnfinished, match="still queued after 45 s") as caught:
        garden.orchestrator.analyze_lead(JOHN, timeout_s=45)
    assert caught.value.task_id == samples.TASK_ID
    assert [request.url.params.get("wait_s") for request in wire.asked[1:]] == ["20", "20", "5"]


def test_a_server_that_does_not_hold_on_is_not_asked_in_a_tight_loop(
    wire: Wire, garden: GardenOS
) -> None:
    wire.will(*[httpx.Response(200, json=samples.task(state="running")) for _ in range(100)])
    with pytest.raises(TaskUnfinished):
        garden.tasks.wait(samples.TASK_ID, timeout_s=10)
    assert len(wire.asked) <= 21


@pytest.mark.parametrize("state", ["dead", "cancelled"])
def test_an_agent_that_gave_up_says_why(wire: Wire, garden: GardenOS, state: str) -> None:
    error = {"code": "failed", "detail": "The lead is gone."}
    wire.will(
        httpx.Response(200, json=samples.answer(None, state=state, error=error)),
        httpx.Response(202, json=samples.answer(None, state="running")),
        httpx.Response(200, json=samples.task(state=state, error=error)),
    )
    for _ in range(2):
        with pytest.raises(TaskFailed, match=f"is {state}: The lead is gone") as caught:
            garden.orchestrator.analyze_lead(JOHN)
        assert caught.value.state == state


# -- tasks ---------------------------------------------------------------------------------


def test_a_task_of_the_brief_is_submitted_under_its_name(wire: Wire, garden: GardenOS) -> None:
    task = AgentTask(
        id="größe-abc123",
        priority=1,
        payload={"lead_data": {"first_name": "John", "phone": None}},
        max_retries=3,
    )
    wire.will(*[httpx.Response(202, json=samples.task()) for _ in range(2)])
    assert garden.orchestrator.submit(task).state == "queued"
    garden.orchestrator.submit(AgentTask(payload={}))
    assert "idempotency_key" not in body(wire.asked[1])
    assert len({request.headers["Idempotency-Key"] for request in wire.asked}) == 2
    assert body(wire.asked[0]) == {
        "idempotency_key": "größe-abc123",
        "agent_type": "lead_analysis",
        "priority": 1,
        "payload": {"lead_data": {"first_name": "John", "phone": None}},
        "max_retries": 3,
    }


def test_a_task_with_an_impossible_priority_is_not_made() -> None:
    with pytest.raises(ValidationError, match="priority"):
        AgentTask(priority=0, payload={})


async def test_many_tasks_are_submitted_at_once(wire: Wire, agarden: AsyncGardenOS) -> None:
    wire.will(httpx.Response(202, json={"items": [samples.task(), samples.task()]}))
    tasks = [
        AgentTask(payload={"lead_data": {}}),
        AgentTask(payload={}, run_at=datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    assert len((await agarden.orchestrator.submit_all(tasks)).items) == 2
    assert body(wire.asked[0])["tasks"][1]["run_at"] == "2026-01-01T00:00:00Z"


def test_waiting_gives_the_ended_task_however_it_ended(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.Response(200, json=samples.task(state="dead", error={"detail": "No."})))
    assert garden.tasks.wait(samples.TASK_ID).is_terminal


# -- leads ---------------------------------------------------------------------------------


def test_a_list_asks_for_pages_as_they_are_needed(wire: Wire, garden: GardenOS) -> None:
    wire.will(page(1, 2, next_cursor="after-2"))
    leads = garden.leads.list({"status": "new", "quality_score.gte": 50}, page_size=2)
    assert next(leads).id.int == 1
    assert next(leads).id.int == 2
    assert len(wire.asked) == 1
    wire.will(page(3, next_cursor=None))
    assert [lead.id.int for lead in leads] == [3]
    assert dict(wire.asked[0].url.params) == {
        "limit": "2",
        "status": "new",
        "quality_score.gte": "50",
    }
    assert dict(wire.asked[1].url.params) == {
        "limit": "2",
        "status": "new",
        "quality_score.gte": "50",
        "cursor": "after-2",
    }


async def test_an_async_list_is_iterated_alike(wire: Wire, agarden: AsyncGardenOS) -> None:
    wire.will(page(1, next_cursor="x"), page(next_cursor="y"), page(2, next_cursor=None))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    found = [lead.id.int async for lead in agarden.leads.list({"created_at.gte": since})]
    assert found == [1, 2]
    assert wire.asked[0].url.params["created_at.gte"] == "2026-01-01T00:00:00Z"


def test_one_page_can_be_had_with_the_total(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.Response(200, json={"items": [], "next_cursor": None, "total": 9236}))
    assert garden.leads.page(total=True, include_deleted=True).total == 9236
    assert dict(wire.asked[0].url.params) == {
        "limit": "50",
        "total": "true",
        "include_deleted": "true",
    }


def test_a_change_carries_the_version_that_was_read(wire: Wire, garden: GardenOS) -> None:
    wire.will(*[httpx.Response(200, json=samples.lead(version=8)) for _ in range(3)])
    read = Lead.model_validate(samples.lead(version=7))
    assert garden.leads.change(read, status="qualified", phone=None).version == 8
    garden.leads.change(samples.LEAD_ID, version=3, notes="x")
    garden.leads.change(samples.LEAD_ID, notes="x")
    assert body(wire.asked[0]) == {"status": "qualified", "phone": None}
    assert [r.headers.get("If-Match") for r in wire.asked] == ['"7"', '"3"', None]


def test_a_lead_is_deleted_and_restored(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.Response(204), httpx.Response(200, json=samples.lead(version=3)))
    garden.leads.delete(samples.LEAD_ID)
    assert garden.leads.restore(samples.LEAD_ID).version == 3
    assert wire.paths == [
        f"DELETE /v1/leads/{samples.LEAD_ID}",
        f"POST /v1/leads/{samples.LEAD_ID}/restore",
    ]


def test_what_agents_made_of_a_lead_is_read_to_the_end(wire: Wire, garden: GardenOS) -> None:
    score = {
        "id": str(samples.TASK_ID),
        "lead_id": str(samples.LEAD_ID),
        "quality_score": 1,
        "conversion_probability": 0.5,
        "provider": "rules",
        "model": "rules-1",
        "task_id": str(samples.TASK_ID),
        "created_at": "2026-01-01T00:00:00Z",
    }
    wire.will(
        httpx.Response(200, json={"items": [score] * 2, "next_cursor": "after-2"}),
        httpx.Response(200, json={"items": [score], "next_cursor": None}),
        httpx.Response(200, json={"items": [], "next_cursor": None}),
    )
    assert len(garden.leads.scores(samples.LEAD_ID).items) == 3
    assert garden.leads.follow_ups(samples.LEAD_ID).items == ()
    assert [dict(request.url.params) for request in wire.asked] == [
        {"limit": "200"},
        {"limit": "200", "cursor": "after-2"},
        {"limit": "200"},
    ]


def test_an_odd_id_stays_one_segment_of_the_path(wire: Wire, garden: GardenOS) -> None:
    wire.will(
        httpx.Response(200, json={"id": "a", "agent_type": "b", "served": 7}),
        problem(404, "not-found"),
    )
    assert garden.orchestrator.metrics("lead_analysis#a/b?c")["served"] == 7
    with pytest.raises(NotFound):
        garden.leads.get("../tasks?x=1")
    assert [request.url.raw_path for request in wire.asked] == [
        b"/ai/agents/lead_analysis%23a%2Fb%3Fc/metrics",
        b"/v1/leads/..%2Ftasks%3Fx%3D1",
    ]


# -- imports and results -------------------------------------------------------------------


@pytest.mark.parametrize("failures", [0, 1])
async def test_a_file_is_sent_whole_even_the_second_time(
    wire: Wire, agarden: AsyncGardenOS, tmp_path: Path, failures: int
) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes("name\r\nÅsa\r\n".encode("latin-1"))
    counts = {"rows_read": 1, "imported": 1, "duplicates": 0, "rejected": 0, "tasks_enqueued": 1}
    wire.will(*[httpx.Response(503)] * failures)
    wire.will(httpx.Response(201, json={"id": str(samples.LEAD_ID), **counts}))
    mapping = {"fields": {"first_name": "name"}}
    done = await agarden.imports.create(path, mapping, score=True)
    assert done.tasks_enqueued == 1
    sent = wire.asked[-1].content
    assert path.read_bytes() in sent
    assert b'filename="leads.csv"' in sent
    assert b'name="score"\r\n\r\ntrue' in sent
    assert b'{"fields": {"first_name": "name"}}' in sent


def test_a_file_is_closed_where_it_could_not_be_sent(
    wire: Wire, garden: GardenOS, tmp_path: Path
) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(b"email\na@example.com\n")
    wire.will(httpx.ReadTimeout("timed out"))
    with pytest.raises(Unreachable) as caught:
        garden.imports.create(path)
    assert caught.value.__traceback__ is not None  # which keeps every frame alive
    assert str(path) not in [file.path for file in psutil.Process().open_files()]


def test_a_result_reads_like_a_dict_and_cannot_be_changed() -> None:
    analysis = Analysis.model_validate(
        {**samples.ANALYSIS, "task_id": samples.TASK_ID, "mood": "sunny"}
    )
    assert analysis["mood"] == "sunny"
    assert {**analysis}["quality_score"] == 72
    with pytest.raises(KeyError):
        analysis["no_such_field"]
    with pytest.raises(ValidationError, match="frozen"):
        analysis.quality_score = 100  # pyright: ignore[reportAttributeAccessIssue] the point


def test_methods_keep_their_documentation(garden: GardenOS) -> None:
    method: Callable[..., Any] = garden.orchestrator.analyze_lead
    assert method.__name__ == "analyze_lead"
    assert "say why" in (method.__doc__ or "")
    assert "say why" in (type(garden.orchestrator).analyze_lead.__doc__ or "")
