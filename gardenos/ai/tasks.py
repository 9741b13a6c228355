"""`/ai/tasks`: tasks submitted, listed, read, cancelled, and dead ones replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, WrapValidator, model_validator
from starlette.convertors import StringConvertor, register_url_convertor

from gardenos.ai import agents
from gardenos.ai.answers import (
    LINK,
    LOCATION,
    PAGE_SIZE,
    TASKS,
    AgentTypeName,
    Cursor,
    PageSize,
    json,
    last_seen,
    listed,
    out,
    pointing,
    wait,
)
from gardenos.ai.models import (
    LONGEST_WAIT_S,
    Priority,
    Strict,
    TaskList,
    TaskOut,
    TaskRequest,
    TasksRequest,
)
from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import Conflict, IdempotencyKeyReused, InvalidCursor, NotFound
from gardenos.core.ids import TaskId
from gardenos.db.session import TenantSession
from gardenos.orchestrator import store
from gardenos.orchestrator.control import tasks
from gardenos.orchestrator.control.acting import reach, reaching
from gardenos.orchestrator.control.tasks import MOST_AT_ONCE, Matching
from gardenos.orchestrator.task import TaskState
from gardenos.web import idempotency, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep
from gardenos.web.text import Moment

router = APIRouter(prefix=TASKS, tags=["tasks"], route_class=StrictRoute)
_REPEATED: dict[str, Any] = {"headers": dict(idempotency.RESPONSE_HEADERS)}

# -- submitting ------------------------------------------------------------------------------


def _one_or_many(value: Any, _handler: Any) -> TaskRequest | TasksRequest:
    """Read the body as what it means to be, so that errors point into it and not at both shapes."""
    many = isinstance(value, Mapping) and "tasks" in value
    return TasksRequest.model_validate(value) if many else TaskRequest.model_validate(value)


Submission: TypeAlias = Annotated[TaskRequest | TasksRequest, WrapValidator(_one_or_many)]


class TasksAccepted(BaseModel):
    """The tasks as enqueued, in the order they came."""

    items: list[TaskOut]


@router.post(
    "",
    status_code=202,
    response_model=TaskOut | TasksAccepted,
    responses=problems.responses(*problems.COMMON, *problems.BODY, IdempotencyKeyReused)
    | {202: {"headers": {**LOCATION, **idempotency.RESPONSE_HEADERS}}},
)
async def submit_tasks(
    body: Submission,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Enqueue a task, or up to 1000 as `{"tasks": [...]}`: all of them or none."""
    claims.require_writer()
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            return await _submit(session, body)

        return await idempotency.once(session, key, seen, effect)


async def _submit(session: TenantSession, body: TaskRequest | TasksRequest) -> Response:
    if isinstance(body, TaskRequest):
        agents.check_payload(body.agent_type, body.payload)
        [view] = await store.enqueue(session, [body.task()])
        return json(out(view), 202, {"Location": f"{TASKS}/{view.id}"})
    for place, task in enumerate(body.tasks):
        agents.check_payload(task.agent_type, task.payload, pointer=f"/tasks/{place}")
    # The queue tells several tasks apart by their place; of one alone it does not know.
    alone = "/tasks/0" if len(body.tasks) == 1 else ""
    with pointing(lambda pointer: alone + pointer):
        views = await store.enqueue(session, [task.task() for task in body.tasks])
    return json(TasksAccepted(items=[out(view) for view in views]), 202)


# -- reading ---------------------------------------------------------------------------------


class TaskListQuery(Strict):
    """Which tasks to list."""

    state: TaskState | None = None
    agent_type: AgentTypeName | None = None
    agency_id: UUID | None = Field(
        default=None, description="Of another agency than yours; for operators."
    )
    limit: PageSize = PAGE_SIZE
    cursor: Cursor | None = None


@router.get(
    "",
    response_model=TaskList,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": LINK}},
)
async def list_agent_tasks(
    query: Annotated[TaskListQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List the agency's tasks, newest first; `state=dead` are the dead letters."""
    agency_id = reach(claims, query.agency_id, every_agency=False) or claims.agency_id
    scope = f"tasks:{agency_id}:{query.state}:{query.agent_type}"
    before = last_seen(services.cursors, scope, query.cursor)
    async with (
        services.database.session(claims) as session,
        reaching(session, agency_id) as acting,
    ):
        views = await store.tasks_of(
            acting,
            agency_id,
            limit=query.limit + 1,
            state=query.state,
            agent_type=query.agent_type,
            before=None if before is None else TaskId(before),
        )
    shown, more = views[: query.limit], len(views) > query.limit
    cursor = services.cursors.seal(scope, [str(shown[-1].id)]) if more else None
    page = TaskList(items=[out(view) for view in shown], next_cursor=cursor)
    return listed(request, page, cursor)


class _TaskSegment(StringConvertor):
    """A segment that may be a task's id: not the name of another resource, which only takes POST."""

    regex = r"(?!(?:cancel|replay)$)[^/]+"


register_url_convertor("task", _TaskSegment())


@router.get(
    "/{task_id:task}",
    response_model=TaskOut,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def read_task(
    task_id: TaskId,
    services: ServicesDep,
    claims: ClaimsDep,
    wait_s: Annotated[
        float,
        Query(
            ge=0,
            le=LONGEST_WAIT_S,
            allow_inf_nan=False,
            description="Answer when the task has ended, or after so many seconds as it then is.",
        ),
    ] = 0,
) -> Response:
    """Read a task, or wait for its end. An operator reads any agency's."""
    async with services.database.session(claims) as session:
        view = await tasks.get(session, task_id)
        if wait_s > 0 and not view.state.is_terminal:
            await store.mark_awaited(session, view.id)
    return json(out(await wait(services, claims, view, wait_s)))


# -- cancelling and replaying ----------------------------------------------------------------


class TaskFilter(Strict):
    """Which tasks an act is about: at least one of these, or `all`."""

    agent_type: AgentTypeName | None = None
    priority: Priority | None = None
    created_before: Moment | None = None
    all: Annotated[bool, Field(strict=True, description="All of them, however many match.")] = False
    agency_id: UUID | None = Field(
        default=None, description="Of another agency than yours; for operators."
    )
    every_agency: Annotated[bool, Field(strict=True, description="For operators.")] = False
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, strict=True)] = Field(
        default=1000, description="How many at most; ask again while `more` is true."
    )

    def narrows(self) -> bool:
        """Whether it leaves any tasks out."""
        return any(v is not None for v in (self.agent_type, self.priority, self.created_before))

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.all and not self.narrows():
            raise ValueError("needs a filter, or all: true")
        return self


class CancelFilter(TaskFilter):
    """Which tasks to cancel."""

    state: Literal["queued", "running"] | None = None

    def narrows(self) -> bool:
        """Whether it leaves any tasks out."""
        return self.state is not None or super().narrows()


class Cancelled(BaseModel):
    """How many tasks were cancelled."""

    cancelled: int = Field(description="Queued tasks that ended.")
    cancelling: int = Field(description="Running tasks that end as soon as their agents see it.")
    more: bool = Field(description="Whether `limit` was reached, so that others may match.")


class Replayed(BaseModel):
    """How many dead tasks were queued again."""

    replayed: int
    more: bool = Field(description="Whether `limit` was reached, so that others may match.")


@router.post(
    "/cancel",
    responses=problems.responses(*problems.COMMON, *problems.BODY, IdempotencyKeyReused)
    | {200: _REPEATED},
    response_model=Cancelled,
)
async def cancel_tasks(
    wanted: CancelFilter,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Cancel queued and running tasks that match, oldest first, up to `limit` at a time."""
    which = _matching(wanted, reach(claims, wanted.agency_id, every_agency=wanted.every_agency))
    seen = idempotency.fingerprint(request, await request.body())
    state = TaskState(wanted.state) if wanted.state else None
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            done = await tasks.cancel_matching(session, which, state=state)
            return json(Cancelled(cancelled=done.ended, cancelling=done.marked, more=done.more))

        return await idempotency.once(session, key, seen, effect)


@router.post(
    "/replay",
    responses=problems.responses(*problems.COMMON, *problems.BODY, IdempotencyKeyReused)
    | {200: _REPEATED},
    response_model=Replayed,
)
async def replay_tasks(
    wanted: TaskFilter,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Queue dead tasks that match again with fresh retries, oldest first, up to `limit` at a time."""
    which = _matching(wanted, reach(claims, wanted.agency_id, every_agency=wanted.every_agency))
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            count = await tasks.replay_matching(session, which)
            return json(Replayed(replayed=count, more=count == which.limit))

        return await idempotency.once(session, key, seen, effect)


def _matching(wanted: TaskFilter, agency_id: Any) -> Matching:
    return Matching(
        agency_id,
        agent_type=wanted.agent_type,
        priority=wanted.priority,
        created_before=wanted.created_before,
        limit=wanted.limit,
    )


@router.post(
    "/{task_id}/cancel",
    response_model=TaskOut,
    responses=problems.responses(*problems.COMMON, NotFound, Conflict, IdempotencyKeyReused)
    | {
        200: _REPEATED | {"description": "It was queued, and has ended."},
        202: _REPEATED
        | {
            "model": TaskOut,
            "description": "It runs, and ends as soon as its agent sees the mark.",
        },
    },
)
async def cancel_task(
    task_id: TaskId,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Cancel a task: a queued one ends at once, a running one is marked. What has ended stays."""
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            view = await tasks.cancel(session, task_id)
            return json(out(view), 200 if view.state.is_terminal else 202)

        return await idempotency.once(session, key, idempotency.fingerprint(request), effect)


@router.post(
    "/{task_id}/replay",
    status_code=202,
    response_model=TaskOut,
    responses=problems.responses(*problems.COMMON, NotFound, Conflict, IdempotencyKeyReused)
    | {202: _REPEATED},
)
async def replay_task(
    task_id: TaskId,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Queue a dead task again, with fresh retries."""
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            return json(out(await tasks.replay(session, task_id)), 202)

        return await idempotency.once(session, key, idempotency.fingerprint(request), effect)
