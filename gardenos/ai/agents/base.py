"""The base of every agent: payload in, outcome out, and every model call on the record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, cast

import structlog
from pydantic import BaseModel, ValidationError

from gardenos.ai.llm.errors import LLMError
from gardenos.ai.llm.protocol import LLM, Completion, LLMCall, Reply, T
from gardenos.core.clock import Clock, SystemClock
from gardenos.db import sql
from gardenos.orchestrator.task import (
    AgentTask,
    Attempt,
    Cancel,
    Done,
    Fail,
    Outcome,
    Retry,
    Snooze,
)

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession

QUERIES = sql.load(__package__ or "gardenos.ai.agents")
Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)
Unfinished: TypeAlias = Retry | Fail | Snooze | Cancel
"""What `work` returns instead of an output when there is none."""
_FAULTS_TOLD = 3
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RecordingLLM:
    """The agent's model for one task: remembers every call, also those of requests that failed."""

    llm: LLM
    calls: list[LLMCall] = field(default_factory=list[LLMCall])

    @property
    def provider(self) -> str:
        """The model's provider."""
        return self.llm.provider

    @property
    def model(self) -> str:
        """The model's name."""
        return self.llm.model

    async def complete(self, request: Completion[T]) -> Reply[T]:
        """Ask the model. Raises `LLMError`."""
        try:
            reply = await self.llm.complete(request)
        except LLMError as error:
            self.calls.extend(error.calls)
            raise
        self.calls.extend(reply.calls)
        return reply

    async def aclose(self) -> None:
        """The agent closes its model, not a task."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an agent works with besides its input."""

    task: AgentTask
    loaded: Any
    """What `load` found for this task; None where nothing."""
    llm: LLM
    clock: Clock

    @property
    def claims(self) -> Claims:
        """On whose behalf: the task's agency."""
        return self.task.claims


class BaseAIAgent(ABC, Generic[Input, Output]):
    """Works off one type of task. A subclass names its types and implements `work` and `persist`."""

    agent_type: ClassVar[str]
    input_type: ClassVar[type[BaseModel]]

    def __init__(self, llm: LLM, *, clock: Clock | None = None) -> None:
        self.llm = llm
        self.clock = clock or SystemClock()

    @abstractmethod
    async def work(self, request: Input, context: Context) -> Output | Unfinished:
        """Turn the input into the output. Holds no connection; may be repeated after a crash."""

    @abstractmethod
    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Store the effects of attempts that ended `Done`, all of one agency, by set-based SQL."""

    async def load(
        self,
        session: TenantSession,  # noqa: ARG002 for those that read
        tasks: Sequence[AgentTask],  # noqa: ARG002
    ) -> Mapping[TaskId, Any]:
        """Read what the tasks of one agency need, in one go. Nothing, unless a subclass does."""
        return {}

    def result(self, output: Output) -> Mapping[str, Any]:
        """The output as JSON, for the task's reader."""
        return output.model_dump(mode="json")

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        """Work one task off. Never raises for a failure of the work: the outcome says it."""
        llm = RecordingLLM(self.llm)
        outcome = await self._outcome(Context(task, loaded, llm, self.clock))
        return Attempt(task, outcome, tuple(llm.calls))

    async def _outcome(self, context: Context) -> Outcome:
        try:
            request = cast("Input", self.input_type.model_validate(context.task.payload))
        except ValidationError as error:
            return Fail(f"The payload is not one for {self.agent_type}: {_faults(error)}")
        try:
            made = await self.work(request, context)
        except LLMError as error:
            if error.retryable:
                return Retry(error.detail, error.retry_after_s)
            return Fail(error.detail)
        except Exception as error:  # noqa: BLE001 raised on, the record of its calls would be lost
            _log.exception("agent_failed", agent_type=self.agent_type, task_id=str(context.task.id))
            return Retry(f"{type(error).__name__}: {error}")
        if isinstance(made, Retry | Fail | Snooze | Cancel):
            return made
        return Done(self.result(made), effect=made)

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Store every model call of these attempts, whatever their outcome."""
        rows = [
            _usage_row(attempt.task, call)
            for attempt in attempts
            for call in attempt.usage
            if isinstance(call, LLMCall)
        ]
        if rows:
            await session.execute(QUERIES["record_llm_calls"], rows)

    async def aclose(self) -> None:
        """Give back what the agent holds. It takes no tasks afterwards."""
        await self.llm.aclose()


def _usage_row(task: AgentTask, call: LLMCall) -> dict[str, Any]:
    return {
        "task_id": str(task.id),
        "agent_type": task.agent_type,
        "provider": call.provider,
        "model": call.model,
        "mode": call.mode,
        "outcome": call.outcome.value,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        # As text: a JSON number would pass through a float on its way.
        "cost_usd": None if call.cost_usd is None else str(call.cost_usd),
        "latency_ms": call.latency_ms,
    }


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_input=False, include_url=False)[:_FAULTS_TOLD]
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'payload'}: {fault['msg']}"
        for fault in faults
    )
