"""A model that is a function: for tests of agents, ours and their writers'."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from inspect import isawaitable
from typing import Any, TypeAlias

from pydantic import BaseModel

from gardenos.ai.llm import reach, wire
from gardenos.ai.llm.errors import LLMBadOutput, LLMError
from gardenos.ai.llm.protocol import CallOutcome, Completion, LLMCall, Mode, Reply, T

Answer: TypeAlias = BaseModel | Mapping[str, Any] | str
Function: TypeAlias = Callable[[Completion[Any]], Answer | Awaitable[Answer]]

no_real_models = reach.this_machine_only
"""A context in which calling a model on another machine raises `RemoteModelForbidden`."""


class ManualTime:
    """Time that passes only by waiting: give `monotonic` and `sleep` to whoever would wait."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once."""
        self.waits.append(seconds)
        self.now += seconds


class FunctionLLM:
    """Answers what a function returns: a model, a mapping or the JSON text a model would write.

    The answer is validated as a real one is. The function may raise an `LLMError`, and may be
    async. `requests` are the ones it got, `messages` what a model would have been sent.
    """

    def __init__(
        self,
        function: Function,
        *,
        provider: str = "function",
        model: str = "function-1",
        input_tokens: int | None = 100,
        output_tokens: int | None = 20,
        cost_usd: Decimal | None = None,
    ) -> None:
        self.provider = provider
        self.model = model
        self.requests: list[Completion[Any]] = []
        self.messages: list[list[dict[str, str]]] = []
        self.closed = False
        self._function = function
        self._usage = (input_tokens, output_tokens, cost_usd)

    async def complete(self, request: Completion[T]) -> Reply[T]:
        """Call the function; its answer as the request's output. Raises `LLMError`."""
        self.requests.append(request)
        self.messages.append(request.prompt.messages(request.data()))
        try:
            answer = self._function(request)
            if isawaitable(answer):
                answer = await answer
            output = self._read(request, answer)
        except LLMError as error:
            bad = isinstance(error, LLMBadOutput)
            outcome = CallOutcome.BAD_OUTPUT if bad else CallOutcome.FAILED
            error.calls = (*error.calls, self._call(outcome))
            raise
        calls = (self._call(CallOutcome.OK),)
        return Reply(output, self.provider, self.model, Mode.JSON_SCHEMA, calls)

    async def aclose(self) -> None:
        """Remember that the model was closed."""
        self.closed = True

    def _read(self, request: Completion[T], answer: Answer) -> T:
        if isinstance(answer, request.output):
            return answer
        if isinstance(answer, str):
            return wire.parse(request.output, answer)
        data = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
        return wire.parse(request.output, json.dumps(data))

    def _call(self, outcome: CallOutcome) -> LLMCall:
        read, written, cost = self._usage
        return LLMCall(
            provider=self.provider,
            model=self.model,
            mode=Mode.JSON_SCHEMA.value,
            outcome=outcome,
            latency_ms=0,
            input_tokens=read,
            output_tokens=written,
            cost_usd=cost,
        )
