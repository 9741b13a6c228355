"""What models may cost an agency in a month, refused before the call."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gardenos.ai.agents import LeadAnalysisAgent
from gardenos.ai.llm import RulesLLM
from gardenos.core.ids import TaskId
from gardenos.db.session import Role
from gardenos.orchestrator.task import AgentTask, Attempt, Done, Fail
from gardenos.testing.llm import FunctionLLM

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

OPINION = {
    "quality_score": 61,
    "reasons": [{"feature": "source", "text": "Recommended."}],
    "next_actions": ["Call."],
}


def task(claims: Claims) -> AgentTask:
    payload: dict[str, Any] = {"lead_data": {"source": "Referral"}}
    return AgentTask(TaskId(uuid4()), 5, payload, 3, claims.agency_id, "lead_analysis")


def model(cost: str | None = "0.40") -> FunctionLLM:
    return FunctionLLM(lambda _request: OPINION, cost_usd=None if cost is None else Decimal(cost))


async def allow(admin: AdminConnection, claims: Claims, usd: str) -> None:
    await admin.execute(
        "INSERT INTO dispatch_limits (agency_id, monthly_usd) VALUES ($1, $2)",
        claims.agency_id,
        Decimal(usd),
    )


async def read(db: Database, agent: LeadAnalysisAgent, claims: Claims) -> None:
    """As the executor does before a batch."""
    async with db.session(task(claims).claims, role=Role.AGENT) as session:
        await agent.read_budget(session)


async def record(db: Database, agent: LeadAnalysisAgent, *attempts: Attempt) -> None:
    async with db.session(attempts[0].task.claims, role=Role.AGENT) as session:
        await agent.record_usage(session, attempts)


async def test_spending_is_summed_up_by_month_beside_the_calls(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    for cost in ("0.40", "0.000000270", None):
        agent = LeadAnalysisAgent(model(cost))
        await record(db, agent, await agent.run(task(owner), None))
    spend = await admin.fetchrow("SELECT * FROM llm_spend")
    assert spend is not None
    assert spend["agency_id"] == owner.agency_id
    assert (spend["calls"], spend["input_tokens"], spend["output_tokens"]) == (3, 300, 60)
    assert spend["cost_usd"] == Decimal("0.400000270")
    this_month = await admin.fetchval("SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date")
    assert spend["month"] == this_month
    assert await admin.fetchval("SELECT sum(cost_usd) FROM llm_calls") == spend["cost_usd"]


async def test_a_used_up_budget_refuses_before_the_call(
    db: Database, owner: Claims, stranger: Claims, admin: AdminConnection
) -> None:
    await allow(admin, owner, "0.80")
    llm = model()
    agent = LeadAnalysisAgent(llm)
    for claims in (owner, stranger):
        await read(db, agent, claims)
    for _ in range(2):
        assert isinstance((await agent.run(task(owner), None)).outcome, Done)
    refused = await agent.run(task(owner), None)
    assert len(llm.requests) == 2
    assert refused.usage == ()
    assert isinstance(refused.outcome, Fail)
    assert "is used up: 0.80 US dollars of 0.80 US dollars this month" in refused.outcome.reason
    begins = (datetime.now(UTC).replace(day=1).date().isoformat())[:8]
    assert f"begins anew on {begins}" not in refused.outcome.reason
    assert "-01 (UTC); raise it" in refused.outcome.reason
    assert isinstance((await agent.run(task(stranger), None)).outcome, Done)


async def test_what_other_replicas_spent_counts_from_the_next_batch_on(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    await allow(admin, owner, "0.70")
    here, there = LeadAnalysisAgent(model()), LeadAnalysisAgent(model())
    await read(db, here, owner)
    await read(db, there, owner)
    await record(db, there, await there.run(task(owner), None), await there.run(task(owner), None))
    assert isinstance((await here.run(task(owner), None)).outcome, Done)
    await read(db, here, owner)
    assert isinstance((await here.run(task(owner), None)).outcome, Fail)


async def test_what_is_on_record_does_not_count_twice(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    await allow(admin, owner, "1.00")
    agent = LeadAnalysisAgent(model())
    await read(db, agent, owner)
    first = await agent.run(task(owner), None)
    await record(db, agent, first)
    await read(db, agent, owner)
    assert isinstance((await agent.run(task(owner), None)).outcome, Done)
    await read(db, agent, owner)  # one on record, one not yet: 0.80
    assert isinstance((await agent.run(task(owner), None)).outcome, Done)
    assert isinstance((await agent.run(task(owner), None)).outcome, Fail)


async def test_a_budget_of_nothing_allows_no_call_and_none_allows_all(
    db: Database, owner: Claims, stranger: Claims, admin: AdminConnection
) -> None:
    await allow(admin, owner, "0")
    llm = model("1000000")
    agent = LeadAnalysisAgent(llm)
    await read(db, agent, owner)
    await read(db, agent, stranger)
    assert isinstance((await agent.run(task(owner), None)).outcome, Fail)
    assert llm.requests == []
    for _ in range(3):
        assert isinstance((await agent.run(task(stranger), None)).outcome, Done)


class LastMonth:
    def now(self) -> datetime:
        return datetime(2001, 1, 1, tzinfo=UTC)


async def test_a_month_that_has_passed_refuses_nothing(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    await allow(admin, owner, "0")
    agent = LeadAnalysisAgent(model(), clock=LastMonth())
    await read(db, agent, owner)
    assert isinstance((await agent.run(task(owner), None)).outcome, Done)


async def test_rules_neither_read_a_budget_nor_record_anything(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    await allow(admin, owner, "0")
    agent = LeadAnalysisAgent(RulesLLM())
    await read(db, agent, owner)
    attempt = await agent.run(task(owner), None)
    assert isinstance(attempt.outcome, Done)
    await record(db, agent, attempt)
    assert await admin.fetchval("SELECT count(*) FROM llm_spend") == 0
