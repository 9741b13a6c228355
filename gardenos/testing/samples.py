"""Records as GardenOS answers them over HTTP, for tests of clients."""

from __future__ import annotations

from typing import Any
from uuid import UUID

LEAD_ID = UUID(int=1)
TASK_ID = UUID(int=2)

ANALYSIS: dict[str, Any] = {
    "quality_score": 72,
    "conversion_probability": 0.41,
    "next_actions": ["Call within a day"],
    "reasons": [
        {"feature": "source", "value": "website", "contribution": 8.0, "text": "Came by itself."}
    ],
    "provider": "rules",
    "model": "rules-1",
}
FOLLOW_UP: dict[str, Any] = {
    "subject": "Our call",
    "body": "It was good to talk.",
    "full_message": "Hello John,\n\nIt was good to talk.",
    "provider": "rules",
    "model": "rules-1",
}


def lead(**fields: Any) -> dict[str, Any]:
    """A lead, as JSON."""
    return {
        "id": str(LEAD_ID),
        "status": "new",
        "custom": {},
        "version": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **fields,
    }


def task(**fields: Any) -> dict[str, Any]:
    """A task, as JSON."""
    return {
        "id": str(TASK_ID),
        "agent_type": "lead_analysis",
        "state": "queued",
        "priority": 5,
        "payload": {},
        "attempt": 0,
        "max_retries": 3,
        "run_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z",
        **fields,
    }


def answer(result: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """What a route that waits for a task answers, as JSON."""
    return {"task_id": str(TASK_ID), "state": "succeeded", "result": result, **fields}
