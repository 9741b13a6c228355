"""The agents by type. A new one is added to `AGENTS`; docs/agents.md says how to write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gardenos.ai import llm as models
from gardenos.ai.agents.base import BaseAIAgent, Context
from gardenos.ai.agents.follow_up import FollowUpAgent
from gardenos.ai.agents.lead_analysis import LeadAnalysisAgent
from gardenos.core.errors import InvalidContent
from gardenos.web import problems

if TYPE_CHECKING:
    from gardenos.ai.llm.protocol import LLM
    from gardenos.core.clock import Clock
    from gardenos.core.config import Settings

__all__ = [
    "AGENTS",
    "AGENT_TYPES",
    "BaseAIAgent",
    "Context",
    "FollowUpAgent",
    "LeadAnalysisAgent",
    "check_payload",
    "create",
]

AGENTS: Mapping[str, type[BaseAIAgent[Any, Any]]] = {
    kind.agent_type: kind for kind in (LeadAnalysisAgent, FollowUpAgent)
}
AGENT_TYPES: Sequence[str] = tuple(AGENTS)


def create(
    agent_type: str, settings: Settings, *, llm: LLM | None = None, clock: Clock | None = None
) -> BaseAIAgent[Any, Any]:
    """An agent with the model its installation is set to use. Raises `InvalidContent`."""
    kind = _kind(agent_type)
    return kind(llm or models.create(settings), clock=clock)


def check_payload(agent_type: str, payload: Mapping[str, Any], *, pointer: str = "") -> None:
    """Raise `InvalidContent` where no agent has this type or its payload would fail at once.

    `pointer` is where in the request's body the task stands, as in `/tasks/3`.
    """
    kind = _kind(agent_type, pointer=pointer)
    try:
        kind.input_type.model_validate(payload)
    except ValidationError as error:
        where = ("body", *f"{pointer}/payload"[1:].split("/"))
        faults = error.errors(include_input=False, include_url=False)
        raise problems.from_validation(
            [{**fault, "loc": (*where, *fault["loc"])} for fault in faults]
        ) from None


def _kind(agent_type: str, *, pointer: str = "") -> type[BaseAIAgent[Any, Any]]:
    kind = AGENTS.get(agent_type)
    if kind is None:
        known = ", ".join(AGENT_TYPES)
        raise InvalidContent(
            f"There is no agent of type {agent_type!r}. Known are: {known}.",
            errors=[{"pointer": f"{pointer}/agent_type", "detail": f"is none of: {known}"}],
        )
    return kind
