"""The lead a task is about: loaded for a whole batch at once, or described in the payload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from gardenos.ai.agents.sql import QUERIES
from gardenos.ai.scoring import LeadFacts
from gardenos.orchestrator.task import AgentTask, Cancel, Fail

if TYPE_CHECKING:
    from datetime import datetime

    from gardenos.ai.models import LeadPayload
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession


async def load(
    session: TenantSession, tasks: Sequence[AgentTask], *, now: datetime
) -> dict[TaskId, LeadFacts]:
    """The leads that tasks of one agency name by id, in one query; a lead not there is left out."""
    wanted = {task.id: lead_id for task in tasks if (lead_id := _id_of(task))}
    if not wanted:
        return {}
    rows = await session.fetch(QUERIES["load_leads"], list(set(wanted.values())))
    found: dict[UUID, LeadFacts] = {row["id"]: LeadFacts.of(dict(row), now=now) for row in rows}
    return {task_id: found[lead_id] for task_id, lead_id in wanted.items() if lead_id in found}


def of(request: LeadPayload, loaded: LeadFacts | None) -> LeadFacts | Fail | Cancel:
    """The lead to work on, or why there is none."""
    if request.lead_data is not None:
        return LeadFacts.of(request.lead_data.model_dump())
    if loaded is None:
        return Fail(f"There is no lead {request.lead_id} in this agency.")
    if loaded.deleted:
        return Cancel(f"The lead {request.lead_id} has been deleted.")
    return loaded


def id_text(task: AgentTask) -> str | None:
    """The id of the lead a task is about, as PostgreSQL writes it; None where it has none."""
    lead_id = _id_of(task)
    return str(lead_id) if lead_id else None


def _id_of(task: AgentTask) -> UUID | None:
    value = task.payload.get("lead_id")
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None  # `run` says what is wrong with it
