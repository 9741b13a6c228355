"""`/ai`: how the agents fare, how many there are, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from gardenos.ai.models import Strict
from gardenos.auth.deps import ClaimsDep
from gardenos.core.claims import Claims
from gardenos.core.errors import NotFound, OrchestratorUnavailable
from gardenos.orchestrator import store
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.web import problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import OrchestratorClient, Services, ServicesDep

router = APIRouter(prefix="/ai", tags=["agents"], route_class=StrictRoute)
HEADS = 10
LONGEST_OVERRIDE_S = 31_536_000
_OPERATORS_ONLY = frozenset({"host", "pid", "at"})

AgentType = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class PoolStatus(BaseModel):
    """The agents of one type, and your agency's tasks for them."""

    model_config = ConfigDict(extra="ignore")

    replicas: int | None = Field(description="Running now; null while nobody can tell.")
    min_replicas: int | None = None
    max_replicas: int | None = None
    override: int | None = Field(default=None, description="The size an operator asked for.")
    in_flight: int | None = Field(default=None, description="Tasks of all agencies at work.")
    backlog: int | None = Field(default=None, description="Tasks of all agencies due and waiting.")
    tasks: dict[str, int] = Field(
        default_factory=dict[str, int], description="Your agency's tasks by state."
    )


class Status(BaseModel):
    """What the installation is doing."""

    orchestrator: str = Field(description="`dispatching`, `standing-by` or `unavailable`.")
    doing: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="What each of its loops last said; for operators, empty for others.",
    )
    agents: dict[str, PoolStatus]


class AgentOut(BaseModel):
    """A running agent: a replica with a process of its own, and its metrics."""

    model_config = ConfigDict(extra="allow")

    id: str
    agent_type: str
    provider: str
    model: str
    started_at: datetime
    running: int = Field(description="Tasks it works on at the moment.")
    finished: int = Field(description="Runs it ended since it started.")
    outcomes: dict[str, int]
    lost: int = Field(description="Results dropped because the lease had passed on.")
    batches: int
    failed_batches: int
    mean_batch_s: float | None


class AgentList(BaseModel):
    """Every agent that runs now."""

    items: list[AgentOut]


class ScaleRequest(Strict):
    """The size to give a pool."""

    replicas: Annotated[int, Field(ge=0, le=1000, strict=True)]
    ttl_s: (
        Annotated[float, Field(strict=True, ge=0, le=LONGEST_OVERRIDE_S, allow_inf_nan=False)]
        | None
    ) = Field(
        default=None,
        description="For how long; for good where absent. 0 hands the size back to the autoscaler.",
    )


class Scaling(BaseModel):
    """The size asked for."""

    agent_type: str
    replicas: int
    set_at: datetime
    expires_at: datetime | None


class QueueDepth(BaseModel):
    """What waits for one agent type, of all agencies."""

    ready: int
    scheduled: int
    running: int
    oldest_ready_s: float | None


class QueueHead(BaseModel):
    """A task that would run next."""

    id: UUID
    agency_id: UUID
    agent_type: str
    priority: int
    run_at: datetime
    attempt: int
    created_at: datetime


class Queues(BaseModel):
    """The queues of all agencies."""

    depth: dict[str, QueueDepth]
    heads: list[QueueHead]
    orchestrator: dict[str, Any] | None = Field(
        description="Its own view; null where it does not answer."
    )


def _orchestrator(services: Services) -> OrchestratorClient:
    if services.orchestrator is None:
        raise OrchestratorUnavailable
    return services.orchestrator


async def _snapshot(services: Services) -> Mapping[str, Any] | None:
    try:
        return await _orchestrator(services).snapshot()
    except OrchestratorUnavailable:
        return None


@router.get("/status", responses=problems.responses(*problems.COMMON))
async def read_status(services: ServicesDep, claims: ClaimsDep) -> Status:
    """What agents and orchestrator are doing; answers also while the orchestrator does not."""
    snapshot = await _snapshot(services)
    async with services.database.session(claims) as session:
        counts = await store.counts(session)
    if snapshot is None:
        pools = {name: PoolStatus(replicas=None, tasks=tasks) for name, tasks in counts.items()}
        return Status(orchestrator="unavailable", agents=pools)
    known: Mapping[str, Mapping[str, Any]] = snapshot["agents"]
    return Status(
        orchestrator="standing-by" if snapshot["epoch"] is None else "dispatching",
        doing=snapshot["doing"] if claims.operator else {},
        agents={
            name: PoolStatus.model_validate({**pool, "tasks": counts.get(name, {})})
            for name, pool in known.items()
        },
    )


@router.get("/agents", responses=problems.responses(*problems.COMMON, OrchestratorUnavailable))
async def list_agents(services: ServicesDep, claims: ClaimsDep) -> AgentList:
    """List the agents that run now."""
    return AgentList(items=[_agent(note, claims) for note in await _agents(services)])


@router.get(
    "/agents/{agent_id}/metrics",
    responses=problems.responses(*problems.COMMON, NotFound, OrchestratorUnavailable),
)
async def read_agent_metrics(
    agent_id: Annotated[str, Path(max_length=100)], services: ServicesDep, claims: ClaimsDep
) -> AgentOut:
    """How one agent fares."""
    for note in await _agents(services):
        if note["id"] == agent_id:
            return _agent(note, claims)
    raise NotFound("No agent of this id runs now. `GET /ai/agents` lists those that do.")


async def _agents(services: Services) -> Sequence[Mapping[str, Any]]:
    return await _orchestrator(services).agents()


def _agent(note: Mapping[str, Any], claims: Claims) -> AgentOut:
    hidden = frozenset[str]() if claims.operator else _OPERATORS_ONLY
    return AgentOut.model_validate({k: v for k, v in note.items() if k not in hidden})


@router.post(
    "/agents/{agent_type}/scale",
    responses=problems.responses(
        *problems.COMMON, *problems.BODY, NotFound, OrchestratorUnavailable
    ),
)
async def scale_agents(
    agent_type: AgentType,
    wanted: ScaleRequest,
    services: ServicesDep,
    claims: ClaimsDep,
    _key: IdempotencyKey = None,
) -> Scaling:
    """Ask for a number of agents of a type. For operators; asking twice changes nothing more."""
    claims.require_operator()
    row = await _orchestrator(services).set_replicas(
        agent_type, wanted.replicas, set_by=claims, ttl_s=wanted.ttl_s
    )
    return Scaling.model_validate(dict(row))


@router.get("/debug/queues", responses=problems.responses(*problems.COMMON))
async def read_queues(services: ServicesDep, claims: ClaimsDep) -> Queues:
    """What waits in the queues of all agencies, and what would run next. For operators."""
    claims.require_operator()
    queue = PostgresQueue(services.database)
    depth = {name: QueueDepth.model_validate(row) for name, row in (await queue.depth()).items()}
    heads = [QueueHead.model_validate(row) for row in await queue.heads(limit=HEADS)]
    snapshot = await _snapshot(services)
    return Queues(depth=depth, heads=heads, orchestrator=dict(snapshot) if snapshot else None)
