from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from gardenos.ai import agents
from gardenos.ai.models import AnalyzeRequest, FollowUpRequest, TaskRequest, TasksRequest
from gardenos.core.config import Settings
from gardenos.core.errors import InvalidContent

ID = "01980000-0000-7000-8000-000000000001"


def faults(model: type[Any], body: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(body)
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in caught.value.errors()
    )


def test_a_request_becomes_its_tasks_payload() -> None:
    by_id = AnalyzeRequest.model_validate({"lead_id": ID})
    assert by_id.payload() == {"lead_id": ID}
    described = FollowUpRequest.model_validate(
        {"lead": {"first_name": "Ada", "custom": {"visits": 3}}, "context": "Call"}
    )
    assert described.payload() == {
        "lead_data": {"first_name": "Ada", "custom": {"visits": 3}},
        "context": "Call",
    }
    agents.check_payload("follow_up", described.payload())
    agents.check_payload("lead_analysis", by_id.payload())


@pytest.mark.parametrize("body", [{}, {"lead_id": ID, "lead": {}}])
def test_a_request_is_about_exactly_one_lead(body: dict[str, Any]) -> None:
    assert "either lead_id or lead" in faults(AnalyzeRequest, body)


@pytest.mark.parametrize(
    ("lead", "fault"),
    [
        ({"surname": "x"}, "lead.surname: Extra inputs are not permitted"),
        ({"first_name": "a\x00b"}, "NUL"),
        ({"first_name": "\ud800"}, "lead.first_name"),
        ({"first_name": 7}, "lead.first_name"),
        ({"first_name": "a" * 201}, "at most 200"),
        ({"notes": "a" * 20_001}, "at most 20000"),
        ({"custom": {"a": {"b": 1}}}, "lead.custom.a"),
        ({"custom": {"a": float("nan")}}, "lead.custom.a"),
        ({"custom": {"a": 10**400}}, "lead.custom.a"),
        ({"custom": {"a" * 65: 1}}, "at most 64"),
        ({"custom": {str(i): i for i in range(101)}}, "at most 100"),
    ],
)
def test_a_described_lead_is_checked_like_a_stored_one(lead: dict[str, Any], fault: str) -> None:
    assert fault in faults(AnalyzeRequest, {"lead": lead})


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"wait_s": 61}, "less than or equal to 60"),
        ({"wait_s": -1}, "greater than or equal to 0"),
        ({"wait_s": float("nan")}, "wait_s"),
        ({"priority": 0}, "greater than or equal to 1"),
        ({"priority": 10}, "less than or equal to 9"),
        ({"priority": "1"}, "integer"),
        ({"other": 1}, "Extra inputs"),
    ],
)
def test_a_requests_own_fields_have_bounds(fields: dict[str, Any], fault: str) -> None:
    assert fault in faults(AnalyzeRequest, {"lead_id": ID, **fields})


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"a": ["x\x00"]}, "NUL"),
        ({"a\x00": 1}, "NUL"),
        ({"a": {"b": "\udfff"}}, "surrogate"),
        ({"a": float("inf")}, "number that JSON does not have"),
        ([], "dictionary"),
    ],
)
def test_a_payload_holds_only_what_can_be_stored(payload: object, fault: str) -> None:
    assert fault in faults(TaskRequest, {"agent_type": "follow_up", "payload": payload})


def test_a_payload_may_not_be_nested_without_end() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5000):
        nested = {"a": nested}
    assert "nested" in faults(TaskRequest, {"agent_type": "follow_up", "payload": nested})


def test_a_thousand_tasks_at_once_and_no_more() -> None:
    task = {"agent_type": "lead_analysis", "payload": {"lead_id": ID}}
    assert len(TasksRequest.model_validate({"tasks": [task] * 1000}).tasks) == 1000
    assert "at most 1000" in faults(TasksRequest, {"tasks": [task] * 1001})
    assert "at least 1" in faults(TasksRequest, {"tasks": []})


def test_a_task_request_becomes_a_task() -> None:
    body = {"agent_type": "lead_analysis", "payload": {"lead_id": ID}, "priority": 2}
    task = TaskRequest.model_validate(body | {"idempotency_key": "k"}).task()
    assert (task.agent_type, task.priority, task.max_retries) == ("lead_analysis", 2, 3)
    assert (task.idempotency_key, task.awaited) == ("k", False)


def test_an_unknown_agent_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidContent, match="lead_analysis, follow_up") as caught:
        agents.check_payload("poet", {}, pointer="/tasks/3")
    assert caught.value.errors[0]["pointer"] == "/tasks/3/agent_type"
    with pytest.raises(InvalidContent):
        agents.create("poet", Settings.model_validate({}))


def test_a_payload_no_agent_could_work_on_is_refused_with_a_pointer() -> None:
    with pytest.raises(InvalidContent) as caught:
        agents.check_payload("lead_analysis", {"lead_id": "x"}, pointer="/tasks/3")
    assert caught.value.errors[0]["pointer"] == "/tasks/3/payload/lead_id"


def test_the_ids_of_payloads_are_uuids() -> None:
    assert AnalyzeRequest.model_validate({"lead_id": ID}).lead_id == UUID(ID)
