from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

from gardenos.ai.llm.protocol import CallOutcome, LLMCall
from gardenos.core.ids import AgencyId, TaskId
from gardenos.orchestrator.ledger import Ledger
from gardenos.orchestrator.task import AgentTask, Attempt, Done, Fail, Outcome, Retry
from gardenos.testing.llm import ManualTime


def attempt(outcome: Outcome | None = None, *calls: object) -> Attempt:
    task = AgentTask(TaskId(uuid4()), 5, {}, 3, AgencyId(uuid4()), "patient")
    return Attempt(task, outcome or Done({}), calls)


def call(cost: str | None, *, tokens: int | None = 10) -> LLMCall:
    known = None if cost is None else Decimal(cost)
    return LLMCall("openai", "m", "json_schema", CallOutcome.OK, 1, tokens, tokens, known)


def test_percentiles_are_those_of_the_recent_runs() -> None:
    ledger = Ledger()
    for number in range(1, 1001):
        ledger.enter(attempt(), took_s=number / 1000, held=True)
    latency = ledger.figures()["latency_s"]
    assert [round(latency[name], 2) for name in ("p50", "p95", "p99")] == [0.5, 0.95, 0.99]
    for _ in range(1000):
        ledger.enter(attempt(), took_s=2.0, held=True)
    assert ledger.figures()["latency_s"] == {"p50": 2.0, "p95": 2.0, "p99": 2.0}


def test_one_run_is_its_own_percentiles_and_none_has_none() -> None:
    ledger = Ledger()
    assert ledger.figures()["latency_s"] == {"p50": None, "p95": None, "p99": None}
    ledger.enter(attempt(), took_s=0.5, held=True)
    assert ledger.figures()["latency_s"] == {"p50": 0.5, "p95": 0.5, "p99": 0.5}


def test_throughput_is_that_of_the_last_minute() -> None:
    time = ManualTime()
    ledger = Ledger(monotonic=time.monotonic)
    for _ in range(30):
        ledger.enter(attempt(), took_s=0.1, held=True)
    time.now += 10
    assert ledger.figures()["throughput_per_s"] == 3.0
    time.now += 49
    assert ledger.figures()["throughput_per_s"] == round(30 / 59, 3)
    time.now += 2
    assert ledger.figures()["throughput_per_s"] == 0.0
    assert ledger.figures()["finished"] == 30


def test_errors_are_runs_that_failed_and_a_lost_run_is_none() -> None:
    ledger = Ledger()
    for outcome in (Retry("no"), Fail("never"), Done({})):
        ledger.enter(attempt(outcome), took_s=0.1, held=True)
    ledger.enter(attempt(Retry("passed on"), call("0.5")), took_s=0.1, held=False)
    seen = ledger.figures()
    assert (seen["finished"], seen["errors"], seen["lost"]) == (3, 2, 1)
    assert (seen["cost_usd"], seen["tokens"]) == ("0.5", {"input": 10, "output": 10})


def test_a_cost_that_is_partly_unknown_is_unknown() -> None:
    ledger = Ledger()
    ledger.enter(attempt(None, call("0.1"), call("0.2")), took_s=0.1, held=True)
    assert ledger.figures()["cost_usd"] == "0.3"
    ledger.enter(attempt(None, call(None, tokens=None), "no call"), took_s=0.1, held=True)
    assert ledger.figures()["cost_usd"] is None
    assert ledger.figures()["tokens"] == {"input": 20, "output": 20}
