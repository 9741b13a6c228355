"""What may go wrong with a model, as one tree.

    LLMError                   503 llm-failed
    ├── LLMUnavailable         503 llm-unavailable     retryable
    │   ├── LLMTimeout         503 llm-timeout         retryable
    │   └── LLMResting         503 llm-resting         retryable, not asked at all
    ├── LLMRateLimited         503 llm-rate-limited    retryable, `retry_after_s` where it was said
    ├── LLMRefused             503 llm-refused
    ├── LLMDeclined            503 llm-declined
    ├── BudgetExhausted        503 budget-exhausted    not asked at all
    └── LLMBadOutput           503 llm-bad-output
        └── LLMCutOff          503 llm-cut-off

`retryable` says whether the same request may work later. `calls` are the calls made until then:
a call that failed may have cost something and is recorded like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from gardenos.core.errors import Unavailable

if TYPE_CHECKING:
    from gardenos.ai.llm.protocol import LLMCall


class LLMError(Unavailable):
    """The language model gave no usable answer. The log says what it answered instead."""

    code = "llm-failed"
    retryable: ClassVar[bool] = False
    calls: Sequence[LLMCall] = ()


class LLMUnavailable(LLMError):
    """The language model's endpoint does not answer or is failing. Try again shortly."""

    code = "llm-unavailable"
    retryable = True


class LLMTimeout(LLMUnavailable):
    """The language model took too long. Try again, or raise GARDENOS_LLM_TIMEOUT_S."""

    code = "llm-timeout"


class LLMResting(LLMUnavailable):
    """The language model's endpoint failed repeatedly and is left alone. Try again after Retry-After."""

    code = "llm-resting"


class LLMRateLimited(LLMError):
    """The language model's endpoint asks for fewer requests. Try again after its Retry-After."""

    code = "llm-rate-limited"
    retryable = True


class LLMRefused(LLMError):
    """The endpoint refuses the request. Check GARDENOS_LLM_BASE_URL, _MODEL and _API_KEY."""

    code = "llm-refused"


class LLMDeclined(LLMError):
    """The language model declined to answer this request. Its record may have tripped a filter."""

    code = "llm-declined"


class BudgetExhausted(LLMError):
    """The agency's budget for language models is used up for this month. Raise it, or wait."""

    code = "budget-exhausted"


class LLMBadOutput(LLMError):
    """The language model's answer does not have the shape that was asked for, repaired or not."""

    code = "llm-bad-output"


class LLMCutOff(LLMBadOutput):
    """The language model's answer ended in the middle: it reached its length limit."""

    code = "llm-cut-off"
