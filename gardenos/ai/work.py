"""`/ai`: work that somebody waits for: leads scored, messages drafted, any agent's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gardenos.ai import agents
from gardenos.ai.answers import (
    ACCEPTED,
    AgentTypePath,
    TaskKey,
    accepted,
    json,
    pointing,
    wait,
)
from gardenos.ai.models import (
    AnalysisAnswer,
    AnalyzeRequest,
    FollowUpAnswer,
    FollowUpRequest,
    RunAnswer,
    RunRequest,
)
from gardenos.auth.deps import ClaimsDep
from gardenos.core.claims import Claims
from gardenos.core.errors import IdempotencyKeyReused, NotFound
from gardenos.core.ids import LeadId
from gardenos.crm.leads import store as leads
from gardenos.orchestrator import store
from gardenos.orchestrator.store import TaskView
from gardenos.orchestrator.task import NewTask
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

router = APIRouter(prefix="/ai", tags=["ai"], route_class=StrictRoute)


class AgentTypeOut(BaseModel):
    """A type of agent, and what it takes and gives."""

    agent_type: str
    summary: str
    input_schema: dict[str, Any] = Field(description="The JSON Schema of what it takes.")
    output_schema: dict[str, Any] = Field(description="The JSON Schema of its result.")


class AgentTypeList(BaseModel):
    """Every type of agent there is."""

    items: list[AgentTypeOut]


async def _enqueue(
    services: Services, claims: Claims, task: NewTask, *, part: str, lead_id: LeadId | None = None
) -> TaskView:
    """Enqueue work to wait for; `part` is what the request calls the payload."""
    claims.require_writer()
    async with services.database.session(claims) as session:
        if lead_id is not None and not await leads.exists(session, lead_id):
            raise NotFound(f"There is no lead {lead_id} here.")
        with pointing(lambda pointer: pointer.replace("/payload", part, 1)):
            [view] = await store.enqueue(session, [task])
        if task.idempotency_key is not None:
            # It may be an earlier task, that nobody waited for.
            await store.mark_awaited(session, view.id)
    return view


async def _about_a_lead(
    services: Services,
    claims: Claims,
    agent_type: str,
    wanted: AnalyzeRequest | FollowUpRequest,
    key: str | None,
) -> TaskView:
    task = NewTask(
        agent_type,
        wanted.payload(),
        priority=wanted.priority,
        idempotency_key=key,
        awaited=True,
    )
    lead_id = LeadId(wanted.lead_id) if wanted.lead_id else None
    view = await _enqueue(services, claims, task, part="/lead", lead_id=lead_id)
    return await wait(services, claims, view, wanted.wait_s)


def _answer(view: TaskView, kind: type[AnalysisAnswer | FollowUpAnswer | RunAnswer]) -> Response:
    if not view.state.is_terminal:
        return accepted(view)
    told = {"task_id": view.id, "state": view.state, "result": view.result, "error": view.error}
    return json(kind.model_validate(told))


@router.post(
    "/leads/analyze",
    response_model=AnalysisAnswer,
    responses=problems.responses(*problems.COMMON, *problems.BODY, NotFound, IdempotencyKeyReused)
    | ACCEPTED,
)
async def analyze_lead(
    wanted: AnalyzeRequest, services: ServicesDep, claims: ClaimsDep, key: TaskKey = None
) -> Response:
    """Score a lead and say why: one of the agency's, which keeps the score, or one described here."""
    kind = agents.LeadAnalysisAgent.agent_type
    return _answer(await _about_a_lead(services, claims, kind, wanted, key), AnalysisAnswer)


@router.post(
    "/follow-ups",
    response_model=FollowUpAnswer,
    responses=problems.responses(*problems.COMMON, *problems.BODY, NotFound, IdempotencyKeyReused)
    | ACCEPTED,
)
async def generate_follow_up(
    wanted: FollowUpRequest, services: ServicesDep, claims: ClaimsDep, key: TaskKey = None
) -> Response:
    """Draft a message to a lead. Nothing is sent: a person decides."""
    kind = agents.FollowUpAgent.agent_type
    return _answer(await _about_a_lead(services, claims, kind, wanted, key), FollowUpAnswer)


@router.get("/agent-types", responses=problems.responses(*problems.COMMON))
async def list_agent_types(_claims: ClaimsDep) -> AgentTypeList:
    """List the types of agents there are, with what each takes and gives."""
    known = agents.registry()
    described = (asdict(known.describe(agent_type)) for agent_type in known)
    return AgentTypeList(items=[AgentTypeOut.model_validate(each) for each in described])


@router.post(
    "/agents/{agent_type}/run",
    response_model=RunAnswer,
    responses=problems.responses(*problems.COMMON, *problems.BODY, NotFound, IdempotencyKeyReused)
    | ACCEPTED,
)
async def run_agent(
    agent_type: AgentTypePath,
    wanted: RunRequest,
    services: ServicesDep,
    claims: ClaimsDep,
    key: TaskKey = None,
) -> Response:
    """Have an agent of any type do a piece of work, and wait for what comes out."""
    claims.require_writer()
    if agent_type not in agents.registry():
        known = ", ".join(agents.registry())
        raise NotFound(f"There are no agents of type {agent_type!r}. Known are: {known}.")
    with pointing(lambda pointer: pointer.replace("/payload", "/input", 1)):
        agents.check_payload(agent_type, wanted.input)
    view = await _enqueue(services, claims, wanted.task(agent_type, key), part="/input")
    return _answer(await wait(services, claims, view, wanted.wait_s), RunAnswer)
