"""Cancelling tasks and replaying dead ones, one or many, by members and operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gardenos.core.errors import Conflict, NotFound
from gardenos.core.ids import AgencyId, TaskId
from gardenos.db.session import TenantSession
from gardenos.orchestrator import queue, store
from gardenos.orchestrator.control.acting import QUERIES, as_worker, reaching, record
from gardenos.orchestrator.store import TaskView
from gardenos.orchestrator.task import TaskState

MOST_AT_ONCE = 10_000
OPEN_STATES = (TaskState.QUEUED, TaskState.RUNNING)


@dataclass(frozen=True, slots=True)
class Matching:
    """Which tasks an act is about; an `agency_id` of None is every agency."""

    agency_id: AgencyId | None
    agent_type: str | None = None
    priority: int | None = None
    created_before: datetime | None = None
    limit: int = 1000

    def described(self) -> dict[str, Any]:
        """As an operator's record keeps it."""
        given = {
            "agent_type": self.agent_type,
            "priority": self.priority,
            "created_before": self.created_before and self.created_before.isoformat(),
            "limit": self.limit,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def target(self) -> str:
        """Whose tasks, in a word."""
        return "every agency" if self.agency_id is None else f"agency {self.agency_id}"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What came of cancelling many."""

    ended: int
    marked: int
    more: bool


async def get(session: TenantSession, task_id: TaskId) -> TaskView:
    """A task of the agency; for an operator, of any. Raises `NotFound`."""
    try:
        return await store.get(session, task_id)
    except NotFound:
        if not session.claims.operator:
            raise
    async with as_worker(session) as worker:
        return await store.get(worker, task_id)


async def cancel(session: TenantSession, task_id: TaskId) -> TaskView:
    """End a queued task now; mark a running one, whose agent ends it within seconds.

    Raises `NotFound`, and `Conflict` for a task that has ended.
    """
    view = await _open_to_change(session, task_id)
    foreign = view.agency_id != session.claims.agency_id
    async with reaching(session, view.agency_id) as acting:
        row = await acting.fetchrow(QUERIES["cancel_task"], task_id, session.claims.sub)
        view = TaskView.model_validate(dict(row)) if row else await store.get(acting, task_id)
        if row is None and view.state not in OPEN_STATES:
            raise Conflict(
                f"The task {task_id} has ended as {view.state}: there is nothing left to cancel."
            )
        if row is not None and foreign:
            await record(session, "cancel", f"task {task_id}", {"agency_id": str(view.agency_id)})
        if view.state.is_terminal:
            await queue.hint_finished(acting, [view.id])
    return view


async def cancel_matching(
    session: TenantSession, which: Matching, *, state: TaskState | None
) -> Cancelled:
    """Cancel the tasks that match, oldest first, at most `which.limit`. Raises `Forbidden`."""
    _require_may_change(session, which.agency_id)
    states = [state] if state else list(OPEN_STATES)
    async with reaching(session, which.agency_id) as acting:
        rows = await acting.fetch(
            QUERIES["cancel_matching"],
            which.agency_id,
            states,
            which.agent_type,
            which.priority,
            which.created_before,
            which.limit,
            session.claims.sub,
        )
        ended = [row["id"] for row in rows if TaskState(row["state"]).is_terminal]
        done = Cancelled(len(ended), len(rows) - len(ended), more=len(rows) == which.limit)
        if which.agency_id != session.claims.agency_id:
            said = which.described() | {"state": state, "cancelled": len(rows)}
            await record(session, "cancel", which.target, said)
        await queue.hint_finished(acting, ended)
    return done


async def replay(session: TenantSession, task_id: TaskId) -> TaskView:
    """Queue a dead task again, with fresh retries. Raises `NotFound`, `Conflict` unless it is dead."""
    view = await _open_to_change(session, task_id)
    # Members may not write a state: the orchestrator's role does, within their agency.
    async with as_worker(session) as worker:
        row = await worker.fetchrow(QUERIES["replay_task"], task_id, view.agency_id)
        if row is None:
            raise Conflict(
                f"The task {task_id} is {view.state}. Only a dead one can be replayed; "
                "submit the work anew."
            )
        if view.agency_id != session.claims.agency_id:
            await record(session, "replay", f"task {task_id}", {"agency_id": str(view.agency_id)})
        await worker.execute(QUERIES["hint_queued"], [row["agent_type"]])
    return TaskView.model_validate(dict(row))


async def replay_matching(session: TenantSession, which: Matching) -> int:
    """Queue the dead tasks that match again, oldest first, at most `which.limit`; how many."""
    _require_may_change(session, which.agency_id)
    async with as_worker(session) as worker:
        rows = await worker.fetch(
            QUERIES["replay_matching"],
            which.agency_id,
            which.agent_type,
            which.priority,
            which.created_before,
            which.limit,
        )
        if which.agency_id != session.claims.agency_id:
            said = which.described() | {"replayed": len(rows)}
            await record(session, "replay", which.target, said)
        await worker.execute(QUERIES["hint_queued"], sorted({row["agent_type"] for row in rows}))
    return len(rows)


async def _open_to_change(session: TenantSession, task_id: TaskId) -> TaskView:
    """The task, where these claims may act on it."""
    view = await get(session, task_id)
    _require_may_change(session, view.agency_id)
    return view


def _require_may_change(session: TenantSession, agency_id: AgencyId | None) -> None:
    if agency_id == session.claims.agency_id:
        session.claims.require_writer()
    else:
        session.claims.require_operator()
