"""Drafts follow-ups: a message for a person to approve, never one that is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, Field

from gardenos.ai import prompts
from gardenos.ai.agents import leads, letters
from gardenos.ai.agents.base import BaseAIAgent, Context, Unfinished
from gardenos.ai.agents.sql import QUERIES
from gardenos.ai.llm.protocol import Completion
from gardenos.ai.models import FollowUpDraft, FollowUpPayload
from gardenos.ai.scoring import LeadFacts
from gardenos.orchestrator.task import AgentTask, Attempt, Cancel, Done, Fail
from gardenos.web.text import Clean

if TYPE_CHECKING:
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession

_TEMPERATURE = 0.4
"""Some variety: two leads with like records should not get the same letter."""


def _visible(text: str) -> str:
    """`text`, if something of it can be seen. Raises `ValueError`."""
    if not letters.lines(text):
        raise ValueError("says nothing")
    return text


class LetterOutput(BaseModel):
    """What a model is asked for."""

    subject: Annotated[Clean, Field(max_length=200), AfterValidator(_visible)]
    body: Annotated[Clean, Field(max_length=5000), AfterValidator(_visible)]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a draft is made from."""

    agency: str | None
    lead: LeadFacts | None


class FollowUpAgent(BaseAIAgent[FollowUpPayload, FollowUpDraft]):
    """Writes the message a salesperson would send next."""

    agent_type: ClassVar[str] = "follow_up"

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Loaded]:
        """The leads of a batch, in one query, and the name to sign with."""
        agency = await session.fetchval(QUERIES["load_agency_name"])
        found = await leads.load(session, tasks, now=self.clock.now())
        return {task.id: Loaded(agency, found.get(task.id)) for task in tasks}

    async def work(self, request: FollowUpPayload, context: Context) -> FollowUpDraft | Unfinished:
        """Draft the message."""
        loaded: Loaded = context.loaded or Loaded(None, None)
        facts = leads.of(request, loaded.lead)
        if isinstance(facts, Fail | Cancel):
            return facts
        reply = await context.llm.complete(
            Completion(
                prompt=prompts.load("follow_up"),
                data=lambda: _shown(facts, loaded.agency, request.context),
                output=LetterOutput,
                rules=lambda: _letter_of_rules(facts, loaded.agency, request.context),
                temperature=_TEMPERATURE,
            )
        )
        subject = letters.one_line(reply.output.subject, letters.SUBJECT_LENGTH)
        body = letters.lines(reply.output.body)
        return FollowUpDraft(
            subject=subject,
            body=body,
            full_message=letters.whole(subject, body, agency=loaded.agency),
            provider=reply.provider,
            model=reply.model,
        )

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Store the drafts, in one statement."""
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
            await session.execute(QUERIES["store_follow_ups"], rows)


def _shown(facts: LeadFacts, agency: str | None, occasion: str) -> dict[str, Any]:
    """What the model gets to see: enough to write to somebody, no address and no number."""
    return {
        "agency": agency,
        "context": occasion,
        "record": {
            "first_name": letters.name_of(facts.first_name),
            "company": facts.company,
            "job_title": facts.job_title,
            "city": facts.city,
            "country": facts.country,
            "source": facts.source,
            "notes": facts.notes,
            "custom": facts.custom,
        },
    }


def _letter_of_rules(facts: LeadFacts, agency: str | None, occasion: str) -> LetterOutput:
    letter = letters.draft(facts, agency=agency, occasion=occasion)
    return LetterOutput.model_construct(subject=letter.subject, body=letter.body)
