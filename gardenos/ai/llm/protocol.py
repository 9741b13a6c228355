"""The seam to any model: one request for structured output, one reply, and what it took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from gardenos.ai.prompts import Prompt

T = TypeVar("T", bound=BaseModel)


class Mode(StrEnum):
    """How the shape of the output was asked for: the rungs of the ladder."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    REPAIR = "repair"
    RULES = "rules"


class CallOutcome(StrEnum):
    """How one call to a model ended."""

    OK = "ok"
    BAD_OUTPUT = "bad_output"
    CUT_OFF = "cut_off"
    REJECTED = "rejected"
    REFUSED = "refused"
    RATE_LIMITED = "rate_limited"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    CUT_SHORT = "cut_short"
    """Whoever asked did not wait for the answer: a deadline, or a cancelled task."""


@dataclass(frozen=True, slots=True)
class LLMCall:
    """One call made, answered or not: what `llm_calls` records."""

    provider: str
    model: str
    mode: str
    outcome: CallOutcome
    latency_ms: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    """None where unknown; never zero for that."""


def _nobody(_call: LLMCall) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Completion(Generic[T]):
    """A request for output of one shape.

    `data` gives what comes from outside (a lead's record): it reaches the model delimited and
    capped, as data. `rules` gives what the deterministic provider answers; without it only a model
    can. Both are called only where they are needed. `tell` hears of each call as it ends: of a
    request that is cut short, that is all there is.
    """

    prompt: Prompt
    data: Callable[[], Mapping[str, Any]]
    output: type[T]
    rules: Callable[[], T] | None = None
    max_output_tokens: int = 800
    temperature: float = 0.0
    tell: Callable[[LLMCall], None] = _nobody


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """What came back: the output, validated, and who made it."""

    output: T
    provider: str
    model: str
    mode: Mode
    calls: Sequence[LLMCall] = field(default=())
    """Every call made on the way, failed ones included; none where the rules answered alone."""

    @property
    def input_tokens(self) -> int:
        """Of all calls that reported them."""
        return sum(call.input_tokens or 0 for call in self.calls)

    @property
    def output_tokens(self) -> int:
        """Of all calls that reported them."""
        return sum(call.output_tokens or 0 for call in self.calls)

    @property
    def cost_usd(self) -> Decimal | None:
        """Of all calls together; None where that of one is unknown."""
        total = Decimal(0)
        for call in self.calls:
            if call.cost_usd is None:
                return None
            total += call.cost_usd
        return total


class LLM(Protocol):
    """A model. Implementations keep no state of a request between calls."""

    @property
    def provider(self) -> str:
        """Who answers: `openai`, `rules`, ..."""
        ...

    @property
    def model(self) -> str:
        """The model's name, as results carry it."""
        ...

    async def complete(self, request: Completion[T]) -> Reply[T]:
        """Answer the request in its output's shape. Raises `LLMError`."""
        ...

    async def aclose(self) -> None:
        """Give back connections. The model is not used afterwards."""
        ...
