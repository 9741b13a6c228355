"""One event of each type, with values as they occur."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from gardenos.observability import events
from gardenos.observability.events import Event

_ID = UUID(int=1)


def samples_of_every_event() -> list[Event]:
    """Events such that each metric fed by events has a sample afterwards."""
    return [
        events.TasksLeased("lead_analysis", 2, waits=((1, 0.004), (5, 70.0))),
        events.RunsEnded("lead_analysis", "done", "succeeded", runs=((_ID, 0.02), (_ID, None))),
        events.ZombieDropped(_ID, "lead_analysis", fence=2),
        events.BatchGivenBack("lead_analysis", 3, reason="its agent died"),
        events.TasksRescued(requeued=1, dead=1),
        events.OfficeChanged("host:1", epoch=1),
        events.OverrideSet("lead_analysis", 3, set_by=_ID, expires_at=datetime.now(UTC)),
        events.CycleSaid("dispatch", "dispatches"),
        events.LLMCalled("openai", "m", "ok", 0.5, 700, 80, Decimal("0.000277")),
        events.LLMCalled("openai", "m", "timed_out", 60.0, None, None),
        events.LLMCircuitChanged("openai", "m", "open", rest_s=30.0, reason="it timed out"),
        events.BudgetRefused("lead_analysis"),
        events.LeadsImported(_ID, rows=3, imported=2, rejected=1),
        events.RequestServed("GET", "/v1/leads", 200, 0.003),
        events.SignedIn("ok"),
        events.StreamOpened("/ai/tasks/{task_id}/events"),
        events.SchedulesFired(1),
    ]
