"""`/ai/tasks/{task_id}/events`: a task's progress as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from gardenos.ai.answers import TASKS, out, waiter
from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import GardenOSError, NotFound
from gardenos.core.ids import TaskId
from gardenos.observability.events import StreamClosed, StreamOpened, observe
from gardenos.orchestrator import store
from gardenos.orchestrator.control import tasks
from gardenos.orchestrator.store import TaskView
from gardenos.orchestrator.task import TaskState
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix=TASKS, tags=["tasks"], route_class=StrictRoute)
LONGEST_STREAM_S = 600.0
"""Then a follower comes back with its last event's id, and with a token that is still good."""
HEARTBEAT_S = 15
_RETRY_MS = 2000
_TEMPLATE = f"{TASKS}/{{task_id}}/events"
EVENTS = ("queued", "running", "cancelling", "retrying", "finished")
_DESCRIBED: dict[str, Any] = {
    "description": (
        "Server-sent events, one for each state, `finished` as the last one. Comments in between "
        "keep the connection open."
    ),
    "content": {
        "text/event-stream": {
            "schema": {
                "title": "TaskEvent",
                "type": "object",
                "required": ["event", "id", "data"],
                "properties": {
                    "event": {"type": "string", "enum": list(EVENTS)},
                    "id": {"type": "string", "description": "For `Last-Event-ID`."},
                    "retry": {"type": "integer", "description": "Milliseconds."},
                    "data": {
                        "type": "string",
                        "description": "The task.",
                        "contentMediaType": "application/json",
                        "contentSchema": {"$ref": "#/components/schemas/TaskOut"},
                    },
                },
            }
        }
    },
}


async def _place(services: ServicesDep, claims: ClaimsDep) -> AsyncGenerator[None]:
    """One of the streams this process has room for, until the response has ended, however it does."""
    with waiter(services).streams.place(claims.agency_id):
        observe(StreamOpened(_TEMPLATE))
        try:
            yield
        finally:
            observe(StreamClosed(_TEMPLATE))


def event_name(view: TaskView) -> str:
    """What the state of a task is called among its events."""
    if view.state.is_terminal:
        return "finished"
    if view.state is TaskState.RUNNING:
        return "cancelling" if view.cancel_requested_at else "running"
    return "retrying" if view.attempt else "queued"


def event_id(view: TaskView) -> str:
    """What tells an event from the others of its task: how often it was begun, and what it came to."""
    said = view.state.value if view.state.is_terminal else event_name(view)
    return f"{view.fence}.{said}"


def _event(view: TaskView) -> ServerSentEvent:
    return ServerSentEvent(
        out(view).model_dump_json(), event=event_name(view), id=event_id(view), retry=_RETRY_MS
    )


@router.get(
    "/{task_id}/events",
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound)
    | {
        200: _DESCRIBED,
        204: {"description": "`Last-Event-ID` is that of the end: there is nothing to follow."},
    },
    dependencies=[Depends(_place)],
)
async def follow_task(
    task_id: TaskId,
    services: ServicesDep,
    claims: ClaimsDep,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=100,
            description="The id of the last event you had; you get the next one that differs.",
        ),
    ] = None,
    wait_s: Annotated[
        float,
        Query(
            ge=0,
            le=LONGEST_STREAM_S,
            allow_inf_nan=False,
            description="The stream ends when the task has, or after so many seconds.",
        ),
    ] = LONGEST_STREAM_S,
) -> Response:
    """Follow a task: its state now, and each change of it, until it has ended."""
    async with services.database.session(claims) as session:
        view = await tasks.get(session, task_id)
        if not view.state.is_terminal:
            await store.mark_awaited(session, view.id)
    if view.state.is_terminal and event_id(view) == last_event_id:
        return Response(status_code=204)

    async def events() -> AsyncGenerator[ServerSentEvent]:
        seen = last_event_id
        try:
            following = waiter(services).follow(claims, task_id, timeout_s=wait_s)
            async with aclosing(following):
                async for view in following:
                    if event_id(view) != seen:
                        seen = event_id(view)
                        yield _event(view)
        except GardenOSError:
            # The status is long sent. The follower comes back, and is told then what is wrong.
            return

    return EventSourceResponse(events(), ping=HEARTBEAT_S, sep="\n")
