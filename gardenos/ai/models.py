"""What the AI routes take and answer. Unknown fields are refused, every text has a cap."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Self, TypeAlias
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gardenos.crm.leads.models import LeadFields
from gardenos.orchestrator.store import MAX_RETRIES
from gardenos.orchestrator.task import (
    DEFAULT_PRIORITY,
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    NewTask,
    TaskState,
)
from gardenos.web.text import Clean, Moment, storable

LONGEST_WAIT_S = 60.0
DEFAULT_WAIT_S = 20.0
MAX_TASKS_AT_ONCE = 1000
WAITED_FOR_PRIORITY = 3
"""Somebody is waiting for the answer: before imports and other bulk work."""
_DEEPEST_JSON = 20


def storable_json(value: Any) -> Any:
    """The value as it is. Raises where a text in it, or its depth, cannot be stored."""
    # By hand instead of recursion: what is checked here is how deep a sender dared to go.
    left: list[tuple[Any, int]] = [(value, 0)]
    while left:
        node, depth = left.pop()
        if depth > _DEEPEST_JSON:
            raise PydanticCustomError("depth", "is nested too deeply")
        if isinstance(node, Mapping):
            left.extend((key, depth + 1) for key in node)
            left.extend((item, depth + 1) for item in node.values())
        elif isinstance(node, list):
            left.extend((item, depth + 1) for item in node)
        elif isinstance(node, str):
            storable(node)
        elif isinstance(node, float) and not isfinite(node):
            raise PydanticCustomError("finite", "contains a number that JSON does not have")
    return value


Priority: TypeAlias = Annotated[
    int,
    Field(
        ge=HIGHEST_PRIORITY, le=LOWEST_PRIORITY, strict=True, description="1 is the most urgent."
    ),
]
Retries: TypeAlias = Annotated[int, Field(ge=0, le=MAX_RETRIES, strict=True)]
WaitSeconds: TypeAlias = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=LONGEST_WAIT_S,
        allow_inf_nan=False,
        description="How long to wait for the result before answering 202 with the task.",
    ),
]
Occasion: TypeAlias = Annotated[Clean, Field(max_length=2000)]


class Strict(BaseModel):
    """A body that may hold nothing but its own fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LeadInput(LeadFields):
    """A lead that need not be in the database: the fields of one, all optional."""


class LeadPayload(Strict):
    """Which lead a task is about: one of the agency's, or one described on the spot."""

    lead_id: UUID | None = None
    lead_data: LeadInput | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.lead_id is None) == (self.lead_data is None):
            raise ValueError("needs either lead_id or lead_data")
        return self


class FollowUpPayload(LeadPayload):
    """What a follow-up task is about."""

    context: Occasion = ""


class _LeadRequest(Strict):
    lead_id: UUID | None = Field(default=None, description="A lead of your agency.")
    lead: LeadInput | None = Field(default=None, description="Or a lead described here.")
    priority: Priority = WAITED_FOR_PRIORITY
    wait_s: WaitSeconds = DEFAULT_WAIT_S

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.lead_id is None) == (self.lead is None):
            raise ValueError("send either lead_id or lead")
        return self

    def payload(self) -> dict[str, Any]:
        """The task's payload."""
        if self.lead is not None:
            return {"lead_data": self.lead.model_dump(mode="json", exclude_unset=True)}
        return {"lead_id": str(self.lead_id)}


class AnalyzeRequest(_LeadRequest):
    """The body of `POST /ai/leads/analyze`."""


class FollowUpRequest(_LeadRequest):
    """The body of `POST /ai/follow-ups`."""

    context: Occasion = Field(
        default="", description="The occasion, in the language the draft should have."
    )

    def payload(self) -> dict[str, Any]:
        """The task's payload."""
        return super().payload() | {"context": self.context}


class TaskRequest(Strict):
    """One task to enqueue."""

    agent_type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    payload: Annotated[dict[str, Any], BeforeValidator(storable_json)]
    priority: Priority = DEFAULT_PRIORITY
    max_retries: Retries = 3
    run_at: Moment | None = Field(default=None, description="Not before; a past one means now.")
    idempotency_key: Annotated[Clean, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="Your name for the work: the same name is enqueued once."
    )

    def task(self) -> NewTask:
        """As the queue takes it."""
        return NewTask(
            self.agent_type,
            self.payload,
            priority=self.priority,
            max_retries=self.max_retries,
            idempotency_key=self.idempotency_key,
            run_at=self.run_at,
        )


class RunRequest(Strict):
    """The body of `POST /ai/agents/{agent_type}/run`."""

    input: Annotated[dict[str, Any], BeforeValidator(storable_json)] = Field(
        description="What the agent takes: `GET /ai/agent-types` has its JSON Schema."
    )
    priority: Priority = WAITED_FOR_PRIORITY
    max_retries: Retries = 3
    run_at: Moment | None = Field(default=None, description="Not before; a past one means now.")
    wait_s: WaitSeconds = DEFAULT_WAIT_S

    def task(self, agent_type: str, key: str | None) -> NewTask:
        """As the queue takes it."""
        return NewTask(
            agent_type,
            self.input,
            priority=self.priority,
            max_retries=self.max_retries,
            idempotency_key=key,
            run_at=self.run_at,
            awaited=True,
        )


class TasksRequest(Strict):
    """Many tasks to enqueue at once: all of them or none."""

    tasks: Annotated[list[TaskRequest], Field(min_length=1, max_length=MAX_TASKS_AT_ONCE)]


class ReasonOut(BaseModel):
    """What one fact did to the score."""

    feature: str
    value: str | int | float | bool | None = None
    contribution: float = Field(
        description="Log-odds it adds to conversion_probability; 0 for a model's own observation."
    )
    text: str


class LeadAnalysis(BaseModel):
    """How good a lead is and why."""

    quality_score: int = Field(ge=0, le=100)
    conversion_probability: float = Field(ge=0, le=1, description="Never from a language model.")
    next_actions: list[str]
    reasons: list[ReasonOut]
    provider: str
    model: str


class FollowUpDraft(BaseModel):
    """A message for a person to approve; nothing has been sent."""

    subject: str
    body: str
    full_message: str
    provider: str
    model: str


class TaskAccepted(BaseModel):
    """The task is queued or running; its result will be at `location`."""

    task_id: UUID
    state: TaskState
    location: str


class TaskError(BaseModel):
    """Why a task did not succeed."""

    code: str
    detail: str


class AnalysisAnswer(BaseModel):
    """An analysis and the task that made it; `error` where the agent gave up."""

    task_id: UUID
    state: TaskState
    result: LeadAnalysis | None
    error: TaskError | None = None


class FollowUpAnswer(BaseModel):
    """A draft and the task that made it; `error` where the agent gave up."""

    task_id: UUID
    state: TaskState
    result: FollowUpDraft | None
    error: TaskError | None = None


class RunAnswer(BaseModel):
    """What an agent made of its input, and the task; `error` where the agent gave up."""

    task_id: UUID
    state: TaskState
    result: dict[str, Any] | None
    error: TaskError | None = None


class TaskOut(BaseModel):
    """A task as its agency sees it; built from its row, which may hold more columns."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
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
    cancel_requested_at: datetime | None = Field(
        default=None, description="When somebody asked for its end; while it runs, it is to end."
    )


class TaskList(BaseModel):
    """Some tasks, newest first."""

    items: list[TaskOut]
    next_cursor: str | None = None
