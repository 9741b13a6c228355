"""The last rung: where a model fails, the rules answer, and the result says so."""

from __future__ import annotations

from dataclasses import replace

import structlog

from gardenos.ai.llm.errors import LLMError
from gardenos.ai.llm.protocol import LLM, Completion, Reply, T
from gardenos.ai.llm.rules import RulesLLM

_log = structlog.get_logger(__name__)


class FallbackLLM:
    """Asks a model; where it gives no usable answer, the rules do. The failed calls stay recorded."""

    def __init__(self, first: LLM) -> None:
        self._first = first
        self._rules = RulesLLM()

    @property
    def first(self) -> LLM:
        """The model asked first."""
        return self._first

    @property
    def provider(self) -> str:
        """The provider asked first."""
        return self._first.provider

    @property
    def model(self) -> str:
        """The model asked first."""
        return self._first.model

    async def complete(self, request: Completion[T]) -> Reply[T]:
        """The model's answer, else the rules'. Raises `LLMError` where the request has no rules."""
        try:
            return await self._first.complete(request)
        except LLMError as error:
            if request.rules is None:
                raise
            _log.warning(
                "llm_fell_back_to_rules",
                prompt=request.prompt.name,
                model=self._first.model,
                code=error.code,
                detail=error.detail,
                calls=len(error.calls),
            )
            reply = await self._rules.complete(request)
            return replace(reply, calls=tuple(error.calls))

    async def aclose(self) -> None:
        """Close the model asked first."""
        await self._first.aclose()
