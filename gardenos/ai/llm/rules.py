"""The deterministic provider: the whole job without a key, a network or a surprise."""

from __future__ import annotations

from gardenos.ai.llm.errors import LLMRefused
from gardenos.ai.llm.protocol import Completion, Mode, Reply, T

PROVIDER = "rules"
MODEL = "rules-1"
"""Changes when the rules give other answers to the same lead."""


class RulesLLM:
    """Answers every request by the rules it carries. No call is made, so none is recorded."""

    provider = PROVIDER
    model = MODEL

    async def complete(self, request: Completion[T]) -> Reply[T]:
        """What the request's own rules say. Raises `LLMRefused` for a request without any."""
        if request.rules is None:
            raise LLMRefused(
                f"{request.prompt.name} has no rules to fall back on. Set GARDENOS_LLM_API_KEY."
            )
        return Reply(request.rules(), PROVIDER, MODEL, Mode.RULES)

    async def aclose(self) -> None:
        """Nothing to give back."""
