"""Between pydantic models and the wire: the schema as endpoints take it, the answer as it comes."""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gardenos.ai.llm.errors import LLMBadOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gardenos.ai.llm.protocol import T
    from gardenos.core.clock import Clock

_DROPPED = frozenset(
    ("title", "default", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format")
)
"""Keywords some endpoints refuse in strict mode. They are checked here, when the answer is in."""
_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(?P<inside>.*)\n\s*```\s*\Z", re.DOTALL)
_FAULTS_TOLD = 5


class _FromSdk(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Message(_FromSdk):
    """What a model said, or that it would not."""

    content: str | None = None
    refusal: str | None = None


class Choice(_FromSdk):
    """One answer, and why it ended."""

    message: Message
    finish_reason: str | None = None


class _Answer(_FromSdk):
    choices: Annotated[list[Choice], Field(min_length=1)]


def first_choice(answer: object) -> Choice:
    """The answer in what the SDK returned, which it has not validated. Raises `LLMBadOutput`."""
    try:
        return _Answer.model_validate(answer).choices[0]
    except ValidationError:
        raise LLMBadOutput(
            "The endpoint answered with something else than a chat completion."
        ) from None


@cache
def schema_of(output: type[BaseModel]) -> dict[str, Any]:
    """The output's JSON Schema in the subset that strict structured output knows."""
    strict: dict[str, Any] = _strict(output.model_json_schema(), is_names=False)
    return strict


def _strict(node: Any, *, is_names: bool) -> Any:
    if isinstance(node, list):
        return [_strict(item, is_names=False) for item in node]
    if not isinstance(node, dict):
        return node
    # Below `properties` and `$defs` the keys are names somebody chose, not keywords.
    kept: dict[str, Any] = {
        key: _strict(value, is_names=not is_names and key in ("properties", "$defs"))
        for key, value in node.items()
        if is_names or key not in _DROPPED
    }
    if not is_names and kept.get("type") == "object" and "properties" in kept:
        kept["additionalProperties"] = False
        kept["required"] = list(kept["properties"])
    return kept


def parse(output: type[T], text: str | None) -> T:
    """The answer as the output's model. Raises `LLMBadOutput` saying what is wrong with it."""
    if text is None or not text.strip():
        raise LLMBadOutput("The model answered with nothing.")
    fenced = _FENCED.match(text)
    inside = fenced["inside"] if fenced else text
    try:
        return output.model_validate_json(inside)
    except ValidationError as error:
        first, last = inside.find("{"), inside.rfind("}")
        if (first, last) != (0, len(inside) - 1) and 0 <= first < last:
            try:
                return output.model_validate_json(inside[first : last + 1])
            except ValidationError as closer:
                raise LLMBadOutput(_faults(closer)) from None
        raise LLMBadOutput(_faults(error)) from None


def _faults(error: ValidationError) -> str:
    # Without the input: it may be a lead's text, and this sentence goes to the log and the model.
    told = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'answer'}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)[:_FAULTS_TOLD]
    ]
    return "; ".join(told)


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """The seconds a response asks to wait (Retry-After as seconds or date); None where it does not."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - clock.now()).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
