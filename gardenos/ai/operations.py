"""`/ai`: how the agents fare, how many there are, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gardenos.ai.answers import (
    AgentTypePath,
    json,
)
from gardenos.ai.models import Strict
from gardenos.auth.deps import ClaimsDep
from gardenos.core.claims import Claims
from gardenos.core.errors import (
    IdempotencyKeyReused,
    NotFound,
    OrchestratorUnavailable,
)
from gardenos.orchestrator import store
from gardenos.orchestrator.control import pauses
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.web import idempotency, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import OrchestratorClient, Services, ServicesDep

router = APIRouter(prefix="/ai", tags=["agents"], route_class=StrictRoute)
HEADS = 10
LONGEST_OVERRIDE_S = 31_536_000
_OPERATORS_ONLY = frozenset({"host", "pid", "at"})


class PoolStatus(BaseModel):
    """The agents of one type, and your agency's tasks for them."""

    model_config = ConfigDict(extra="ignore")

    replicas: int | None = Field(description="Running now; null while nobody can tell.")
    min_replicas: int | None = None
    max_replicas: int | None = None
    override: int | None = Field(default=None, description="The size an operator asked for.")
    in_flight: int | None = Field(default=None, description="Tasks of all agencies at work.")
    backlog: int | None = Field(default=None, description="Tasks of all agencies due and waiting.")
    paused: bool = Field(
        default=False, description="Whether your agency's tasks for it stand still, by a pause."
    )
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


class Latency(BaseModel):
    """Seconds that runs of late took; null before the first."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Tokens(BaseModel):
    """Tokens of language models."""

    input: int = 0
    output: int = 0


class CurrentWork(BaseModel):
    """A task an agent works on."""

    task_id: UUID
    agency_id: UUID
    since: datetime


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
    errors: int = Field(default=0, description="Of these, runs that failed.")
    lost: int = Field(description="Results dropped because the lease had passed on.")
    throughput_per_s: float = Field(default=0, description="Runs ended per second, of late.")
    latency_s: Latency = Latency()
    tokens: Tokens = Tokens()
    cost_usd: str | None = Field(
        default=None, description="US dollars since it started; null where a part is unknown."
    )
    batches: int
    failed_batches: int
    mean_batch_s: float | None
    current: list[CurrentWork] = Field(
        default_factory=list[CurrentWork],
        description="Its oldest runs under way: your agency's; for an operator, all agencies'.",
    )


class AgentList(BaseModel):
    """Every agent that runs now."""

    items: list[AgentOut]


class ScaleRequest(Strict):
    """The size to give a pool."""

    replicas: Annotated[int, Field(strict=True, description="Within the range of the type.")]
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
    at_least: bool = Field(
        default=False, description="Whether more wait than were counted: counting costs time."
    )


class QueueHead(BaseModel):
    """A task that would run next."""

    id: UUID
    agency_id: UUID
    agent_type: str
    priority: int
    run_at: datetime
    attempt: int
    created_at: datetime


class LaneHead(BaseModel):
    """What one agency has queued for one type at one priority, and why its head does not run yet."""

    model_config = ConfigDict(extra="ignore")

    agent_type: str
    priority: int
    agency_id: UUID
    due: datetime | None = None
    hold: str | None = Field(default=None, description="In a word.")
    why: str | None = Field(default=None, description="In a sentence.")


class Queues(BaseModel):
    """The queues of all agencies."""

    depth: dict[str, QueueDepth]
    heads: list[QueueHead]
    lanes: list[LaneHead] = Field(
        description="Heads of lanes and why each waits, from the orchestrator; empty while it is away."
    )
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
        still = await pauses.standstill(session)
    known: Mapping[str, Mapping[str, Any]] = snapshot["agents"] if snapshot else {}
    pools = {
        name: PoolStatus.model_validate(
            {
                "replicas": None,
                **known.get(name, {}),
                "paused": still.wholly or name in still.types,
                "tasks": counts.get(name, {}),
            }
        )
        for name in [*known, *(name for name in counts if snapshot is None)]
    }
    if snapshot is None:
        return Status(orchestrator="unavailable", agents=pools)
    return Status(
        orchestrator="standing-by" if snapshot["epoch"] is None else "dispatching",
        doing=snapshot["doing"] if claims.operator else {},
        agents=pools,
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
    if claims.operator:
        return AgentOut.model_validate(note)
    own = str(claims.agency_id)
    current = [work for work in note.get("current", ()) if work.get("agency_id") == own]
    shown = {name: value for name, value in note.items() if name not in _OPERATORS_ONLY}
    return AgentOut.model_validate(shown | {"current": current})


@router.post(
    "/agents/{agent_type}/scale",
    response_model=Scaling,
    responses=problems.responses(
        *problems.COMMON, *problems.BODY, NotFound, IdempotencyKeyReused, OrchestratorUnavailable
    )
    | {200: {"headers": dict(idempotency.RESPONSE_HEADERS)}},
)
async def scale_agents(
    agent_type: AgentTypePath,
    wanted: ScaleRequest,
    request: Request,
    *,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Ask for a number of agents of a type, within its range. For operators."""
    claims.require_operator()
    orchestrator = _orchestrator(services)
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            row = await orchestrator.set_replicas(
                agent_type, wanted.replicas, set_by=claims, ttl_s=wanted.ttl_s
            )
            return json(Scaling.model_validate(dict(row)))

        return await idempotency.once(session, key, seen, effect)


@router.get("/debug/queues", responses=problems.responses(*problems.COMMON))
async def read_queues(services: ServicesDep, claims: ClaimsDep) -> Queues:
    """What waits in the queues of all agencies, what would run next, and why it does not yet.

    For operators. While the orchestrator is away, the database says what waits, and nobody why.
    """
    claims.require_operator()
    queue = PostgresQueue(services.database)
    depth = {name: QueueDepth.model_validate(row) for name, row in (await queue.depth()).items()}
    heads = [QueueHead.model_validate(row) for row in await queue.heads(limit=HEADS)]
    snapshot = await _snapshot(services)
    return Queues(
        depth=depth,
        heads=heads,
        lanes=_lanes(snapshot, heads) if snapshot else [],
        orchestrator=dict(snapshot) if snapshot else None,
    )


def _lanes(snapshot: Mapping[str, Any], heads: Sequence[QueueHead]) -> list[LaneHead]:
    pools: Mapping[str, Mapping[str, Any]] = snapshot["agents"]
    told = [
        LaneHead.model_validate({**lane, "agent_type": name})
        for name, pool in pools.items()
        for lane in pool.get("lanes", ())
    ]
    # Of a type that was taken out of the installation with tasks still in its queue.
    orphans = [head for head in heads if head.agent_type not in pools]
    return told + [
        LaneHead(
            agent_type=head.agent_type,
            priority=head.priority,
            agency_id=head.agency_id,
            due=head.run_at,
            hold="no_agents",
            why=f"This installation has no agents of type {head.agent_type}.",
        )
        for head in orphans
    ]
