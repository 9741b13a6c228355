from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, Field

from gardenos.ai import prompts
from gardenos.ai.llm.errors import LLMBadOutput, LLMCutOff, LLMDeclined, LLMRefused
from gardenos.ai.llm.openai import OpenAILLM
from gardenos.ai.llm.prices import PriceTable
from gardenos.ai.llm.protocol import CallOutcome, Completion, Mode
from gardenos.testing.llm import ManualTime
from gardenos.testing.llm_server import Answer, ModelServer, error, mode_of, model_server, said

DEEPSEEK = "deepseek-ai/DeepSeek-V3-0324"
GOOD = {"answer": "yes", "weight": 3}


class Verdict(BaseModel):
    answer: str = Field(max_length=20)
    weight: int


REQUEST = Completion(
    prompt=prompts.load("lead_analysis"),
    data=lambda: {"record": {"company": "Acme"}},
    output=Verdict,
)


def client(server: ModelServer, time: ManualTime | None = None, **options: Any) -> OpenAILLM:
    time = time or ManualTime()
    options.setdefault("model", DEEPSEEK)
    return OpenAILLM(
        base_url=server.url, api_key="k", monotonic=time.monotonic, sleep=time.sleep, **options
    )


def modes(server: ModelServer) -> list[str]:
    return [mode_of(request) for request in server.requests]


def only_json_object(status: int) -> Any:
    """An endpoint that does not know json_schema and says so with this status."""

    def script(request: Mapping[str, Any]) -> Answer:
        return error(status) if mode_of(request) == "json_schema" else said(GOOD)

    return script


async def test_an_answer_in_the_schema_is_the_reply() -> None:
    async with model_server([said(GOOD, usage=(1000, 100))]) as server:
        llm = client(server)
        reply = await llm.complete(REQUEST)
        await llm.aclose()
    assert reply.output == Verdict(answer="yes", weight=3)
    assert (reply.provider, reply.model, reply.mode) == ("openai", DEEPSEEK, Mode.JSON_SCHEMA)
    assert (reply.input_tokens, reply.output_tokens) == (1000, 100)
    assert reply.cost_usd == Decimal("0.00038")
    assert [call.outcome for call in reply.calls] == [CallOutcome.OK]
    assert server.authorizations == ["Bearer k"]


async def test_the_request_asks_strictly_and_gives_no_tools() -> None:
    async with model_server([said(GOOD)]) as server:
        await client(server).complete(REQUEST)
    (request,) = server.requests
    form = request["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"]["additionalProperties"] is False
    assert form["schema"]["required"] == ["answer", "weight"]
    assert "maxLength" not in json.dumps(form["schema"])
    assert not {"tools", "functions", "tool_choice"} & request.keys()


@pytest.mark.parametrize("status", [400, 422, 500])
async def test_an_endpoint_without_json_schema_is_asked_for_json_and_remembered(
    status: int,
) -> None:
    async with model_server(only_json_object(status)) as server:
        time = ManualTime()
        llm = client(server, time)
        first = await llm.complete(REQUEST)
        second = await llm.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_object", "json_object"]
    assert first.mode is second.mode is Mode.JSON_OBJECT
    assert [call.outcome for call in first.calls] == [CallOutcome.REJECTED, CallOutcome.OK]
    assert first.calls[0].input_tokens is None
    assert first.calls[0].cost_usd is None
    assert time.waits == []
    assert "JSON Schema" in server.requests[1]["messages"][0]["content"]


async def test_the_top_rung_is_tried_again_after_an_hour() -> None:
    async with model_server(only_json_object(400)) as server:
        time = ManualTime()
        llm = client(server, time)
        await llm.complete(REQUEST)
        time.now += 3601
        await llm.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_object"] * 2


async def test_a_rung_is_remembered_per_model() -> None:
    async with model_server(only_json_object(400)) as server:
        one = client(server)
        await one.complete(REQUEST)
        other = client(server, model="other", rungs=one.rungs)
        await other.complete(REQUEST)
        same = client(server, rungs=one.rungs)
        await same.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_object"] * 2 + ["json_object"]


async def test_500_on_a_rung_that_has_worked_is_a_failure_that_passes() -> None:
    async with model_server([said(GOOD), error(500), said(GOOD)]) as server:
        time = ManualTime()
        llm = client(server, time)
        await llm.complete(REQUEST)
        reply = await llm.complete(REQUEST)
    assert modes(server) == ["json_schema"] * 3
    assert [call.outcome for call in reply.calls] == [CallOutcome.FAILED, CallOutcome.OK]
    assert len(time.waits) == 1


@pytest.mark.parametrize(
    "bad",
    [
        said('{"answer": "ye'),
        said({"answer": "yes", "weight": "heavy"}),
        said({"answer": "x" * 21, "weight": 1}),
        said("I would say yes."),
        said(""),
        said(None),
        said('{"answer": "a\\u0000b\\ud800", "weight": 1}'),
        Answer(body=b'{"choices": []}'),
        Answer(body=b'{"object": "list", "data": 1}'),
        Answer(body=b'{"choices": [null]}'),
        Answer(body=b'{"choices": [{}]}'),
        Answer(body=b'{"choices": {"message": {"content": "{}"}}}'),
        Answer(body=b'{"choices": [{"message": {"content": [{"type": "text"}]}}]}'),
        Answer(body=b'"yes"'),
    ],
    ids=[
        "cut",
        "type",
        "long",
        "prose",
        "empty",
        "null",
        "surrogate",
        "no-choice",
        "other",
        "null-choice",
        "no-message",
        "one-choice",
        "parts",
        "text",
    ],
)
async def test_a_bad_answer_goes_down_a_rung_and_then_gets_one_repair_turn(bad: Answer) -> None:
    async with model_server([bad, bad, said(GOOD)]) as server:
        reply = await client(server).complete(REQUEST)
    assert reply.output.weight == 3
    assert reply.mode is Mode.REPAIR
    assert [call.mode for call in reply.calls] == ["json_schema", "json_object", "repair"]
    assert [call.outcome for call in reply.calls] == [
        CallOutcome.BAD_OUTPUT,
        CallOutcome.BAD_OUTPUT,
        CallOutcome.OK,
    ]
    turns = server.requests[2]["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[3]["content"].startswith("That was not usable: ")


async def test_a_rung_that_has_worked_outlives_a_bad_answer() -> None:
    answers = [said(GOOD), said("I would say yes."), said(GOOD), said(GOOD)]
    async with model_server(answers) as server:
        llm = client(server)
        for _ in range(3):
            await llm.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_schema", "json_object", "json_schema"]


async def test_an_answer_too_long_says_nothing_about_its_rung() -> None:
    answers = [said('{"answer": "ye', finish_reason="length"), said(GOOD), said(GOOD)]
    async with model_server(answers) as server:
        llm = client(server)
        for _ in range(2):
            await llm.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_object", "json_schema"]


async def test_an_endpoint_that_ignores_the_schema_is_not_asked_for_it_each_time() -> None:
    answers = [said("I would say yes."), said(GOOD), said(GOOD)]
    async with model_server(answers) as server:
        llm = client(server)
        for _ in range(2):
            await llm.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_object", "json_object"]


async def test_a_rung_an_endpoint_has_lost_is_given_up() -> None:
    async with model_server([said(GOOD), error(400), said(GOOD), said(GOOD)]) as server:
        llm = client(server)
        for _ in range(3):
            await llm.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_schema", "json_object", "json_object"]


async def test_an_endpoint_that_has_learnt_is_asked_from_the_top_again() -> None:
    async with model_server(only_json_object(400)) as server:
        llm = client(server)
        await llm.complete(REQUEST)

        def only_json_schema(request: Mapping[str, Any]) -> Answer:
            return said(GOOD) if mode_of(request) == "json_schema" else error(400)

        server.script = only_json_schema
        with pytest.raises(LLMRefused):
            await llm.complete(REQUEST)
        assert (await llm.complete(REQUEST)).mode is Mode.JSON_SCHEMA
    assert modes(server) == ["json_schema", "json_object", "json_object", "json_schema"]


async def test_one_repair_turn_and_no_more() -> None:
    async with model_server(lambda _request: said({"weight": 1})) as server:
        with pytest.raises(LLMBadOutput, match="answer: Field required") as caught:
            await client(server).complete(REQUEST)
    assert len(server.requests) == 3
    assert [call.input_tokens for call in caught.value.calls] == [120, 120, 120]


async def test_a_cut_off_answer_is_asked_for_again_with_more_room() -> None:
    cut = said('{"answer": "ye', finish_reason="length")
    async with model_server([cut, cut, said(GOOD)]) as server:
        reply = await client(server).complete(REQUEST)
    assert [call.outcome for call in reply.calls] == [
        CallOutcome.CUT_OFF,
        CallOutcome.CUT_OFF,
        CallOutcome.OK,
    ]
    assert [request["max_tokens"] for request in server.requests] == [800, 800, 1600]
    assert [turn["role"] for turn in server.requests[2]["messages"]] == ["system", "user", "user"]


async def test_an_answer_cut_off_to_the_end_is_an_error() -> None:
    cut = said('{"answer": "ye', finish_reason="length")
    async with model_server([cut, cut, cut]) as server:
        with pytest.raises(LLMCutOff):
            await client(server).complete(REQUEST)


@pytest.mark.parametrize(
    "text",
    ['```json\n{"answer": "yes", "weight": 3}\n```', 'Sure:\n{"answer": "yes", "weight": 3} Bye.'],
    ids=["fenced", "chatty"],
)
async def test_json_wrapped_in_talk_is_unwrapped(text: str) -> None:
    async with model_server([said(text)]) as server:
        reply = await client(server).complete(REQUEST)
    assert reply.output.weight == 3
    assert len(server.requests) == 1


async def test_a_declined_request_is_neither_repaired_nor_repeated() -> None:
    async with model_server([said(None, refusal="I cannot.")]) as server:
        with pytest.raises(LLMDeclined) as caught:
            await client(server).complete(REQUEST)
    assert [call.outcome for call in caught.value.calls] == [CallOutcome.REFUSED]


async def test_a_record_the_endpoints_filter_refuses_is_declined_and_no_rung_is_lost() -> None:
    async with model_server([error(400, code="content_filter"), said(GOOD)]) as server:
        llm = client(server)
        with pytest.raises(LLMDeclined):
            await llm.complete(REQUEST)
        await llm.complete(REQUEST)
    assert modes(server) == ["json_schema", "json_schema"]


async def test_an_endpoint_that_takes_no_rung_refuses() -> None:
    async with model_server(lambda _request: error(400)) as server:
        with pytest.raises(LLMRefused, match="answered 400"):
            await client(server).complete(REQUEST)
    assert modes(server) == ["json_schema", "json_object"]


async def test_an_unknown_price_is_no_cost_and_not_zero() -> None:
    async with model_server([said(GOOD), said(GOOD)]) as server:
        unknown = await client(server, model="acme/own").complete(REQUEST)
        prices = PriceTable.of({"acme/own": (Decimal(1), Decimal(2))})
        known = await client(server, model="acme/own", prices=prices).complete(REQUEST)
    assert unknown.cost_usd is None
    assert known.cost_usd == Decimal("0.0002")


@pytest.mark.parametrize("usage", [None, (-1, 3), (2**31, 3)])
async def test_token_counts_that_are_missing_or_cannot_be_are_unknown(
    usage: tuple[int, int] | None,
) -> None:
    async with model_server([said(GOOD, usage=usage)]) as server:
        reply = await client(server).complete(REQUEST)
    assert reply.calls[0].input_tokens is None
    assert reply.cost_usd is None
