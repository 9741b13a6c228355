"""Leaves an endpoint alone that fails, and tries now and then whether it answers again.

The states and their changes are those of `purgatory`: closed, open after so many failed requests
in a row, half-open for a probe. Time is ours: a rest lasts as long as the endpoint asks, and twice
as long after each probe that failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from purgatory.domain.messages.events import ContextChanged
from purgatory.domain.model import (
    CLOSED,
    HALF_OPENED,
    OPENED,
    Context,
    HalfOpenedState,
    OpenedState,
)

from gardenos.ai.llm.errors import LLMError, LLMRateLimited, LLMResting, LLMUnavailable
from gardenos.ai.llm.fallback import FallbackLLM
from gardenos.ai.llm.protocol import LLM, Completion, Reply, T
from gardenos.observability.events import LLMCircuitChanged, observe

FAILURES_BEFORE_REST = 3
REST_S = 30.0
LONGEST_REST_S = 300.0
PROBE_S = 5.0
"""While one request tries the endpoint, the others are told to come again after so long."""
_SAID = {CLOSED: "closed", OPENED: "open", HALF_OPENED: "half_open"}


class BreakerLLM:
    """Asks a model as long as its endpoint answers; else raises `LLMResting` without a call.

    Only what speaks of the endpoint counts: it cannot be reached, is late, fails, or asks for fewer
    requests. What a request gets refused for is the request's fault, and shows that somebody answers.
    """

    def __init__(self, llm: LLM, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._llm = llm
        self._monotonic = monotonic
        self._circuit = Context(llm.model, FAILURES_BEFORE_REST, REST_S)
        self._asked_again_at = 0.0
        self._failed_probes = 0
        self._probing = False

    @property
    def provider(self) -> str:
        """The model's provider."""
        return self._llm.provider

    @property
    def model(self) -> str:
        """The model's name."""
        return self._llm.model

    def state(self) -> dict[str, Any]:
        """How the endpoint fares: its state, failures in a row, seconds until it is asked again."""
        rest = self._rest_left_s() if self._circuit.state == OPENED else None
        return {
            "state": _SAID[self._circuit.state],
            "failures": self._circuit.failure_count or 0,
            "asked_again_in_s": None if rest is None else round(rest, 1),
        }

    async def complete(self, request: Completion[T]) -> Reply[T]:
        """Ask the model, unless its endpoint rests. Raises `LLMError`, `LLMResting` for a rest."""
        probes = self._admit()
        try:
            reply = await self._llm.complete(request)
        except LLMError as error:
            if _speaks_of_endpoint(error):
                self._failed(error, probes=probes)
            else:
                self._answered(probes=probes)
            raise
        else:
            self._answered(probes=probes)
            return reply
        finally:
            if probes:
                self._probing = False

    async def aclose(self) -> None:
        """Close the model."""
        await self._llm.aclose()

    def _rest_left_s(self) -> float:
        return max(0.0, self._asked_again_at - self._monotonic())

    def _admit(self) -> bool:
        """Whether this request is the one that probes. Raises `LLMResting` where none may be made."""
        if self._circuit.state == CLOSED:
            return False
        rest = PROBE_S if self._probing else self._rest_left_s()
        if rest > 0:
            raise LLMResting(
                f"{self.model} failed repeatedly and is asked again in {rest:.0f} s.",
                retry_after_s=rest,
            )
        self._probing = True
        if self._circuit.state == OPENED:
            self._circuit.set_state(HalfOpenedState())
            self._tell("It has rested and is tried with one request.")
        return True

    def _answered(self, *, probes: bool) -> None:
        # A rest stands: what was asked before it began says nothing of it.
        if probes or self._circuit.state == CLOSED:
            self._circuit.handle_end_request()
            self._failed_probes = 0
            self._tell("It answers again.")

    def _failed(self, error: LLMError, *, probes: bool) -> None:
        if not probes and self._circuit.state != CLOSED:
            return
        if probes:
            self._failed_probes += 1
        self._circuit.handle_exception(error)
        rest = error.retry_after_s or 0.0
        if self._circuit.state == OPENED:
            rest = max(rest, REST_S * 2.0 ** min(self._failed_probes, 10))
        elif rest > 0:
            self._circuit.set_state(OpenedState(self._circuit.name))
        self._asked_again_at = self._monotonic() + min(rest, LONGEST_REST_S)
        self._tell(error.detail)

    def _tell(self, reason: str) -> None:
        told, self._circuit.messages = self._circuit.messages, []
        for message in told:
            if isinstance(message, ContextChanged):
                rest = self._rest_left_s() if message.state == OPENED else None
                state = _SAID[message.state]
                observe(LLMCircuitChanged(self.provider, self.model, state, rest, reason))


def _speaks_of_endpoint(error: LLMError) -> bool:
    return isinstance(error, LLMUnavailable | LLMRateLimited)


def state_of(llm: LLM) -> dict[str, Any] | None:
    """How a model's endpoint fares; None where none is asked or nobody watches it."""
    asked = llm.first if isinstance(llm, FallbackLLM) else llm
    return asked.state() if isinstance(asked, BreakerLLM) else None
