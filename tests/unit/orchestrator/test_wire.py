from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gardenos.core.ids import AgencyId, TaskId, UserId
from gardenos.orchestrator import wire
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.task import AgentTask


def task(**fields: object) -> AgentTask:
    plain = AgentTask(
        id=TaskId(uuid4()),
        priority=3,
        payload={"lead_id": "x", "nested": {"list": [1, None, 2.5]}},
        max_retries=2,
        agency_id=AgencyId(uuid4()),
        agent_type="echo",
        attempt=1,
        fence=7,
        created_by=UserId(uuid4()),
        awaited=True,
        run_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    return AgentTask(**{name: getattr(plain, name) for name in AgentTask.__slots__} | fields)  # pyright: ignore[reportArgumentType] fields of its own


def test_tasks_arrive_as_they_were_sent() -> None:
    sent = [task(), task(created_by=None, run_at=None, payload={}, awaited=False)]
    assert wire.unpack_tasks(wire.pack_tasks(sent)) == sent
    assert wire.unpack_tasks(wire.pack_tasks([])) == []


@pytest.mark.parametrize("ended", [0, 1, 50])
def test_reports_arrive_as_they_were_sent(ended: int) -> None:
    ids = tuple(TaskId(uuid4()) for _ in range(ended))
    sent = BatchReport({"done": ended}, lost=1, duration_s=0.5, ended=ids)
    assert wire.unpack_report(wire.pack_report(sent)) == sent
