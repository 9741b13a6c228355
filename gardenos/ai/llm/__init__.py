"""Models behind one protocol: any OpenAI-compatible endpoint, and rules that need none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gardenos.ai.llm.breaker import BreakerLLM
from gardenos.ai.llm.fallback import FallbackLLM
from gardenos.ai.llm.prices import PriceTable
from gardenos.ai.llm.rules import RulesLLM

if TYPE_CHECKING:
    from gardenos.ai.llm.protocol import LLM
    from gardenos.core.config import Settings


def create(settings: Settings) -> LLM:
    """The model an installation is set to use; where it fails, the rules answer instead."""
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
    if settings.llm_provider == "rules" or (settings.llm_provider == "auto" and not key):
        return RulesLLM()
    # The SDK takes half a second to import: only who uses it pays.
    from gardenos.ai.llm.openai import OpenAILLM  # noqa: PLC0415

    endpoint = OpenAILLM(
        base_url=settings.llm_base_url,
        model=settings.llm_model,
        api_key=key,
        timeout_s=settings.llm_timeout_s,
        prices=PriceTable.of(settings.llm_prices),
    )
    return FallbackLLM(BreakerLLM(endpoint))
