"""What a run's end means for its task: a pure decision, written down by the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from gardenos.core.ids import TaskId
from gardenos.orchestrator import backoff
from gardenos.orchestrator.task import AgentTask, Cancel, Fail, Retry, Snooze, TaskState

MAX_ERROR_CHARS = 2000
LONGEST_WAIT_S = 86_400.0
"""Whatever an agent, or the endpoint it asked, says about when to try again."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The state a task goes to, if its fence still holds."""

    id: TaskId
    fence: int
    state: TaskState
    attempt: int
    delay_s: float = 0.0
    run_at: datetime | None = None
    error: dict[str, Any] | None = None

    def row(self) -> dict[str, Any]:
        """This settlement as a JSON row for `settle_unfinished`."""
        return {
            "id": str(self.id),
            "fence": self.fence,
            "state": self.state.value,
            "attempt": self.attempt,
            "delay_s": self.delay_s,
            "run_at": self.run_at.isoformat() if self.run_at else None,
            "error": self.error,
        }


def _error(code: str, detail: str) -> dict[str, Any]:
    # Some of it came from outside: PostgreSQL holds neither a NUL nor half a surrogate pair.
    text = detail[:MAX_ERROR_CHARS].replace("\x00", "").encode("utf-8", "replace").decode()
    return {"code": code, "detail": text}


def settle(
    task: AgentTask,
    outcome: Retry | Fail | Snooze | Cancel,
    *,
    delay: Callable[[int], float] = backoff.delay,
) -> Settlement:
    """Where a task goes that did not end `Done`."""
    match outcome:
        case Retry(reason, after_s):
            return failed(
                task.id,
                task.fence,
                attempt=task.attempt,
                max_retries=task.max_retries,
                error=_error("retry", reason),
                after_s=after_s,
                delay=delay,
            )
        case Fail(reason):
            error = _error("failed", reason)
            return Settlement(task.id, task.fence, TaskState.DEAD, task.attempt, error=error)
        case Snooze(until):
            return Settlement(task.id, task.fence, TaskState.QUEUED, task.attempt, run_at=until)
        case Cancel(reason):
            error = _error("cancelled", reason)
            return Settlement(task.id, task.fence, TaskState.CANCELLED, task.attempt, error=error)
        case _:
            assert_never(outcome)


def failed(
    task_id: TaskId,
    fence: int,
    *,
    attempt: int,
    max_retries: int,
    error: dict[str, Any],
    after_s: float | None = None,
    delay: Callable[[int], float] = backoff.delay,
) -> Settlement:
    """One more failure: queued again after a wait, or dead once the retries are used up."""
    failures = attempt + 1
    if failures > max_retries:
        return Settlement(task_id, fence, TaskState.DEAD, failures, error=error)
    wait = delay(failures) if after_s is None else min(max(0.0, after_s), LONGEST_WAIT_S)
    return Settlement(task_id, fence, TaskState.QUEUED, failures, delay_s=wait, error=error)


def crashed(task: AgentTask, why: str) -> Settlement:
    """The replica that ran the task is gone."""
    return failed(
        task.id,
        task.fence,
        attempt=task.attempt,
        max_retries=task.max_retries,
        error=_error("crashed", why),
    )


def handed_back(task: AgentTask) -> Settlement:
    """The task was leased but never began: queued again at once, without counting a failure."""
    return Settlement(task.id, task.fence, TaskState.QUEUED, task.attempt)
