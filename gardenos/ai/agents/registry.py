"""Which agents there are: our own, those of installed packages, and those that are named by path."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from pydantic import BaseModel

from gardenos.ai.agents.base import BaseAIAgent
from gardenos.ai.agents.bulk_job import BulkJobAgent
from gardenos.ai.agents.follow_up import FollowUpAgent
from gardenos.ai.agents.lead_analysis import LeadAnalysisAgent
from gardenos.ai.agents.webhook_delivery import WebhookDeliveryAgent
from gardenos.core.errors import GardenOSError

AgentClass: TypeAlias = type[BaseAIAgent[Any, Any]]
BUILT_IN: tuple[AgentClass, ...] = (
    LeadAnalysisAgent,
    FollowUpAgent,
    WebhookDeliveryAgent,
    BulkJobAgent,
)
ENTRY_POINTS = "gardenos.agents"
"""The group under which a package names its agents, each as `any_name = "module:Class"`."""
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TAKEN = ("AIOrchestrator", "Gateway")
"""Names of other deployments: an agent's is that of its class."""


class AgentMisregistered(GardenOSError):
    """An agent cannot be registered as it is. Correct its class, or the line that names it."""

    code = "agent-misregistered"


@dataclass(frozen=True, slots=True)
class AgentDescription:
    """What there is to know of a type before anything is asked of it."""

    agent_type: str
    summary: str
    """The first line of the class's docstring."""
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]


class Registry(Mapping[str, AgentClass]):
    """The agent classes by type. It does not change once it is made."""

    def __init__(self, classes: Iterable[AgentClass]) -> None:
        """Raises `AgentMisregistered`."""
        self._classes: dict[str, AgentClass] = {}
        for kind in classes:
            self._add(kind)

    def _add(self, kind: AgentClass) -> None:
        _check(kind)
        for other in self._classes.values():
            if other is not kind and other.agent_type == kind.agent_type:
                raise AgentMisregistered(
                    f"Two agents call themselves {kind.agent_type!r}: {path_of(other)} and "
                    f"{path_of(kind)}. Give one of them another agent_type."
                )
            if other is not kind and other.__name__ == kind.__name__:
                raise AgentMisregistered(
                    f"Two agents have classes named {kind.__name__}: {path_of(other)} and "
                    f"{path_of(kind)}. Rename one of them: their deployments would share a name."
                )
        self._classes[kind.agent_type] = kind

    def __getitem__(self, agent_type: str) -> AgentClass:
        return self._classes[agent_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def describe(self, agent_type: str) -> AgentDescription:
        """What a type takes and gives, as JSON Schemas. Raises `KeyError` for one not known."""
        kind = self[agent_type]
        summary = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
        return AgentDescription(
            agent_type,
            summary,
            kind.input_type.model_json_schema(mode="validation"),
            kind.output_type.model_json_schema(mode="serialization"),
        )

    def paths(self) -> dict[str, str]:
        """Where each class stands, as `module:Class`: what another process needs to know them too."""
        return {agent_type: path_of(kind) for agent_type, kind in self._classes.items()}


def discover(paths: Mapping[str, str] | None = None) -> Registry:
    """Our agents, those of installed packages, and those at `paths` (`module:Class` by type).

    Raises `AgentMisregistered`.
    """
    installed = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.value)
    classes = [
        *BUILT_IN,
        *(load(entry.value, named_by=f"the entry point {entry.name!r}") for entry in installed),
    ]
    for agent_type, path in (paths or {}).items():
        kind = load(path, named_by=f"the agent {agent_type!r} of serve_config.yaml")
        if getattr(kind, "agent_type", None) != agent_type:
            said = getattr(kind, "agent_type", None)
            raise AgentMisregistered(
                f"serve_config.yaml names {path} for the type {agent_type!r}, but its agent_type is "
                f"{said!r}. Write the same in both."
            )
        classes.append(kind)
    return Registry(classes)


def load(path: str, *, named_by: str) -> AgentClass:
    """The class at `module:Class`. Raises `AgentMisregistered`, naming who asked for it."""
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise AgentMisregistered(f"{path!r}, named by {named_by}, is not of the form module:Class.")
    try:
        module = import_module(module_name)
    except Exception as error:
        raise AgentMisregistered(
            f"{module_name}, named by {named_by}, cannot be imported: {type(error).__name__}: {error}. "
            "Is it installed where GardenOS runs, or on its PYTHONPATH?"
        ) from error
    kind = getattr(module, name, None)
    if not isinstance(kind, type) or not issubclass(kind, BaseAIAgent):
        what = "is not in that module" if kind is None else "is no subclass of BaseAIAgent"
        raise AgentMisregistered(f"{path}, named by {named_by}, {what}.")
    return kind


def path_of(kind: AgentClass) -> str:
    """Where a class stands, as `module:Class`."""
    return f"{kind.__module__}:{kind.__qualname__}"


def _check(kind: AgentClass) -> None:
    where = path_of(kind)
    agent_type = getattr(kind, "agent_type", None)
    if not isinstance(agent_type, str) or not _TYPE.fullmatch(agent_type):
        raise AgentMisregistered(
            f"{where} needs an agent_type: a small letter, then small letters, digits and "
            f"underscores, at most 63 in all. It has {agent_type!r}."
        )
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise AgentMisregistered(f"{where} does not implement {missing}.")
    for name in ("input_type", "output_type"):
        said = getattr(kind, name, None)
        if not isinstance(said, type) or not issubclass(said, BaseModel):
            raise AgentMisregistered(
                f"{where} does not say what it takes and gives. Subclass BaseAIAgent[Input, Output] "
                f"with two pydantic models; its {name} is {said!r}."
            )
    if kind.__name__ in _TAKEN:
        raise AgentMisregistered(f"{where} bears the name of another deployment. Rename the class.")
