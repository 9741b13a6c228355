"""What only a client can meet, on top of the tree in `core/errors.py`.

GardenOSError
├── TaskFailed           500 task-failed
├── UnexpectedAnswer     502 unexpected-answer
└── Unavailable
    ├── Unreachable      503 unreachable
    └── TaskUnfinished   503 task-unfinished
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gardenos.core.errors import GardenOSError, Unavailable

if TYPE_CHECKING:
    from uuid import UUID


class TaskFailed(GardenOSError):
    """The task ended without a result. Read it with `client.tasks.get` to see what went wrong."""

    code = "task-failed"

    def __init__(self, detail: str | None = None, *, task_id: UUID, state: str) -> None:
        super().__init__(detail, extra={"task_id": str(task_id), "state": state})
        self.task_id = task_id
        self.state = state


class UnexpectedAnswer(GardenOSError):
    """The answer is none that GardenOS gives. Check that the URL is that of an installation."""

    status = 502
    code = "unexpected-answer"


class Unreachable(Unavailable):
    """GardenOS cannot be reached. Check the URL, and that `gardenos status` says it runs."""

    code = "unreachable"


class TaskUnfinished(Unavailable):
    """The task is accepted but not finished yet. Wait on with `client.tasks.wait`."""

    code = "task-unfinished"

    def __init__(self, detail: str | None = None, *, task_id: UUID, state: str) -> None:
        super().__init__(detail, extra={"task_id": str(task_id), "state": state})
        self.task_id = task_id
        self.state = state
