"""Scores leads: quality and reasons from a model where there is one, the probability never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from gardenos.ai import prompts
from gardenos.ai.agents import leads
from gardenos.ai.agents.base import BaseAIAgent, Context, Unfinished
from gardenos.ai.agents.sql import QUERIES
from gardenos.ai.llm.protocol import Completion, Reply
from gardenos.ai.models import LeadAnalysis, LeadPayload
from gardenos.ai.scoring import LeadFacts, Reason, Score, score
from gardenos.orchestrator.task import AgentTask, Attempt, Cancel, Done, Fail
from gardenos.web.text import Clean

if TYPE_CHECKING:
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession

OBSERVATION = "observation"
"""The feature of a reason that is the model's own: nothing the scorecard looks at."""
MAX_REASONS = 20
"""The card itself finds fewer; a model that lists more has lost the thread."""
_Sentence = Annotated[Clean, Field(min_length=1, max_length=400)]


class OpinionReason(BaseModel):
    """A fact the model finds weighty."""

    feature: Annotated[Clean, Field(max_length=64)]
    text: _Sentence


class LeadOpinion(BaseModel):
    """What a model is asked for: judgement and words, no probability."""

    quality_score: Annotated[int, Field(ge=0, le=100)]
    reasons: Annotated[list[OpinionReason], Field(max_length=MAX_REASONS)]
    next_actions: Annotated[list[_Sentence], Field(min_length=1, max_length=6)]


class LeadAnalysisAgent(BaseAIAgent[LeadPayload, LeadAnalysis]):
    """Says how good a lead is, why, how likely it converts, and what to do next."""

    agent_type: ClassVar[str] = "lead_analysis"

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, LeadFacts]:
        """The leads of a batch, in one query."""
        return await leads.load(session, tasks, now=self.clock.now())

    async def work(self, request: LeadPayload, context: Context) -> LeadAnalysis | Unfinished:
        """Score by the card; let the model judge the record with the card in hand."""
        facts = leads.of(request, context.loaded)
        if isinstance(facts, Fail | Cancel):
            return facts
        scored = score(facts)
        reply = await context.llm.complete(
            Completion(
                prompt=prompts.load("lead_analysis"),
                data=lambda: _shown(facts, scored),
                output=LeadOpinion,
                rules=lambda: _opinion_of_rules(scored),
            )
        )
        return _analysis(scored, reply)

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Store the scores and bring the leads up to date, in one statement."""
        rows = [
            {
                **attempt.outcome.result,
                "task_id": str(attempt.task.id),
                "lead_id": leads.id_text(attempt.task),
            }
            for attempt in attempts
            if isinstance(attempt.outcome, Done)
        ]
        if rows:
            await session.execute(QUERIES["store_scores"], rows)


def _shown(facts: LeadFacts, scored: Score) -> dict[str, Any]:
    """What the model gets to see. No name, address or number: it judges without knowing who."""
    return {
        "record": {
            "company": facts.company,
            "job_title": facts.job_title,
            "website": facts.website,
            "city": facts.city,
            "country": facts.country,
            "source": facts.source,
            "notes": facts.notes,
            "custom": facts.custom,
        },
        "scorecard": {
            "score": scored.quality_score,
            "facts": [
                {"feature": r.feature, "value": r.value, "log_odds": r.contribution, "text": r.text}
                for r in scored.reasons
            ],
        },
    }


def _opinion_of_rules(scored: Score) -> LeadOpinion:
    return LeadOpinion.model_validate(
        {
            "quality_score": scored.quality_score,
            "reasons": [{"feature": r.feature, "text": r.text} for r in scored.reasons],
            "next_actions": scored.next_actions,
        }
    )


def _analysis(scored: Score, reply: Reply[LeadOpinion]) -> LeadAnalysis:
    card = {reason.feature: reason for reason in scored.reasons}
    opinion = reply.output
    # One validation of plain values: a model object per reason is what a batch would wait for.
    return LeadAnalysis.model_validate(
        {
            "quality_score": opinion.quality_score,
            "conversion_probability": scored.conversion_probability,
            "next_actions": opinion.next_actions,
            "reasons": [_reason(said, card.get(said.feature)) for said in opinion.reasons],
            "provider": reply.provider,
            "model": reply.model,
        }
    )


def _reason(said: OpinionReason, on_card: Reason | None) -> dict[str, Any]:
    if on_card is None:
        return {"feature": OBSERVATION, "contribution": 0.0, "text": said.text}
    return {
        "feature": said.feature,
        "value": on_card.value,
        "contribution": on_card.contribution,
        "text": said.text,
    }
