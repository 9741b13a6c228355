"""Any OpenAI-compatible endpoint. The SDK is the wire; timeouts, retries and the ladder are ours.

A request goes down a ladder until a rung holds: output constrained by a JSON Schema, then any JSON
with the schema written into the prompt, then one turn in which the model repairs its answer. Below
that stands `FallbackLLM` with the rules. An endpoint that does not know a rung says so with 400,
and some with 500: neither is asked twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic
from urllib.parse import urlsplit

import openai
import structlog
from openai import AsyncOpenAI, Timeout
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from gardenos.ai.llm import reach, wire
from gardenos.ai.llm.endpoint import RungMemory
from gardenos.ai.llm.errors import (
    LLMBadOutput,
    LLMCutOff,
    LLMDeclined,
    LLMError,
    LLMRateLimited,
    LLMRefused,
    LLMTimeout,
    LLMUnavailable,
)
from gardenos.ai.llm.prices import PriceTable
from gardenos.ai.llm.protocol import CallOutcome, Completion, LLMCall, Mode, Reply, T
from gardenos.core.clock import Clock, SystemClock
from gardenos.observability.events import LLMCalled, observe

PROVIDER = "openai"
MAX_ATTEMPTS = 4
"""Calls on one rung, the first included."""
LONGEST_RETRY_AFTER_S = 10.0
"""An endpoint that asks for more is not waited for: somebody waits for us too."""
CONNECT_TIMEOUT_S = 5.0
_SHARE_OF_ONE_CALL = 2 / 3
"""Of a request's whole time, so that a call that hangs leaves some for another."""
_CUT_OFF_FACTOR = 2
_MOST_TOKENS = 2**31 - 1
"""What a column for a count holds; no call uses as many."""
_log = structlog.get_logger(__name__)


class _RungRejected(LLMError):
    """The endpoint does not take this way of asking for JSON."""


@dataclass(slots=True)
class _Run(Generic[T]):
    """One request on its way down the ladder."""

    request: Completion[T]
    deadline: float
    max_tokens: int
    calls: list[LLMCall] = field(default_factory=list[LLMCall])
    said: str | None = None
    """The text of the last answer, for the repair turn."""


class OpenAILLM:
    """A model behind an OpenAI-compatible endpoint."""

    provider = PROVIDER

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        call_timeout_s: float | None = None,
        prices: PriceTable | None = None,
        rungs: RungMemory | None = None,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`timeout_s` bounds a whole request with its retries, `call_timeout_s` each call."""
        self.model = model
        self._base_url = base_url
        self._host = urlsplit(base_url).hostname or ""
        self._timeout_s = timeout_s
        self._call_timeout_s = call_timeout_s or timeout_s * _SHARE_OF_ONE_CALL
        self._prices = prices or PriceTable.of({})
        self._monotonic = monotonic
        self._sleep = sleep
        self._clock = clock or SystemClock()
        self.rungs = rungs or RungMemory(monotonic)
        self._client = AsyncOpenAI(
            api_key=api_key or "none",  # endpoints of one's own often want none, the SDK one
            base_url=base_url,
            max_retries=0,
            timeout=Timeout(self._call_timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def complete(self, request: Completion[T]) -> Reply[T]:
        """Ask, down the ladder. Raises `LLMError` carrying the calls made."""
        reach.check(self._host)
        run = _Run(request, self._monotonic() + self._timeout_s, request.max_output_tokens)
        try:
            output, mode = await self._descend(run)
        except LLMError as error:
            error.calls = tuple(run.calls)
            raise
        return Reply(output, PROVIDER, self.model, mode, tuple(run.calls))

    async def _descend(self, run: _Run[T]) -> tuple[T, Mode]:
        fault: LLMError | None = None
        mode = Mode.JSON_OBJECT
        proven = self.rungs.working(self._base_url, self.model) is not None
        disproved = False
        for mode in self.rungs.ladder(self._base_url, self.model):
            try:
                output = await self._ask(run, mode, self._messages(run, mode))
            except (_RungRejected, LLMBadOutput) as error:
                fault = error
                # An answer too long, or one bad one where others were good, is no fault of the rung.
                excused = proven or isinstance(error, LLMCutOff)
                if isinstance(error, _RungRejected):
                    self.rungs.forget(self._base_url, self.model)
                    excused = False
                disproved = disproved or not excused
                _log.info("llm_rung_failed", model=self.model, mode=mode, detail=error.detail)
            else:
                if fault is None or disproved:
                    self.rungs.remember(self._base_url, self.model, mode)
                return output, mode
        if isinstance(fault, LLMBadOutput):
            return await self._repair(run, mode, fault), Mode.REPAIR
        raise LLMRefused(fault.detail if fault else None)

    async def _repair(self, run: _Run[T], mode: Mode, fault: LLMBadOutput) -> T:
        """One more turn with what was wrong; a cut-off answer gets more room instead."""
        messages = self._messages(run, mode)
        if isinstance(fault, LLMCutOff):
            run.max_tokens *= _CUT_OFF_FACTOR
            wish = "Answer again, shorter: the answer must be complete."
        else:
            messages.append({"role": "assistant", "content": run.said or "{}"})
            wish = "Answer again with the corrected JSON object and nothing else."
        messages.append({"role": "user", "content": f"That was not usable: {fault.detail} {wish}"})
        try:
            return await self._ask(run, Mode.REPAIR, messages)
        except _RungRejected as error:
            raise LLMRefused(error.detail) from error

    def _messages(self, run: _Run[T], mode: Mode) -> list[dict[str, str]]:
        request = run.request
        written_out = None if mode is Mode.JSON_SCHEMA else wire.schema_of(request.output)
        return request.prompt.messages(request.data(), schema=written_out)

    async def _ask(self, run: _Run[T], mode: Mode, messages: list[dict[str, str]]) -> T:
        """Call until one is answered, for failures that pass. Raises `LLMError`."""
        if self._monotonic() >= run.deadline:
            raise LLMTimeout

        def give_up(state: RetryCallState) -> bool:
            no_time_left = self._monotonic() + state.upcoming_sleep >= run.deadline
            asks_too_much = (_wish(state) or 0) > LONGEST_RETRY_AFTER_S
            return state.attempt_number >= MAX_ATTEMPTS or no_time_left or asks_too_much

        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, LLMError) and e.retryable),
            wait=_wait,
            stop=give_up,
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._call, run, mode, messages)

    async def _call(self, run: _Run[T], mode: Mode, messages: list[dict[str, str]]) -> T:
        """One HTTP call, recorded however it ends."""
        began = self._monotonic()
        usage: object = None
        outcome = CallOutcome.CUT_SHORT
        try:
            async with asyncio.timeout(min(self._call_timeout_s, max(0.0, run.deadline - began))):
                answer = await self._client.chat.completions.create(
                    **self._parameters(run, mode, messages)
                )
            usage = getattr(answer, "usage", None)
            output = self._read(run, answer)
            outcome = CallOutcome.OK
        except (LLMBadOutput, LLMDeclined) as error:
            outcome = _OUTCOMES[type(error)]
            raise
        except (openai.OpenAIError, TimeoutError, ValueError, RecursionError) as error:
            fault = self._fault(error, mode)
            outcome = _OUTCOMES[type(fault)]
            raise fault from error
        finally:
            call = self._record(mode, outcome, usage, self._monotonic() - began)
            run.calls.append(call)
            run.request.tell(call)
        return output

    def _parameters(
        self, run: _Run[T], mode: Mode, messages: list[dict[str, str]]
    ) -> dict[str, Any]:
        form: dict[str, Any] = {"type": "json_object"}
        if mode is Mode.JSON_SCHEMA:
            schema = wire.schema_of(run.request.output)
            named = {"name": run.request.prompt.name, "schema": schema, "strict": True}
            form = {"type": "json_schema", "json_schema": named}
        return {
            "model": self.model,
            "messages": messages,
            "max_tokens": run.max_tokens,
            "temperature": run.request.temperature,
            "response_format": form,
        }

    def _read(self, run: _Run[T], answer: object) -> T:
        run.said = None
        choice = wire.first_choice(answer)
        run.said = choice.message.content
        if choice.finish_reason == "content_filter" or choice.message.refusal:
            raise LLMDeclined
        try:
            return wire.parse(run.request.output, run.said)
        except LLMBadOutput as error:
            if choice.finish_reason == "length":
                raise LLMCutOff from error
            raise

    def _fault(self, error: Exception, mode: Mode) -> LLMError:
        """What an exception of the SDK means here."""
        if isinstance(error, TimeoutError | openai.APITimeoutError):
            return LLMTimeout()
        if isinstance(error, openai.APIConnectionError):
            return _Unreachable(f"{self._host} cannot be reached.")
        if isinstance(error, openai.APIStatusError):
            return self._status_fault(error, mode)
        return LLMUnavailable(f"{self._host} answered with something that is not readable.")

    def _status_fault(self, error: openai.APIStatusError, mode: Mode) -> LLMError:
        status = error.status_code
        wish = wire.retry_after(error.response.headers, self._clock)
        said = f"{self._host} answered {status} to a request for {self.model}."
        if error.code == "content_filter":
            return LLMDeclined()
        unproven = mode is Mode.JSON_SCHEMA and not self._is_proven(mode)
        if status in (400, 422) or (status in (500, 501) and unproven):
            return _RungRejected(said)
        if status == 429 and error.code != "insufficient_quota":  # noqa: PLR2004
            return LLMRateLimited(said, retry_after_s=wish)
        if status >= 500 or status in (408, 409, 425):  # noqa: PLR2004
            return LLMUnavailable(said, retry_after_s=wish)
        return LLMRefused(said)

    def _is_proven(self, mode: Mode) -> bool:
        return self.rungs.working(self._base_url, self.model) is mode

    def _record(self, mode: Mode, outcome: CallOutcome, usage: object, took_s: float) -> LLMCall:
        read = _tokens(usage, "prompt_tokens")
        written = _tokens(usage, "completion_tokens")
        took_s = max(0.0, took_s)
        cost = self._prices.cost(self.model, input_tokens=read, output_tokens=written)
        observe(LLMCalled(PROVIDER, self.model, outcome.value, took_s, read, written, cost))
        return LLMCall(
            provider=PROVIDER,
            model=self.model,
            mode=mode.value,
            outcome=outcome,
            latency_ms=round(took_s * 1000),
            input_tokens=read,
            output_tokens=written,
            cost_usd=cost,
        )


class _Unreachable(LLMUnavailable):
    """The endpoint cannot be reached."""


_OUTCOMES: dict[type[Exception], CallOutcome] = {
    LLMBadOutput: CallOutcome.BAD_OUTPUT,
    LLMCutOff: CallOutcome.CUT_OFF,
    LLMDeclined: CallOutcome.REFUSED,
    LLMRefused: CallOutcome.REFUSED,
    LLMRateLimited: CallOutcome.RATE_LIMITED,
    LLMTimeout: CallOutcome.TIMED_OUT,
    LLMUnavailable: CallOutcome.FAILED,
    _Unreachable: CallOutcome.UNREACHABLE,
    _RungRejected: CallOutcome.REJECTED,
}
_backoff = wait_random_exponential(multiplier=0.5, max=8)


def _wish(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after_s if isinstance(error, LLMError) else None


def _wait(state: RetryCallState) -> float:
    wish = _wish(state)
    return _backoff(state) if wish is None else wish


def _tokens(usage: object, name: str) -> int | None:
    """A count from a usage object nobody validated; None where it is not one."""
    value = getattr(usage, name, None)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None
