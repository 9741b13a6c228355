"""The agents by type: our own, and anyone's. docs/agents.md says how to write and register one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gardenos.ai import llm as models
from gardenos.ai.agents.base import BaseAIAgent, Context
from gardenos.ai.agents.follow_up import FollowUpAgent
from gardenos.ai.agents.lead_analysis import LeadAnalysisAgent
from gardenos.ai.agents.registry import (
    BUILT_IN,
    AgentClass,
    AgentDescription,
    AgentMisregistered,
    Registry,
    discover,
)
from gardenos.core.errors import InvalidContent
from gardenos.orchestrator.task import Cancel, Fail, Retry, Snooze
from gardenos.web import problems

if TYPE_CHECKING:
    from gardenos.ai.llm.protocol import LLM
    from gardenos.core.clock import Clock
    from gardenos.core.config import Settings

__all__ = [
    "AGENTS",
    "AGENT_TYPES",
    "AgentDescription",
    "AgentMisregistered",
    "BaseAIAgent",
    "Cancel",
    "Context",
    "Fail",
    "FollowUpAgent",
    "LeadAnalysisAgent",
    "Registry",
    "Retry",
    "Snooze",
    "check_payload",
    "create",
    "discover",
    "register",
    "registry",
]

AGENTS: Mapping[str, AgentClass] = {kind.agent_type: kind for kind in BUILT_IN}
"""Those that come with GardenOS; `registry()` has all."""
AGENT_TYPES: Sequence[str] = tuple(AGENTS)


class _Here:
    """What this process knows: set once as it starts, or found out when it is first asked for."""

    registry: Registry | None = None


def registry() -> Registry:
    """Every agent class this process knows, by type. Raises `AgentMisregistered`."""
    if _Here.registry is None:
        _Here.registry = discover()
    return _Here.registry


def register(paths: Mapping[str, str]) -> Registry:
    """Know the agents at `paths` too, `module:Class` by type, besides ours and installed ones.

    Raises `AgentMisregistered`.
    """
    _Here.registry = discover(paths)
    return _Here.registry


def create(
    agent_type: str, settings: Settings, *, llm: LLM | None = None, clock: Clock | None = None
) -> BaseAIAgent[Any, Any]:
    """An agent with the model its installation is set to use. Raises `InvalidContent`."""
    kind = _kind(agent_type)
    agent = kind(llm or models.create(settings), clock=clock)
    agent.configure(settings)
    return agent


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


def _kind(agent_type: str, *, pointer: str = "") -> AgentClass:
    kind = registry().get(agent_type)
    if kind is None:
        known = ", ".join(registry())
        raise InvalidContent(
            f"There is no agent of type {agent_type!r}. Known are: {known}.",
            errors=[{"pointer": f"{pointer}/agent_type", "detail": f"is none of: {known}"}],
        )
    return kind
