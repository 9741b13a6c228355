from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from gardenos.ai.agents import BaseAIAgent, create
from gardenos.ai.llm import FallbackLLM, RulesLLM
from gardenos.ai.llm.openai import OpenAILLM
from gardenos.core.config import Settings
from gardenos.core.ids import TaskId
from gardenos.db.session import Role
from gardenos.orchestrator.task import AgentTask, Attempt, Cancel, Done, Fail
from gardenos.testing.llm import FunctionLLM
from gardenos.testing.llm_server import Answer, error, model_server, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gardenos.ai.llm.protocol import LLM
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

OPINION = {
    "quality_score": 61,
    "reasons": [{"feature": "source", "text": "Recommended."}],
    "next_actions": ["Call."],
}


def agent_of(agent_type: str, llm: LLM | None = None) -> BaseAIAgent[Any, Any]:
    return create(agent_type, Settings.model_validate({}), llm=llm or RulesLLM())


def task(owner: Claims, agent_type: str = "lead_analysis", **payload: Any) -> AgentTask:
    return AgentTask(TaskId(uuid4()), 5, payload, 3, owner.agency_id, agent_type)


async def new_lead(db: Database, owner: Claims, **fields: Any) -> UUID:
    async with db.session(owner) as session:
        lead_id: UUID = await session.fetchval(
            "INSERT INTO leads (agency_id, first_name, source, custom) "
            "VALUES ($1, $2, $3, $4) RETURNING id",
            owner.agency_id,
            fields.get("first_name", "Ada"),
            fields.get("source", "Referral"),
            fields.get("custom", {}),
        )
    return lead_id


async def work_off(
    db: Database, agent: BaseAIAgent[Any, Any], tasks: Sequence[AgentTask]
) -> list[Attempt]:
    """Load, run and persist as the executor does, under the tasks' own claims."""
    async with db.session(tasks[0].claims, role=Role.AGENT) as session:
        loaded = await agent.load(session, tasks)
    attempts = [await agent.run(task, loaded.get(task.id)) for task in tasks]
    async with db.session(tasks[0].claims, role=Role.AGENT) as session:
        await agent.persist(session, [a for a in attempts if isinstance(a.outcome, Done)])
        await agent.record_usage(session, attempts)
    return attempts


async def test_a_batch_scores_its_leads_in_the_database(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    ids = [await new_lead(db, owner, source=s) for s in ("Referral", "Facebook", "Google")]
    tasks = [task(owner, lead_id=str(lead_id)) for lead_id in ids]
    attempts = await work_off(db, agent_of("lead_analysis"), tasks)
    for lead_id, attempt in zip(ids, attempts, strict=True):
        assert isinstance(attempt.outcome, Done)
        result = attempt.outcome.result
        lead = await admin.fetchrow("SELECT * FROM leads WHERE id = $1", lead_id)
        assert lead is not None
        assert lead["quality_score"] == result["quality_score"]
        assert lead["conversion_probability"] == result["conversion_probability"]
        assert lead["scored_at"] is not None
        assert lead["version"] == 2
    async with db.session(owner) as session:
        rows = await session.fetch("SELECT * FROM lead_scores ORDER BY task_id")
    assert {row["lead_id"] for row in rows} == set(ids)
    by_task = {row["task_id"]: row for row in rows}
    for attempt in attempts:
        row = by_task[attempt.task.id]
        assert isinstance(attempt.outcome, Done)
        assert row["reasons"] == attempt.outcome.result["reasons"]
        assert row["next_actions"] == attempt.outcome.result["next_actions"]
        assert (row["provider"], row["model"]) == ("rules", "rules-1")
    assert await admin.fetchval("SELECT count(*) FROM llm_calls") == 0


async def test_a_lead_of_another_agency_is_no_lead(
    db: Database, owner: Claims, stranger: Claims, admin: AdminConnection
) -> None:
    theirs = await new_lead(db, stranger)
    (attempt,) = await work_off(db, agent_of("lead_analysis"), [task(owner, lead_id=str(theirs))])
    assert attempt.outcome == Fail(f"There is no lead {theirs} in this agency.")
    assert await admin.fetchval("SELECT count(*) FROM lead_scores") == 0


async def test_even_a_forged_effect_stays_inside_the_agency(
    db: Database, owner: Claims, stranger: Claims, admin: AdminConnection
) -> None:
    theirs = await new_lead(db, stranger)
    agent = agent_of("lead_analysis")
    described = await agent.run(task(owner, lead_data={"source": "Referral"}), None)
    forged = Attempt(task(owner, lead_id=str(theirs)), described.outcome)
    async with db.session(owner, role=Role.AGENT) as session:
        await agent.persist(session, [forged])
    assert await admin.fetchval("SELECT quality_score FROM leads WHERE id = $1", theirs) is None
    row = await admin.fetchrow("SELECT agency_id, lead_id FROM lead_scores")
    assert row is not None
    assert tuple(row) == (owner.agency_id, None)


@pytest.mark.parametrize("agent_type", ["lead_analysis", "follow_up"])
async def test_a_deleted_lead_cancels_its_task(
    db: Database, owner: Claims, admin: AdminConnection, agent_type: str
) -> None:
    lead_id = await new_lead(db, owner)
    await admin.execute("UPDATE leads SET deleted_at = now() WHERE id = $1", lead_id)
    (attempt,) = await work_off(
        db, agent_of(agent_type), [task(owner, agent_type, lead_id=str(lead_id))]
    )
    assert attempt.outcome == Cancel(f"The lead {lead_id} has been deleted.")


async def test_a_lead_that_vanishes_while_it_is_scored_leaves_a_score_without_it(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    gone, stays = await new_lead(db, owner), await new_lead(db, owner)
    agent = agent_of("lead_analysis")
    tasks = [task(owner, lead_id=str(lead_id)) for lead_id in (gone, stays)]
    async with db.session(owner, role=Role.AGENT) as session:
        loaded = await agent.load(session, tasks)
    attempts = [await agent.run(task, loaded[task.id]) for task in tasks]
    await admin.execute("DELETE FROM leads WHERE id = $1", gone)
    async with db.session(owner, role=Role.AGENT) as session:
        await agent.persist(session, attempts)
    rows = await admin.fetch("SELECT task_id, lead_id FROM lead_scores")
    assert {row["task_id"]: row["lead_id"] for row in rows} == {
        tasks[0].id: None,
        tasks[1].id: stays,
    }


@pytest.mark.parametrize(
    ("agent_type", "table"), [("lead_analysis", "lead_scores"), ("follow_up", "follow_ups")]
)
async def test_an_effect_stands_once_however_often_it_is_stored(
    db: Database, owner: Claims, admin: AdminConnection, agent_type: str, table: str
) -> None:
    lead_id = await new_lead(db, owner)
    agent = agent_of(agent_type)
    attempts = await work_off(db, agent, [task(owner, agent_type, lead_id=str(lead_id))])
    before = await admin.fetchval("SELECT version FROM leads WHERE id = $1", lead_id)
    async with db.session(owner, role=Role.AGENT) as session:
        await agent.persist(session, attempts)
    counts = {
        "lead_scores": "SELECT count(*) FROM lead_scores",
        "follow_ups": "SELECT count(*) FROM follow_ups",
    }
    assert await admin.fetchval(counts[table]) == 1
    assert await admin.fetchval("SELECT version FROM leads WHERE id = $1", lead_id) == before


async def test_of_two_scores_in_a_batch_the_later_tasks_stands(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    lead_id = await new_lead(db, owner)
    scores = iter((10, 90))
    llm = FunctionLLM(lambda _request: {**OPINION, "quality_score": next(scores)})
    ids = await admin.fetch("SELECT uuidv7() AS id FROM generate_series(1, 2)")
    tasks = [
        AgentTask(
            TaskId(row["id"]), 5, {"lead_id": str(lead_id)}, 3, owner.agency_id, "lead_analysis"
        )
        for row in ids
    ]
    await work_off(db, agent_of("lead_analysis", llm), tasks)
    assert await admin.fetchval("SELECT count(*) FROM lead_scores") == 2
    assert await admin.fetchval("SELECT quality_score FROM leads WHERE id = $1", lead_id) == 90


async def test_a_described_lead_is_scored_without_touching_any(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    lead_id = await new_lead(db, owner)
    await work_off(db, agent_of("lead_analysis"), [task(owner, lead_data={"source": "Google"})])
    row = await admin.fetchrow("SELECT lead_id, quality_score FROM lead_scores")
    assert row is not None
    assert row["lead_id"] is None
    assert await admin.fetchval("SELECT quality_score FROM leads WHERE id = $1", lead_id) is None


async def test_follow_ups_are_drafts_signed_in_the_agencys_name(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    ids = [await new_lead(db, owner, first_name=name) for name in ("太郎", "JOHN")]
    tasks = [task(owner, "follow_up", lead_id=str(i), context="Erstgespräch") for i in ids]
    tasks.append(task(owner, "follow_up", lead_data={}))
    await work_off(db, agent_of("follow_up"), tasks)
    async with db.session(owner) as session:
        rows = {row["task_id"]: row for row in await session.fetch("SELECT * FROM follow_ups")}
    assert [rows[t.id]["lead_id"] for t in tasks] == [*ids, None]
    assert all(row["state"] == "draft" for row in rows.values())
    assert rows[tasks[0].id]["body"].startswith("Hello 太郎,")
    assert rows[tasks[1].id]["body"].startswith("Hello John,")
    assert rows[tasks[0].id]["subject"] == "Erstgespräch"
    assert rows[tasks[0].id]["full_message"].endswith("Kind regards,\nTest")
    assert await admin.fetchval("SELECT count(*) FROM lead_scores") == 0


async def test_every_call_is_recorded_for_its_agency_with_its_exact_cost(
    db: Database, owner: Claims, stranger: Claims
) -> None:
    answers = [error(400), said(OPINION, usage=(1, 0))]
    async with model_server(answers) as server:
        llm = OpenAILLM(base_url=server.url, model="deepseek-ai/DeepSeek-V3-0324")
        one = task(owner, lead_data={"source": "Referral"})
        await work_off(db, agent_of("lead_analysis", llm), [one])
        await llm.aclose()
    async with db.session(owner) as session:
        rows = await session.fetch("SELECT * FROM llm_calls ORDER BY id")
    assert [(row["mode"], row["outcome"]) for row in rows] == [
        ("json_schema", "rejected"),
        ("json_object", "ok"),
    ]
    assert [row["cost_usd"] for row in rows] == [None, Decimal("0.000000270")]
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(None, None), (1, 0)]
    assert {(row["task_id"], row["agent_type"]) for row in rows} == {(one.id, "lead_analysis")}
    assert all(row["latency_ms"] >= 0 for row in rows)
    async with db.session(stranger) as session:
        assert await session.fetchval("SELECT count(*) FROM llm_calls") == 0


async def test_where_the_model_fails_the_rules_result_is_stored_beside_the_failed_calls(
    db: Database, owner: Claims, admin: AdminConnection
) -> None:
    def down(_request: Any) -> Answer:
        return error(401)

    lead_id = await new_lead(db, owner)
    async with model_server(down) as server:
        llm = FallbackLLM(OpenAILLM(base_url=server.url, model="m"))
        (attempt,) = await work_off(
            db, agent_of("lead_analysis", llm), [task(owner, lead_id=str(lead_id))]
        )
        await llm.aclose()
    assert isinstance(attempt.outcome, Done)
    row = await admin.fetchrow("SELECT provider, model FROM lead_scores")
    call = await admin.fetchrow("SELECT provider, model, outcome, cost_usd FROM llm_calls")
    assert row is not None
    assert call is not None
    assert tuple(row) == ("rules", "rules-1")
    assert tuple(call) == ("openai", "m", "refused", None)
