"""Tasks in PostgreSQL, as a member sees them: enqueue, read, list. Always in the caller's session."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from pydantic import BaseModel, ConfigDict

from gardenos.core.errors import IdempotencyKeyReused, InvalidContent, NotFound
from gardenos.core.ids import AgencyId, TaskId
from gardenos.db import sql
from gardenos.db.session import Session, TenantSession
from gardenos.orchestrator.task import HIGHEST_PRIORITY, LOWEST_PRIORITY, NewTask, TaskState

QUERIES = sql.load("gardenos.orchestrator")
_READS = sql.load("gardenos.orchestrator.control")
MAX_PAYLOAD_BYTES = 256 * 1024
MAX_RETRIES = 100
MAX_KEY_CHARS = 255
MAX_AHEAD = timedelta(days=366)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it, and not the text of that escape, which has one backslash more."""


class TaskView(BaseModel):
    """A task as its agency sees it."""

    model_config = ConfigDict(frozen=True)

    id: TaskId
    agent_type: str
    state: TaskState
    priority: int
    payload: dict[str, Any]
    attempt: int
    max_retries: int
    run_at: datetime
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    idempotency_key: str | None = None
    agency_id: AgencyId | None = None
    fence: int = 0
    cancel_requested_at: datetime | None = None


def _view(row: asyncpg.Record) -> TaskView:
    return TaskView.model_validate(dict(row))


def _faults(task: NewTask, encoded: str, now: datetime) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if not HIGHEST_PRIORITY <= task.priority <= LOWEST_PRIORITY:
        faults.append(("priority", f"is {HIGHEST_PRIORITY} (first) to {LOWEST_PRIORITY} (last)"))
    if not 0 <= task.max_retries <= MAX_RETRIES:
        faults.append(("max_retries", f"is 0 to {MAX_RETRIES}"))
    if len(encoded.encode("utf-8", "surrogatepass")) > MAX_PAYLOAD_BYTES:
        faults.append(("payload", f"is larger than {MAX_PAYLOAD_BYTES} bytes of JSON"))
    if _NUL.search(encoded):
        faults.append(("payload", "contains a NUL character, which no record can hold"))
    key = task.idempotency_key
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARS:
        faults.append(("idempotency_key", f"has 1 to {MAX_KEY_CHARS} characters"))
    if task.run_at is not None:
        if task.run_at.tzinfo is None:
            faults.append(("run_at", "needs a time zone, such as a trailing Z"))
        elif task.run_at > now + MAX_AHEAD:
            faults.append(("run_at", f"is at most {MAX_AHEAD.days} days ahead"))
    return faults


def _rows(tasks: Sequence[NewTask]) -> list[dict[str, Any]]:
    """The tasks as JSON rows. Raises `InvalidContent` naming every field that will not do."""
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    errors: list[Mapping[str, str]] = []
    for ordinal, task in enumerate(tasks):
        where = f"/tasks/{ordinal}" if len(tasks) > 1 else ""
        try:
            encoded = json.dumps(task.payload, allow_nan=False)
            encoded.encode()
        except (TypeError, ValueError, UnicodeError) as error:
            errors.append({"pointer": f"{where}/payload", "detail": f"is not plain JSON: {error}"})
            continue
        found = _faults(task, encoded, now)
        errors.extend({"pointer": f"{where}/{name}", "detail": text} for name, text in found)
        rows.append(
            {
                "ordinal": ordinal,
                "agent_type": task.agent_type,
                "priority": task.priority,
                "payload": task.payload,
                "idempotency_key": task.idempotency_key,
                "awaited": task.awaited,
                "max_retries": task.max_retries,
                "run_at": task.run_at.isoformat() if task.run_at else None,
            }
        )
    if errors:
        raise InvalidContent("The task cannot be enqueued; nothing was.", errors=errors)
    return rows


def check(task: NewTask) -> None:
    """Raise `InvalidContent`, naming every field, for a task that `enqueue` would refuse."""
    _rows([task])


async def enqueue(session: TenantSession, tasks: Sequence[NewTask]) -> list[TaskView]:
    """Enqueue tasks in the caller's transaction, in order; they exist once it commits.

    A key used before with the same body gives back the task it made. Raises `InvalidContent`
    (nothing enqueued), `IdempotencyKeyReused` for a key that had another body.
    """
    rows = _rows(tasks)
    if not rows:
        return []
    keys = [task.idempotency_key for task in tasks if task.idempotency_key is not None]
    if len(set(keys)) != len(keys):
        raise InvalidContent("Two of the tasks share an idempotency key; nothing was enqueued.")
    claims = session.claims
    try:
        made = await session.fetch(QUERIES["enqueue_batch"], rows, claims.agency_id, claims.sub)
    except asyncpg.CheckViolationError as error:
        raise InvalidContent(f"The task breaks {error.constraint_name}.") from error
    if len(made) == len(rows):
        return [_view(row) for row in made]
    return await _merge_known(session, tasks, [_view(row) for row in made])


async def _merge_known(
    session: TenantSession, tasks: Sequence[NewTask], made: Sequence[TaskView]
) -> list[TaskView]:
    keys = [task.idempotency_key for task in tasks if task.idempotency_key is not None]
    rows = await session.fetch(QUERIES["find_by_keys"], keys)
    by_key = {view.idempotency_key: view for view in map(_view, rows)}
    unkeyed = iter([view for view in made if view.idempotency_key is None])
    found: list[TaskView] = []
    for task in tasks:
        view = by_key[task.idempotency_key] if task.idempotency_key else next(unkeyed)
        if view.agent_type != task.agent_type or view.payload != json.loads(
            json.dumps(task.payload)
        ):
            raise IdempotencyKeyReused
        found.append(view)
    return found


async def get(session: Session, task_id: TaskId) -> TaskView:
    """One task that the session sees. Raises `NotFound`, for a member also for another agency's."""
    row = await session.fetchrow(_READS["get_task"], task_id)
    if row is None:
        raise NotFound(f"There is no task {task_id} here.")
    return _view(row)


async def list_tasks(
    session: TenantSession,
    *,
    limit: int,
    state: TaskState | None = None,
    agent_type: str | None = None,
    before: TaskId | None = None,
) -> list[TaskView]:
    """Tasks of the agency, newest first, those made before the task `before`."""
    return await tasks_of(
        session,
        session.claims.agency_id,
        limit=limit,
        state=state,
        agent_type=agent_type,
        before=before,
    )


async def tasks_of(
    session: Session,
    agency_id: AgencyId,
    *,
    limit: int,
    state: TaskState | None = None,
    agent_type: str | None = None,
    before: TaskId | None = None,
) -> list[TaskView]:
    """Tasks of an agency, as far as the session sees them."""
    rows = await session.fetch(_READS["list_tasks"], agency_id, state, agent_type, before, limit)
    return [_view(row) for row in rows]


async def mark_awaited(session: TenantSession, task_id: TaskId) -> None:
    """Have the task's end notified: somebody waits for it now."""
    await session.execute(QUERIES["mark_awaited"], task_id)


async def counts(session: TenantSession) -> dict[str, dict[str, int]]:
    """How many tasks of the agency are in which state, by agent type."""
    found: dict[str, dict[str, int]] = {}
    for row in await session.fetch(QUERIES["count_by_state"]):
        found.setdefault(row["agent_type"], {})[row["state"]] = row["tasks"]
    return found
