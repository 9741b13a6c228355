"""An endpoint that fails is left alone, and tried now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from pydantic import BaseModel

from gardenos.ai import prompts
from gardenos.ai.agents import BaseAIAgent, Context
from gardenos.ai.llm.breaker import PROBE_S, BreakerLLM, state_of
from gardenos.ai.llm.errors import (
    LLMBadOutput,
    LLMDeclined,
    LLMError,
    LLMRateLimited,
    LLMRefused,
    LLMResting,
    LLMTimeout,
    LLMUnavailable,
)
from gardenos.ai.llm.fallback import FallbackLLM
from gardenos.ai.llm.protocol import Completion
from gardenos.ai.llm.rules import RulesLLM
from gardenos.core.ids import AgencyId, TaskId
from gardenos.observability import events
from gardenos.observability.events import LLMCircuitChanged
from gardenos.orchestrator.task import AgentTask, Snooze
from gardenos.testing.llm import FunctionLLM, ManualTime

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Word(BaseModel):
    text: str


ASKED = Completion(prompt=prompts.load("follow_up"), data=dict[str, Any], output=Word)
RULED = Completion(ASKED.prompt, ASKED.data, Word, rules=lambda: Word(text="by rule"))


class Endpoint:
    """Answers, or fails with what it is told to; behind a breaker."""

    def __init__(self) -> None:
        self.time = ManualTime()
        self.fault: LLMError | None = None
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.model = FunctionLLM(self._answer)
        self.llm = BreakerLLM(self.model, monotonic=self.time.monotonic)

    async def _answer(self, _request: Completion[Any]) -> Word:
        fault = self.fault
        self.asked.set()
        await self.may_answer.wait()
        if fault is not None:
            raise fault
        return Word(text="hello")

    async def fails(self, fault: LLMError, times: int = 1) -> None:
        self.fault = fault
        for _ in range(times):
            with pytest.raises(type(fault)):
                await self.llm.complete(ASKED)

    async def rests(self) -> float:
        """The seconds after which it says to come again; asks nobody."""
        calls = len(self.model.requests)
        with pytest.raises(LLMResting) as caught:
            await self.llm.complete(ASKED)
        assert len(self.model.requests) == calls
        assert caught.value.retry_after_s is not None
        return caught.value.retry_after_s

    async def answers(self) -> None:
        self.fault = None
        assert (await self.llm.complete(ASKED)).output.text == "hello"


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def changes() -> Generator[list[LLMCircuitChanged]]:
    seen: list[LLMCircuitChanged] = []

    def keep(event: events.Event) -> None:
        if isinstance(event, LLMCircuitChanged):
            seen.append(event)

    forget = events.subscribe(keep)
    yield seen
    forget()


@pytest.mark.parametrize("fault", [LLMUnavailable, LLMTimeout, LLMRateLimited])
async def test_what_speaks_of_the_endpoint_opens_the_circuit_after_three_times(
    endpoint: Endpoint, fault: type[LLMError]
) -> None:
    await endpoint.fails(fault(), times=2)
    assert endpoint.llm.state() == {"state": "closed", "failures": 2, "asked_again_in_s": None}
    await endpoint.fails(fault())
    assert endpoint.llm.state()["state"] == "open"
    assert await endpoint.rests() == 30


@pytest.mark.parametrize("fault", [LLMBadOutput, LLMDeclined, LLMRefused])
async def test_what_speaks_of_a_request_shows_that_somebody_answers(
    endpoint: Endpoint, fault: type[LLMError]
) -> None:
    await endpoint.fails(fault(), times=10)
    for _ in range(5):
        await endpoint.fails(LLMUnavailable(), times=2)
        await endpoint.fails(fault())
    await endpoint.answers()


async def test_an_endpoint_that_asks_for_a_rest_gets_it_at_once(endpoint: Endpoint) -> None:
    await endpoint.fails(LLMRateLimited(retry_after_s=12))
    assert await endpoint.rests() == 12
    endpoint.time.now += 12
    await endpoint.answers()
    await endpoint.fails(LLMRateLimited(retry_after_s=86_400))
    assert await endpoint.rests() == 300


async def test_one_request_probes_while_the_others_wait(
    endpoint: Endpoint, changes: list[LLMCircuitChanged]
) -> None:
    await endpoint.fails(LLMUnavailable("down"), times=3)
    endpoint.time.now += 30
    endpoint.asked.clear()
    endpoint.may_answer.clear()
    probe = asyncio.create_task(endpoint.answers())
    await endpoint.asked.wait()
    assert endpoint.llm.state()["state"] == "half_open"
    assert await endpoint.rests() == PROBE_S
    endpoint.may_answer.set()
    await probe
    await endpoint.answers()
    assert [(c.state, c.rest_s) for c in changes] == [
        ("open", 30.0),
        ("half_open", None),
        ("closed", None),
    ]
    assert (changes[0].provider, changes[0].model, changes[0].reason) == (
        "function",
        "function-1",
        "down",
    )


async def test_each_failed_probe_doubles_the_rest_up_to_five_minutes(endpoint: Endpoint) -> None:
    await endpoint.fails(LLMUnavailable(), times=3)
    rests: list[float] = []
    for _ in range(6):
        rests.append(await endpoint.rests())
        endpoint.time.now += rests[-1]
        await endpoint.fails(LLMUnavailable())
    assert rests == [30, 60, 120, 240, 300, 300]
    endpoint.time.now += 300
    await endpoint.answers()
    await endpoint.fails(LLMUnavailable(), times=3)
    assert await endpoint.rests() == 30


async def test_a_probe_that_is_cut_short_leaves_its_place_to_the_next(endpoint: Endpoint) -> None:
    await endpoint.fails(LLMUnavailable(), times=3)
    endpoint.time.now += 30
    endpoint.asked.clear()
    endpoint.may_answer.clear()
    probe = asyncio.create_task(endpoint.llm.complete(ASKED))
    await endpoint.asked.wait()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    endpoint.may_answer.set()
    await endpoint.answers()


@pytest.mark.parametrize("older", [LLMUnavailable("old"), None])
async def test_what_was_asked_before_a_rest_says_nothing_of_it(
    endpoint: Endpoint, older: LLMError | None
) -> None:
    endpoint.fault = older
    endpoint.may_answer.clear()
    asking = asyncio.create_task(endpoint.llm.complete(ASKED))
    await endpoint.asked.wait()
    endpoint.may_answer.set()
    await endpoint.fails(LLMRateLimited(retry_after_s=60))
    await asyncio.gather(asking, return_exceptions=True)
    assert endpoint.llm.state()["state"] == "open"
    assert await endpoint.rests() == 60


class Speaker(BaseAIAgent[Word, Word]):
    """Says what the model says, by rule where it has one."""

    agent_type: ClassVar[str] = "speaker"

    async def work(self, request: Word, context: Context) -> Word:
        return (await context.llm.complete(RULED if request.text == "ruled" else ASKED)).output


class Noon:
    def now(self) -> datetime:
        return NOON


def task(text: str) -> AgentTask:
    return AgentTask(TaskId(uuid4()), 5, {"text": text}, 3, AgencyId(uuid4()), "speaker")


async def test_during_a_rest_a_task_is_done_by_rule_or_put_off_without_an_attempt(
    endpoint: Endpoint,
) -> None:
    agent = Speaker(FallbackLLM(endpoint.llm), clock=Noon())
    await endpoint.fails(LLMUnavailable(), times=3)
    ruled = await agent.run(task("ruled"), None)
    assert getattr(ruled.outcome, "result", None) == {"text": "by rule"}
    put_off = await agent.run(task("asked"), None)
    assert put_off.outcome == Snooze(NOON + timedelta(seconds=30))
    assert (ruled.usage, put_off.usage) == ((), ())
    assert agent.about()["endpoint"] == {
        "state": "open",
        "failures": 0,
        "asked_again_in_s": 30.0,
    }


async def test_rules_have_no_endpoint_to_watch() -> None:
    assert state_of(RulesLLM()) is None
    assert state_of(FallbackLLM(RulesLLM())) is None
