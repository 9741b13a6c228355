"""What agents, imports and the queue give back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.core.ids import ImportId, TaskId
from gardenos.sdk.base import Result

TaskState: TypeAlias = Literal["queued", "running", "succeeded", "dead", "cancelled"]


class Reason(Result):
    """One feature's part in a score."""

    feature: str
    value: Any = None
    contribution: float
    text: str


class Analysis(Result):
    """How good a lead is, why, and what to do about it."""

    quality_score: int
    """0 to 100."""
    conversion_probability: float
    """0 to 1, calibrated; never a language model's opinion."""
    next_actions: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()
    provider: str
    model: str
    task_id: TaskId


class FollowUp(Result):
    """A drafted message. Nothing sends it: a person decides."""

    subject: str
    body: str
    full_message: str
    provider: str
    model: str
    task_id: TaskId


class RowError(Result):
    """What was wrong with a row of an import; `row` counts from 1, the header not included."""

    row: int
    column: str | None = None
    code: str
    detail: str


class ColumnUse(Result):
    """What a column of a file was read as; None: as nothing."""

    column: str
    read_as: str | None = None


class ImportOptions(Result):
    """How a file is imported."""

    mapping: dict[str, Any] | None = None
    match_by: Literal["either", "external_id", "email"] = "either"
    on_duplicate: Literal["skip", "update", "create"] = "skip"
    score: bool = False


class Tried(Result):
    """What would become of the first rows of a staged file."""

    rows: int
    imported: int
    updated: int
    duplicates: int
    rejected: int


class Import(Result):
    """A file's rows: every one is imported, changes a lead, is a duplicate, or is rejected.

    `rows_read` is how many of the `rows_total` are that already.
    """

    id: ImportId
    entity: str = "leads"
    state: Literal["staged", "running", "stopped", "finished", "reverting", "reverted"] = "finished"
    filename: str | None = None
    format: Literal["csv", "xlsx", "jsonl"] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    options: ImportOptions = ImportOptions()
    columns: tuple[ColumnUse, ...] = ()
    rows_total: int | None = None
    rows_read: int
    imported: int
    updated: int = 0
    duplicates: int
    rejected: int
    tasks_enqueued: int = 0
    removed: int = 0
    restored: int = 0
    kept: int = 0
    task_id: TaskId | None = None
    created_by: UUID | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    purged_at: datetime | None = None
    errors: tuple[RowError, ...] = ()
    """The first hundred, where the answer has them: that of `create` and `change`."""
    tried: Tried | None = None
    duplicates_by: Literal["external_id", "email"] | None = None

    @property
    def rests(self) -> bool:
        """Whether it changes no more by itself."""
        return self.state not in ("running", "reverting")


class Task(Result):
    """A task of the durable queue, as it stood when it was read."""

    id: TaskId
    agent_type: str
    state: TaskState
    priority: int
    payload: dict[str, Any]
    attempt: int
    max_retries: int
    run_at: datetime
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    """When its end was asked for; while it runs, it is to end."""

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen to the task by itself."""
        return self.state in ("succeeded", "dead", "cancelled")


class AgentTask(BaseModel):
    """Work to hand to an agent. Priority 1 comes first, 9 last.

    `id` is your name for the work: submitting the same name twice enqueues it once. The queue's
    own id is that of the `Task` you get back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None = Field(default=None, min_length=1, max_length=255)
    priority: int = Field(default=5, ge=1, le=9)
    payload: dict[str, Any]
    max_retries: int = Field(default=3, ge=0, le=100)
    agent_type: str = "lead_analysis"
    run_at: datetime | None = None


class Run(Result):
    """What an agent made of its input."""

    task_id: TaskId
    output: dict[str, Any]


class AgentType(Result):
    """A type of agent, and the JSON Schemas of what it takes and gives."""

    agent_type: str
    summary: str = ""
    input_schema: dict[str, Any] = Field(default_factory=dict[str, Any])
    output_schema: dict[str, Any] = Field(default_factory=dict[str, Any])


class Cancelled(Result):
    """How many tasks were cancelled: ended at once, or marked while they run."""

    cancelled: int
    cancelling: int
    more: bool
    """Whether the limit was reached, so that others may match."""


class Replayed(Result):
    """How many dead tasks were queued again."""

    replayed: int
    more: bool
    """Whether the limit was reached, so that others may match."""


class Schedule(Result):
    """A task that recurs; `version` guards changes to it."""

    id: UUID
    name: str
    agent_type: str
    payload: dict[str, Any]
    priority: int
    max_retries: int
    cron: str
    time_zone: str
    enabled: bool
    next_runs: tuple[datetime, ...] = ()
    """The next five times; none while it is switched off."""
    last_run_at: datetime | None = None
    last_task_id: TaskId | None = None
    version: int
    created_at: datetime
    updated_at: datetime


class PausedWork(Result):
    """What is not dispatched: an agency's work, an agent type, or one agency's work for one type."""

    agency_id: UUID | None = None
    agent_type: str | None = None
    reason: str = ""
    set_by: UUID | None = None
    set_at: datetime


class Limit(Result):
    """How much of the agents an agency gets, or all agencies take of a type; None does not limit."""

    agency_id: UUID | None = None
    agent_type: str | None = None
    weight: int = 1
    max_running: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    monthly_usd: Decimal | None = None
    spent_usd: Decimal | None = None
    set_by: UUID | None = None
    set_at: datetime


class OperatorAction(Result):
    """What an operator did."""

    id: UUID
    at: datetime
    actor: UUID
    action: str
    target: str
    detail: dict[str, Any] = Field(default_factory=dict[str, Any])


class Scaling(Result):
    """The size asked for a pool of agents."""

    agent_type: str
    replicas: int
    set_at: datetime | None = None
    expires_at: datetime | None = None


class CurrentWork(Result):
    """A task that an agent works on."""

    task_id: TaskId
    agency_id: UUID
    since: datetime


class Agent(Result):
    """One running agent (a replica) and its metrics."""

    id: str
    agent_type: str
    provider: str | None = None
    model: str | None = None
    started_at: datetime | None = None
    running: int = 0
    finished: int = 0
    outcomes: dict[str, int] = Field(default_factory=dict[str, int])
    errors: int = 0
    lost: int = 0
    """Results dropped because the lease had passed on."""
    throughput_per_s: float = 0.0
    """Runs ended per second, of late."""
    latency_s: dict[str, float | None] = Field(default_factory=dict[str, float | None])
    """p50, p95 and p99 of late, in seconds."""
    tokens: dict[str, int] = Field(default_factory=dict[str, int])
    cost_usd: Decimal | None = None
    """US dollars since it started; None where a part of it is unknown."""
    batches: int = 0
    failed_batches: int = 0
    mean_batch_s: float | None = None
    current: tuple[CurrentWork, ...] = ()


class AgentMetrics(Agent):
    """How one agent fares."""


class Pool(Result):
    """The agents of one type, and your agency's tasks for them."""

    replicas: int | None = None
    """None while nobody can tell."""
    min_replicas: int | None = None
    max_replicas: int | None = None
    override: int | None = None
    in_flight: int | None = None
    backlog: int | None = None
    paused: bool = False
    tasks: dict[str, int] = Field(default_factory=dict[str, int])


class Status(Result):
    """What the installation is doing."""

    orchestrator: str
    doing: dict[str, str] = Field(default_factory=dict[str, str])
    agents: dict[str, Pool] = Field(default_factory=dict[str, Pool])


class Depth(Result):
    """What waits for one agent type, of all agencies."""

    ready: int = 0
    scheduled: int = 0
    running: int = 0
    oldest_ready_s: float | None = None
    at_least: bool = False
    """Whether there may be more than was counted."""


class QueueHead(Result):
    """A task at the head of a queue."""

    id: TaskId
    agency_id: UUID
    agent_type: str
    priority: int
    run_at: datetime
    attempt: int
    created_at: datetime


class LaneHead(Result):
    """The head of what an agency has queued for a type at a priority, and why it does not run yet."""

    agent_type: str
    priority: int
    agency_id: UUID
    due: datetime | None = None
    hold: str | None = None
    why: str | None = None


class Queues(Result):
    """What waits in the queues of all agencies."""

    depth: dict[str, Depth] = Field(default_factory=dict[str, Depth])
    heads: tuple[QueueHead, ...] = ()
    lanes: tuple[LaneHead, ...] = ()
    orchestrator: dict[str, Any] | None = None
    """Its own view; None while it is away."""
