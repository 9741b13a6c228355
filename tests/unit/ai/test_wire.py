from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import BaseModel, Field

from gardenos.ai.llm import reach, wire
from gardenos.ai.llm.errors import LLMBadOutput
from gardenos.ai.llm.prices import PriceTable
from gardenos.ai.llm.reach import RemoteModelForbidden


class Inner(BaseModel):
    title: str = Field(max_length=3, pattern="^a")


class Outer(BaseModel):
    default: int = 3
    items: list[Inner] = Field(min_length=1)


def test_a_schema_keeps_to_what_strict_endpoints_know() -> None:
    schema = wire.schema_of(Outer)
    assert schema["required"] == ["default", "items"]
    assert schema["additionalProperties"] is False
    assert "minItems" not in schema["properties"]["items"]
    inner = schema["$defs"]["Inner"]
    assert inner["properties"] == {"title": {"type": "string"}}
    assert inner["additionalProperties"] is False


def test_a_fault_is_told_without_repeating_the_answer() -> None:
    with pytest.raises(LLMBadOutput) as caught:
        wire.parse(Outer, '{"items": [{"title": "secret words"}]}')
    assert "items.0.title" in caught.value.detail
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize("text", [None, "", " \n", "no json", "}{", "[1]", "null", "{" * 5000])
def test_what_is_no_such_object_is_bad_output(text: str | None) -> None:
    with pytest.raises(LLMBadOutput):
        wire.parse(Outer, text)


def test_a_cost_is_exact() -> None:
    table = PriceTable.of({})
    model = "deepseek-ai/DeepSeek-V3-0324"
    assert table.cost(model, input_tokens=1, output_tokens=1) == Decimal("0.00000137")
    assert table.cost(model, input_tokens=None, output_tokens=1) is None
    assert table.cost("other", input_tokens=1, output_tokens=1) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_models_on_this_machine_may_be_called_in_tests(host: str) -> None:
    reach.check(host)


@pytest.mark.parametrize("host", ["api.openai.com", "10.0.0.1", "localhost.example.com", ""])
def test_models_elsewhere_may_not(host: str) -> None:
    with pytest.raises(RemoteModelForbidden, match="FunctionLLM"):
        reach.check(host)
