from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import BaseModel

from gardenos.ai import llm as models
from gardenos.ai import prompts
from gardenos.ai.llm.breaker import BreakerLLM
from gardenos.ai.llm.errors import (
    LLMBadOutput,
    LLMError,
    LLMRateLimited,
    LLMRefused,
    LLMResting,
    LLMTimeout,
    LLMUnavailable,
)
from gardenos.ai.llm.fallback import FallbackLLM
from gardenos.ai.llm.openai import OpenAILLM
from gardenos.ai.llm.protocol import CallOutcome, Completion, LLMCall, Mode
from gardenos.ai.llm.reach import RemoteModelForbidden
from gardenos.core.config import Settings
from gardenos.observability import events
from gardenos.testing.llm import ManualTime
from gardenos.testing.llm_server import (
    DROP,
    HANG,
    Answer,
    ModelServer,
    error,
    model_server,
    said,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Verdict(BaseModel):
    answer: str


GOOD = said({"answer": "yes"})
REQUEST = Completion(
    prompt=prompts.load("lead_analysis"),
    data=lambda: {"record": {}},
    output=Verdict,
    rules=lambda: Verdict(answer="by rule"),
)


class Noon:
    def now(self) -> datetime:
        return NOW


def client(server: ModelServer, time: ManualTime | None = None, **options: Any) -> OpenAILLM:
    time = time or ManualTime()
    return OpenAILLM(
        base_url=server.url,
        model="m",
        monotonic=time.monotonic,
        sleep=time.sleep,
        clock=Noon(),
        **options,
    )


def outcomes(error: LLMError) -> list[CallOutcome]:
    return [call.outcome for call in error.calls]


@pytest.mark.parametrize(
    ("header", "waited"),
    [("2", 2.0), ("0.5", 0.5), (format_datetime(NOW + timedelta(seconds=7)), 7.0), ("-3", 0.0)],
)
async def test_retry_after_is_waited_for(header: str, waited: float) -> None:
    async with model_server([error(429, retry_after=header), GOOD]) as server:
        clock = ManualTime()
        reply = await client(server, clock).complete(REQUEST)
    assert clock.waits == [waited]
    assert [call.outcome for call in reply.calls] == [CallOutcome.RATE_LIMITED, CallOutcome.OK]


@pytest.mark.parametrize("header", ["soon", "nan", "1e999", ""])
async def test_an_unreadable_retry_after_is_a_backoff_of_our_own(header: str) -> None:
    async with model_server([error(429, retry_after=header), GOOD]) as server:
        clock = ManualTime()
        await client(server, clock).complete(REQUEST)
    assert len(clock.waits) == 1
    assert 0 <= clock.waits[0] <= 8


async def test_an_endpoint_that_asks_for_too_long_a_wait_is_left_alone_that_long() -> None:
    async with model_server([error(429, retry_after="60"), GOOD]) as server:
        clock = ManualTime()
        llm = BreakerLLM(client(server, clock), monotonic=clock.monotonic)
        with pytest.raises(LLMRateLimited) as caught:
            await llm.complete(REQUEST)
        assert caught.value.retry_after_s == 60
        assert clock.waits == []
        with pytest.raises(LLMResting, match="asked again in 60 s"):
            await llm.complete(REQUEST)
        assert len(server.requests) == 1
        clock.now += 61
        assert (await llm.complete(REQUEST)).output.answer == "yes"


async def test_an_answer_to_an_older_request_does_not_end_the_rest_an_endpoint_asked_for() -> None:
    resting = asyncio.Event()

    async def after_the_rest_began(_seconds: float) -> None:
        await resting.wait()

    async with model_server([error(503), error(429, retry_after="60"), GOOD]) as server:
        clock = ManualTime()
        asked = OpenAILLM(
            base_url=server.url,
            model="m",
            monotonic=clock.monotonic,
            sleep=after_the_rest_began,
            clock=Noon(),
        )
        llm = BreakerLLM(asked, monotonic=clock.monotonic)
        older = asyncio.create_task(llm.complete(REQUEST))
        await server.was_asked.wait()
        with pytest.raises(LLMRateLimited):
            await llm.complete(REQUEST)
        resting.set()
        assert (await older).output.answer == "yes"
        with pytest.raises(LLMResting, match="asked again in 60 s"):
            await llm.complete(REQUEST)
        await llm.aclose()


def _fails(_request: Mapping[str, Any]) -> Answer:
    return error(503)


def _chats(_request: Mapping[str, Any]) -> Answer:
    return said("no json")


async def test_answers_of_no_use_in_between_keep_an_endpoint_from_resting() -> None:
    async with model_server(_fails) as server:
        llm = BreakerLLM(client(server))
        for _ in range(4):
            server.script = _fails
            with pytest.raises(LLMUnavailable, match="answered 503"):
                await llm.complete(REQUEST)
            server.script = _chats
            with pytest.raises(LLMBadOutput):
                await llm.complete(REQUEST)


async def test_no_rung_is_begun_after_the_deadline() -> None:
    clock = ManualTime()

    def slow(_request: Mapping[str, Any]) -> Answer:
        clock.now += 31
        return said("no json")

    async with model_server(slow) as server:
        with pytest.raises(LLMTimeout) as caught:
            await client(server, clock, timeout_s=30).complete(REQUEST)
    assert len(server.requests) == len(caught.value.calls) == 1


async def test_every_call_is_told_to_whoever_observes() -> None:
    told: list[events.Event] = []
    forget = events.subscribe(told.append)
    try:
        async with model_server([error(503), GOOD]) as server:
            await client(server).complete(REQUEST)
    finally:
        forget()
    calls = [event for event in told if isinstance(event, events.LLMCalled)]
    assert [(c.provider, c.model, c.outcome, c.input_tokens, c.output_tokens) for c in calls] == [
        ("openai", "m", "failed", None, None),
        ("openai", "m", "ok", 120, 40),
    ]


async def test_an_exhausted_quota_is_not_asked_again() -> None:
    async with model_server([error(429, code="insufficient_quota")]) as server:
        with pytest.raises(LLMRefused):
            await client(server).complete(REQUEST)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [502, 503, 504, 408])
async def test_a_failing_gateway_is_asked_again_on_the_same_rung(status: int) -> None:
    async with model_server([error(status), error(status), GOOD]) as server:
        reply = await client(server).complete(REQUEST)
    assert reply.mode is Mode.JSON_SCHEMA
    assert [call.outcome for call in reply.calls] == [
        CallOutcome.FAILED,
        CallOutcome.FAILED,
        CallOutcome.OK,
    ]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_a_refusal_is_final(status: int) -> None:
    async with model_server([error(status)]) as server:
        with pytest.raises(LLMRefused, match=f"answered {status}") as caught:
            await client(server).complete(REQUEST)
    assert outcomes(caught.value) == [CallOutcome.REFUSED]
    assert not caught.value.retryable


async def test_attempts_are_counted() -> None:
    async with model_server(lambda _request: error(503)) as server:
        clock = ManualTime()
        with pytest.raises(LLMUnavailable) as caught:
            await client(server, clock).complete(REQUEST)
    assert outcomes(caught.value) == [CallOutcome.FAILED] * 4
    assert len(clock.waits) == 3


async def test_no_wait_goes_past_the_deadline() -> None:
    async with model_server(lambda _request: error(503, retry_after="5")) as server:
        clock = ManualTime()
        with pytest.raises(LLMUnavailable):
            await client(server, clock, timeout_s=12).complete(REQUEST)
    assert clock.waits == [5, 5]
    assert len(server.requests) == 3


async def test_a_hanging_endpoint_is_given_up_on() -> None:
    async with model_server([HANG, GOOD]) as server:
        reply = await client(server, call_timeout_s=0.2).complete(REQUEST)
        await server.gave_up.wait()
    assert [call.outcome for call in reply.calls] == [CallOutcome.TIMED_OUT, CallOutcome.OK]


async def test_an_endpoint_that_only_hangs_costs_no_more_than_the_deadline() -> None:
    async with model_server(lambda _request: HANG) as server:
        llm = OpenAILLM(base_url=server.url, model="m", timeout_s=0.4)
        began = time.monotonic()
        with pytest.raises(LLMTimeout) as caught:
            await llm.complete(REQUEST)
        took = time.monotonic() - began
        await llm.aclose()
    assert set(outcomes(caught.value)) == {CallOutcome.TIMED_OUT}
    assert took < 5


async def test_a_dropped_connection_is_tried_again() -> None:
    async with model_server([DROP, GOOD]) as server:
        reply = await client(server).complete(REQUEST)
    assert [call.outcome for call in reply.calls] == [CallOutcome.UNREACHABLE, CallOutcome.OK]


@pytest.mark.parametrize("kind", ["application/json", "text/html"])
async def test_a_body_that_is_no_json_is_survived(kind: str) -> None:
    page = Answer(body=b"<html>busy</html>", headers={"Content-Type": kind})
    async with model_server([page, GOOD]) as server:
        reply = await client(server).complete(REQUEST)
    assert reply.output.answer == "yes"
    assert len(reply.calls) == 2


async def test_a_dead_endpoint_is_left_alone_after_three_failures() -> None:
    async with model_server(lambda _request: error(503)) as server:
        clock = ManualTime()
        llm = BreakerLLM(client(server, clock), monotonic=clock.monotonic)
        for _ in range(3):
            with pytest.raises(LLMUnavailable):
                await llm.complete(REQUEST)
        asked = len(server.requests)
        with pytest.raises(LLMResting, match="asked again in 30 s") as caught:
            await llm.complete(REQUEST)
        assert caught.value.calls == ()
        assert len(server.requests) == asked
        clock.now += 31

        def answers(_request: Mapping[str, Any]) -> Answer:
            return GOOD

        server.script = answers
        assert (await llm.complete(REQUEST)).output.answer == "yes"


@pytest.mark.parametrize(
    "answer",
    [
        error(429, retry_after="1"),
        error(500),
        error(400),
        error(401),
        DROP,
        said(""),
        said('{"ans'),
        said('{"ans', finish_reason="length"),
        said({"other": 1}),
        said(None, refusal="no"),
        Answer(body=b"null"),
        Answer(body=b'{"choices": [null]}'),
        Answer(body=b"[" * 100_000),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body[-30:]!r}",
)
async def test_where_everything_fails_the_rules_answer_and_say_so(answer: Answer) -> None:
    async with model_server(lambda _request: answer) as server:
        reply = await FallbackLLM(client(server)).complete(REQUEST)
    assert reply.output.answer == "by rule"
    assert (reply.provider, reply.model, reply.mode) == ("rules", "rules-1", Mode.RULES)
    assert len(reply.calls) == len(server.requests) > 0
    assert all(call.provider == "openai" and call.model == "m" for call in reply.calls)
    assert CallOutcome.OK not in [call.outcome for call in reply.calls]


async def test_a_request_without_rules_fails_with_the_models_error() -> None:
    request = Completion(prompt=REQUEST.prompt, data=REQUEST.data, output=Verdict)
    async with model_server([error(401)]) as server:
        with pytest.raises(LLMRefused):
            await FallbackLLM(client(server)).complete(request)


async def test_no_test_reaches_a_real_model() -> None:
    settings = Settings.model_validate({"llm_provider": "openai", "llm_api_key": "sk-real"})
    llm = models.create(settings)
    with pytest.raises(RemoteModelForbidden, match=r"api\.deepinfra\.com"):
        await llm.complete(REQUEST)
    await llm.aclose()


async def test_a_call_that_is_cut_short_is_on_the_record() -> None:
    told: list[LLMCall] = []
    async with model_server([HANG]) as server:
        llm = client(server)
        asking = asyncio.create_task(llm.complete(replace(REQUEST, tell=told.append)))
        await server.was_asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await llm.aclose()
    assert [(call.outcome, call.cost_usd) for call in told] == [(CallOutcome.CUT_SHORT, None)]
