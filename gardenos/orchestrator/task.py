"""A task, what may become of it, and what an agent must be able to do with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias
from uuid import UUID

from gardenos.core.claims import Claims, UserRole
from gardenos.core.ids import AgencyId, TaskId, UserId

if TYPE_CHECKING:
    from gardenos.db.session import TenantSession

HIGHEST_PRIORITY, DEFAULT_PRIORITY, LOWEST_PRIORITY = 1, 5, 9
SYSTEM_USER = UserId(UUID(int=0))


class TaskState(StrEnum):
    """Where a task stands; `docs/task-states.md` draws the transitions."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen to the task by itself."""
        return self in (TaskState.SUCCEEDED, TaskState.DEAD, TaskState.CANCELLED)


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to enqueue. The agency and the author come from the session that enqueues it."""

    agent_type: str
    payload: Mapping[str, Any]
    priority: int = DEFAULT_PRIORITY
    max_retries: int = 3
    idempotency_key: str | None = None
    run_at: datetime | None = None
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class AgentTask:
    """A task as leased: with the fence that its result must carry to count."""

    id: TaskId
    priority: int
    payload: Mapping[str, Any]
    max_retries: int
    agency_id: AgencyId
    agent_type: str
    attempt: int = 0
    """Runs that failed before this one."""
    fence: int = 0
    created_by: UserId | None = None
    awaited: bool = False
    run_at: datetime | None = None
    """When it was due; with the time of its lease, how long it waited."""

    @property
    def claims(self) -> Claims:
        """What the agent may see and change while it works on this task: its agency's rows."""
        return Claims.of(self.created_by or SYSTEM_USER, self.agency_id, UserRole.AGENT)


@dataclass(frozen=True, slots=True)
class Done:
    """The work is finished. `result` (JSON) is what the task's reader gets; `effect` what is stored."""

    result: Mapping[str, Any]
    effect: Any = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It failed but may work later; `after_s` overrides the queue's own backoff."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """It can never work: the task is dead at once, kept and replayable."""

    reason: str


@dataclass(frozen=True, slots=True)
class Snooze:
    """Not yet: run again at `until`, without counting as a failure."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Cancel:
    """The work has become pointless."""

    reason: str


Outcome: TypeAlias = Done | Retry | Fail | Snooze | Cancel


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of one task: how it ended and what it used (opaque to the queue, the agent's to store)."""

    task: AgentTask
    outcome: Outcome
    usage: Sequence[Any] = field(default=())


class Agent(Protocol):
    """What works off one type of task. Everything it stores goes through the session it is given."""

    agent_type: ClassVar[str]

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        """Read what the tasks of one agency need, in one go; a task missing here gets None."""
        ...

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        """Do the work, holding no database connection. An exception counts as `Retry`."""
        ...

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Store the effects of attempts that ended `Done`, all of one agency, by set-based SQL.

        Runs in the transaction that finishes them and only for those whose fence still held.
        """
        ...

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Store what attempts used (tokens, cost), whatever their outcome."""
        ...
