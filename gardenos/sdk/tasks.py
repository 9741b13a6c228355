"""`client.tasks`."""

from __future__ import annotations

import math
from collections.abc import Generator
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk import events
from gardenos.sdk.base import Page
from gardenos.sdk.bound import D, Namespace, endpoint, following, listing
from gardenos.sdk.call import Call, Pause, Step, given, model, nothing, post, segment
from gardenos.sdk.drivers import Driver
from gardenos.sdk.errors import TaskUnfinished
from gardenos.sdk.events import Stream
from gardenos.sdk.results import Cancelled, Replayed, Task, TaskState

TaskRef: TypeAlias = Task | UUID | str

LONGEST_POLL_S = 20
"""Below the 30 seconds after which common proxies cut a silent connection."""
_PAUSE_S = 0.5


class TaskFilter(TypedDict, total=False):
    """Which tasks an act is about; `all=True` for every one. The last two are for operators."""

    agent_type: str
    priority: int
    created_before: datetime
    all: bool
    limit: int
    agency_id: UUID | str
    every_agency: bool


def _path(task: TaskRef, of_it: str = "") -> str:
    return f"/ai/tasks/{segment(task.id if isinstance(task, Task) else task)}{of_it}"


def _json(which: TaskFilter, **more: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return str(value) if isinstance(value, UUID) else value

    return {name: plain(value) for name, value in which.items()} | given(**more)


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
        agency_id: UUID | str | None = None,
        page_size: int = 100,
    ) -> Call[Page[Task]]:
        """Tasks, newest first, one by one; pages are asked for as they are needed.

        `state="dead"` are the dead letters. `agency_id` is for operators.
        """
        agency = None if agency_id is None else str(agency_id)
        params = given(state=state, agent_type=agent_type, agency_id=agency, limit=page_size)
        return Call("GET", "/ai/tasks", model(Page[Task]), params=params)

    @endpoint
    def wait(self, task: TaskRef, *, timeout_s: float = 60.0) -> Generator[Step, Any, Task]:
        """The task once it has ended, however it did.

        Raises `TaskUnfinished` after `timeout_s`; the task itself goes on.
        """
        return (yield from until_finished(self.driver, task, timeout_s=timeout_s))

    @following
    def follow(self, task: TaskRef) -> Stream[Task]:
        """The task as it stands, and again at each change, until it has ended.

        A broken connection is taken up again where it broke. Raises `NotFound`.
        """
        call = Call("GET", _path(task, "/events"), nothing)
        return Stream(call, events.model(Task), last="finished")

    @endpoint
    def cancel(self, task: TaskRef, *, idempotency_key: str | None = None) -> Call[Task]:
        """Cancel a task: a queued one ends at once, a running one as soon as its agent sees it.

        Raises `Conflict` for a task that has ended, `NotFound`.
        """
        return post(_path(task, "/cancel"), model(Task), idempotency_key=idempotency_key)

    @endpoint
    def cancel_all(
        self,
        *,
        state: Literal["queued", "running"] | None = None,
        idempotency_key: str | None = None,
        **which: Unpack[TaskFilter],
    ) -> Call[Cancelled]:
        """Cancel the tasks that match, oldest first, up to `limit` (1000) at a time."""
        body = _json(which, state=state)
        return post(
            "/ai/tasks/cancel", model(Cancelled), json=body, idempotency_key=idempotency_key
        )

    @endpoint
    def replay(self, task: TaskRef, *, idempotency_key: str | None = None) -> Call[Task]:
        """Queue a dead task again, with fresh retries. Raises `Conflict` unless it is dead."""
        return post(_path(task, "/replay"), model(Task), idempotency_key=idempotency_key)

    @endpoint
    def replay_all(
        self, *, idempotency_key: str | None = None, **which: Unpack[TaskFilter]
    ) -> Call[Replayed]:
        """Queue the dead tasks that match again, oldest first, up to `limit` (1000) at a time."""
        return post(
            "/ai/tasks/replay", model(Replayed), json=_json(which), idempotency_key=idempotency_key
        )
