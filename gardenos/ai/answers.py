"""What the AI routes share: how they answer, wait for a task, and say where an error lies."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from fastapi import Header, Path, Request, Response
from pydantic import BaseModel, Field

from gardenos.ai.models import TaskAccepted, TaskOut
from gardenos.core.claims import Claims
from gardenos.core.errors import InvalidContent, InvalidCursor
from gardenos.core.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, CursorSigner
from gardenos.orchestrator.store import TaskView
from gardenos.orchestrator.waiters import TaskWaiter
from gardenos.web import idempotency
from gardenos.web.services import Services

WAITER = "waiter"
"""The key of the `TaskWaiter` among the services' extras."""
TASKS = "/ai/tasks"
AGENT_TYPE = r"^[a-z][a-z0-9_]{0,62}$"

AgentTypePath: TypeAlias = Annotated[str, Path(pattern=AGENT_TYPE)]
AgentTypeName: TypeAlias = Annotated[str, Field(pattern=AGENT_TYPE)]
PageSize: TypeAlias = Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)]
Cursor: TypeAlias = Annotated[str, Field(max_length=1000)]
PAGE_SIZE = DEFAULT_PAGE_SIZE

LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the task is.", "schema": {"type": "string"}}
}
LINK: dict[str, Any] = {
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}
}
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": TaskAccepted,
        "description": "Not finished within `wait_s`: ask for the task later. Nothing is lost.",
        "headers": LOCATION,
    }
}
TaskKey: TypeAlias = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=idempotency.MAX_KEY_CHARS,
        pattern=r"^[\x20-\x7e]+$",
        description=(
            "Your name for the work, new for each intent. Repeating the request with it does not "
            "begin the work again: it waits for the same task and answers with its result."
        ),
    ),
]


def json(body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A model as the answer, written once: FastAPI would validate and walk it again."""
    return Response(body.model_dump_json(), status, headers, "application/json")


def out(view: TaskView) -> TaskOut:
    """A task as its readers get it."""
    return TaskOut.model_validate(view.model_dump())


def accepted(view: TaskView) -> Response:
    """202: the task has not ended, and is to be found there."""
    location = f"{TASKS}/{view.id}"
    body = TaskAccepted(task_id=view.id, state=view.state, location=location)
    return json(body, 202, {"Location": location})


def listed(request: Request, body: BaseModel, next_cursor: str | None) -> Response:
    """A page of a list, with the address of the next one."""
    headers: dict[str, str] = {}
    if next_cursor:
        following = request.url.include_query_params(cursor=next_cursor).query
        headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    return json(body, headers=headers)


def last_seen(cursors: CursorSigner, scope: str, cursor: str | None) -> UUID | None:
    """The id after which a page begins; None for the first. Raises `InvalidCursor`."""
    if cursor is None:
        return None
    try:
        return UUID(str(cursors.open(scope, cursor)[0]))
    except (IndexError, ValueError):
        raise InvalidCursor from None


def waiter(services: Services) -> TaskWaiter:
    """Who follows tasks in this process."""
    found: TaskWaiter = services.extras[WAITER]
    return found


async def wait(services: Services, claims: Claims, view: TaskView, wait_s: float) -> TaskView:
    """The task when it has ended, or as it is after `wait_s`; no connection is held meanwhile."""
    if view.state.is_terminal or wait_s <= 0:
        return view
    return await waiter(services).wait(claims, view.id, timeout_s=wait_s)


@contextmanager
def pointing(move: Callable[[str], str]) -> Generator[None]:
    """Have the queue's errors point to where the request said what is wrong."""
    try:
        yield
    except InvalidContent as error:
        moved = [{**fault, "pointer": move(str(fault["pointer"]))} for fault in error.errors]
        raise InvalidContent(error.detail, errors=moved) from None
