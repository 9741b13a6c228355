"""The base of every agent: payload in, outcome out, and every model call on the record."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    get_origin,
)

import structlog
from pydantic import BaseModel, ValidationError

from gardenos.ai.agents.budget import Budgets
from gardenos.ai.agents.sql import QUERIES
from gardenos.ai.llm import breaker, rules
from gardenos.ai.llm.errors import BudgetExhausted, LLMError, LLMResting
from gardenos.ai.llm.protocol import LLM, Completion, LLMCall, Reply, T
from gardenos.core.clock import Clock, SystemClock
from gardenos.observability.events import BudgetRefused, observe
from gardenos.orchestrator.runs import Interrupted
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
    from gardenos.core.config import Settings
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)
Unfinished: TypeAlias = Retry | Fail | Snooze | Cancel
"""What `work` returns instead of an output when there is none."""
_FAULTS_TOLD = 3
_log = structlog.get_logger(__name__)


def _unlimited() -> None:
    return None


@dataclass(slots=True)
class RecordingLLM:
    """The agent's model for one task: remembers every call, also those of requests cut short."""

    llm: LLM
    may_spend: Callable[[], None] = _unlimited
    """Raises `BudgetExhausted` where no call may be made any more."""
    spent: Callable[[LLMCall], None] | None = None
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
        """Ask the model. Raises `LLMError`, and `BudgetExhausted` before it asks."""
        self.may_spend()
        try:
            reply = await self.llm.complete(replace(request, tell=self._note))
        except LLMError as error:
            self._note_all(error.calls)
            raise
        self._note_all(reply.calls)
        return reply

    def _note_all(self, calls: Iterable[LLMCall]) -> None:
        told = {id(call) for call in self.calls}
        for call in calls:
            if id(call) not in told:
                self._note(call)

    def _note(self, call: LLMCall) -> None:
        self.calls.append(call)
        if self.spent:
            self.spent(call)

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
    """Works off one type of task. A subclass says its type and its models, and implements `work`.

    `class Greeter(BaseAIAgent[Guest, Greeting])` takes payloads that are a `Guest` and gives results
    that are a `Greeting`; the first line of its docstring is what people read of it.
    """

    agent_type: ClassVar[str]
    input_type: ClassVar[type[BaseModel]]
    """Taken from the brackets behind `BaseAIAgent`, as is `output_type`."""
    output_type: ClassVar[type[BaseModel]]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for base in cls.__dict__.get("__orig_bases__", ()):
            if get_origin(base) is BaseAIAgent:
                for name, said in zip(("input_type", "output_type"), get_args(base), strict=False):
                    if isinstance(said, type) and name not in cls.__dict__:
                        setattr(cls, name, said)

    def __init__(self, llm: LLM, *, clock: Clock | None = None) -> None:
        self.llm = llm
        self.clock = clock or SystemClock()
        self._budgets = Budgets(self.clock)

    def configure(self, settings: Settings) -> None:
        """Take over what settings say of this type of agent. Nothing, unless a subclass does."""

    @abstractmethod
    async def work(self, request: Input, context: Context) -> Output | Unfinished:
        """Turn the input into the output. Holds no connection; may be repeated after a crash."""

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Store the effects of attempts that ended `Done`, all of one agency, by set-based SQL.

        Nothing, unless a subclass does: the result is stored with the task in any case.
        """

    async def load(
        self,
        session: TenantSession,  # noqa: ARG002 for those that read
        tasks: Sequence[AgentTask],  # noqa: ARG002
    ) -> Mapping[TaskId, Any]:
        """Read what the tasks of one agency need, in one go. Nothing, unless a subclass does."""
        return {}

    @property
    def reads(self) -> bool:
        """Whether a batch needs anything from the database first: what `load` finds, or budgets."""
        loads = type(self).load is not BaseAIAgent.load
        return loads or self.llm.provider != rules.PROVIDER

    def result(self, output: Output) -> Mapping[str, Any]:
        """The output as JSON, for the task's reader."""
        return output.model_dump(mode="json")

    def about(self) -> Mapping[str, Any]:
        """What the agent works with: its model, and how the model's endpoint fares."""
        state = breaker.state_of(self.llm)
        return {"provider": self.llm.provider, "model": self.llm.model, "endpoint": state}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        """Work one task off. Never raises for a failure of the work: the outcome says it.

        Raises `Interrupted`, with the calls made until then, where it is cut short.
        """
        llm = RecordingLLM(
            self.llm,
            may_spend=lambda: self._check_budget(task),
            spent=lambda call: self._budgets.spend(task, call),
        )
        try:
            outcome = await self._outcome(Context(task, loaded, llm, self.clock))
        except (asyncio.CancelledError, SystemExit, KeyboardInterrupt) as error:
            raise Interrupted(llm.calls) from error
        return Attempt(task, outcome, tuple(llm.calls))

    async def _outcome(self, context: Context) -> Outcome:
        try:
            request = cast("Input", self.input_type.model_validate(context.task.payload))
        except ValidationError as error:
            return Fail(f"The payload is not one for {self.agent_type}: {_faults(error)}")
        try:
            made = await self.work(request, context)
            if isinstance(made, Retry | Fail | Snooze | Cancel):
                return made
            return Done(self.result(made), effect=made)
        except LLMError as error:
            return self._without_model(error)
        except Exception as error:  # noqa: BLE001 raised on, the record of its calls would be lost
            _log.exception("agent_failed", agent_type=self.agent_type, task_id=str(context.task.id))
            return Retry(f"{type(error).__name__}: {error}")

    def _without_model(self, error: LLMError) -> Outcome:
        if isinstance(error, LLMResting):
            # Nobody was asked, so no attempt was made.
            return Snooze(self.clock.now() + timedelta(seconds=error.retry_after_s or 0.0))
        return Retry(error.detail, error.retry_after_s) if error.retryable else Fail(error.detail)

    def _check_budget(self, task: AgentTask) -> None:
        try:
            self._budgets.check(task.agency_id)
        except BudgetExhausted:
            observe(BudgetRefused(agent_type=task.agent_type))
            raise

    async def read_budget(self, session: TenantSession) -> None:
        """What models may still cost the session's agency; not asked where they cost nothing."""
        if self.llm.provider != rules.PROVIDER:
            await self._budgets.read(session)

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
            self._budgets.settled(attempt.task for attempt in attempts)

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
