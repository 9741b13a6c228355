"""`client.tasks`."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, TypeAlias
from uuid import UUID

from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, Pause, Step, given, model, segment
from gardenos.sdk.drivers import Driver
from gardenos.sdk.errors import TaskUnfinished
from gardenos.sdk.results import Page, Task, TaskState

TaskRef: TypeAlias = Task | UUID | str

LONGEST_POLL_S = 20
"""Below the 30 seconds after which common proxies cut a silent connection."""
_PAUSE_S = 0.5


def _path(task: TaskRef) -> str:
    return f"/ai/tasks/{segment(task.id if isinstance(task, Task) else task)}"


def until_finished(
    driver: Driver, task: TaskRef, *, timeout_s: float
) -> Generator[Step, Any, Task]:
    """The steps that wait for a task's end. They raise `TaskUnfinished` after `timeout_s`."""
    give_up_at = driver.now() + timeout_s
    while True:
        asked_at = driver.now()
        wait_s = min(max(0, math.ceil(give_up_at - asked_at)), LONGEST_POLL_S)
        found = yield from Call(
            "GET",
            _path(task),
            model(Task),
            params={"wait_s": wait_s},
            patience_s=wait_s,
        )
        if found.is_terminal:
            return found
        now = driver.now()
        if now >= give_up_at:
            raise TaskUnfinished(
                f"The task {found.id} is still {found.state} after {timeout_s:g} s. "
                "Wait on with `client.tasks.wait`.",
                task_id=found.id,
                state=found.state,
            )
        # A server that answers at once instead of holding on must not be asked in a tight loop.
        if now - asked_at < min(wait_s, _PAUSE_S):
            yield Pause(min(_PAUSE_S, give_up_at - now))


class Tasks(Namespace[D]):
    """The agency's tasks in the durable queue."""

    @endpoint
    def get(self, task: TaskRef) -> Call[Task]:
        """Read a task. Raises `NotFound`."""
        return Call("GET", _path(task), model(Task))

    @listing
    def list(
        self,
        *,
        state: TaskState | None = None,
        agent_type: str | None = None,
        page_size: int = 100,
    ) -> Call[Page[Task]]:
        """Tasks, newest first, one by one; pages are asked for as they are needed."""
        params = given(state=state, agent_type=agent_type, limit=page_size)
        return Call("GET", "/ai/tasks", model(Page[Task]), params=params)

    @endpoint
    def wait(self, task: TaskRef, *, timeout_s: float = 60.0) -> Generator[Step, Any, Task]:
        """The task once it has ended, however it did.

        Raises `TaskUnfinished` after `timeout_s`; the task itself goes on.
        """
        return (yield from until_finished(self.driver, task, timeout_s=timeout_s))
