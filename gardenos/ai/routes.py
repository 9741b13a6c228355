"""`/ai`: work for agents, and what agents do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field, WrapValidator

from gardenos.ai import agents
from gardenos.ai.models import (
    LONGEST_WAIT_S,
    AnalysisAnswer,
    AnalyzeRequest,
    FollowUpAnswer,
    FollowUpRequest,
    Strict,
    TaskAccepted,
    TaskList,
    TaskOut,
    TaskRequest,
    TasksRequest,
)
from gardenos.auth.deps import ClaimsDep
from gardenos.core.claims import Claims
from gardenos.core.errors import IdempotencyKeyReused, InvalidContent, InvalidCursor, NotFound
from gardenos.core.ids import LeadId, TaskId
from gardenos.core.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gardenos.crm.leads import store as leads
from gardenos.db.session import TenantSession
from gardenos.orchestrator import store
from gardenos.orchestrator.store import TaskView
from gardenos.orchestrator.task import NewTask, TaskState
from gardenos.orchestrator.waiters import TaskWaiter
from gardenos.web import idempotency, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

WAITER = "waiter"
"""The key of the `TaskWaiter` among the services' extras."""

router = APIRouter(prefix="/ai", tags=["ai"], route_class=StrictRoute)

_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the task is.", "schema": {"type": "string"}}
}
_LINK: dict[str, Any] = {
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}
}
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": TaskAccepted,
        "description": "Not finished within `wait_s`: ask for the task later. Nothing is lost.",
        "headers": _LOCATION,
    }
}


def _json(body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), status, headers, "application/json")


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

# -- work that somebody waits for ------------------------------------------------------------


async def _enqueue_awaited(
    services: Services, claims: Claims, task: NewTask, lead_id: LeadId | None
) -> TaskView:
    claims.require_writer()
    async with services.database.session(claims) as session:
        if lead_id is not None and await leads.get(session, lead_id) is None:
            raise NotFound(f"There is no lead {lead_id} here.")
        with _pointing(lambda pointer: pointer.replace("/payload", "/lead", 1)):
            [view] = await store.enqueue(session, [task])
        if task.idempotency_key is not None:
            # It may be an earlier task, that nobody waited for.
            await store.mark_awaited(session, view.id)
    return view


@contextmanager
def _pointing(move: Callable[[str], str]) -> Generator[None]:
    """Have the queue's errors point to where the request said what is wrong."""
    try:
        yield
    except InvalidContent as error:
        moved = [{**fault, "pointer": move(str(fault["pointer"]))} for fault in error.errors]
        raise InvalidContent(error.detail, errors=moved) from None


async def _wait(services: Services, claims: Claims, view: TaskView, wait_s: float) -> TaskView:
    """The task when it has ended, or as it is after `wait_s`; no connection is held meanwhile."""
    if view.state.is_terminal or wait_s <= 0:
        return view
    waiter: TaskWaiter = services.extras[WAITER]
    return await waiter.wait(claims, view.id, timeout_s=wait_s)


def _awaited(agent_type: str, wanted: AnalyzeRequest | FollowUpRequest, key: str | None) -> NewTask:
    return NewTask(
        agent_type,
        wanted.payload(),
        priority=wanted.priority,
        idempotency_key=key,
        awaited=True,
    )


async def _work_off(
    services: Services,
    claims: Claims,
    task: NewTask,
    wanted: AnalyzeRequest | FollowUpRequest,
) -> TaskView:
    lead_id = LeadId(wanted.lead_id) if wanted.lead_id else None
    view = await _enqueue_awaited(services, claims, task, lead_id)
    return await _wait(services, claims, view, wanted.wait_s)


def _answer(view: TaskView, kind: type[AnalysisAnswer | FollowUpAnswer]) -> Response:
    if not view.state.is_terminal:
        location = f"{router.prefix}/tasks/{view.id}"
        accepted = TaskAccepted(task_id=view.id, state=view.state, location=location)
        return _json(accepted, 202, {"Location": location})
    told = {"task_id": view.id, "state": view.state, "result": view.result, "error": view.error}
    return _json(kind.model_validate(told))


@router.post(
    "/leads/analyze",
    response_model=AnalysisAnswer,
    responses=problems.responses(*problems.COMMON, *problems.BODY, NotFound, IdempotencyKeyReused)
    | _ACCEPTED,
)
async def analyze_lead(
    wanted: AnalyzeRequest, services: ServicesDep, claims: ClaimsDep, key: TaskKey = None
) -> Response:
    """Score a lead and say why: one of the agency's, which keeps the score, or one described here."""
    task = _awaited(agents.LeadAnalysisAgent.agent_type, wanted, key)
    return _answer(await _work_off(services, claims, task, wanted), AnalysisAnswer)


@router.post(
    "/follow-ups",
    response_model=FollowUpAnswer,
    responses=problems.responses(*problems.COMMON, *problems.BODY, NotFound, IdempotencyKeyReused)
    | _ACCEPTED,
)
async def generate_follow_up(
    wanted: FollowUpRequest, services: ServicesDep, claims: ClaimsDep, key: TaskKey = None
) -> Response:
    """Draft a message to a lead. Nothing is sent: a person decides."""
    task = _awaited(agents.FollowUpAgent.agent_type, wanted, key)
    return _answer(await _work_off(services, claims, task, wanted), FollowUpAnswer)


# -- tasks -----------------------------------------------------------------------------------


def _one_or_many(value: Any, _handler: Any) -> TaskRequest | TasksRequest:
    """Read the body as what it means to be, so that errors point into it and not at both shapes."""
    many = isinstance(value, Mapping) and "tasks" in value
    return TasksRequest.model_validate(value) if many else TaskRequest.model_validate(value)


Submission: TypeAlias = Annotated[TaskRequest | TasksRequest, WrapValidator(_one_or_many)]


class TasksAccepted(BaseModel):
    """The tasks as enqueued, in the order they came."""

    items: list[TaskOut]


@router.post(
    "/tasks",
    status_code=202,
    response_model=TaskOut | TasksAccepted,
    responses=problems.responses(*problems.COMMON, *problems.BODY, IdempotencyKeyReused)
    | {202: {"headers": {**_LOCATION, **idempotency.RESPONSE_HEADERS}}},
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
        return _json(_out(view), 202, {"Location": f"{router.prefix}/tasks/{view.id}"})
    for place, task in enumerate(body.tasks):
        agents.check_payload(task.agent_type, task.payload, pointer=f"/tasks/{place}")
    # The queue tells several tasks apart by their place; of one alone it does not know.
    alone = "/tasks/0" if len(body.tasks) == 1 else ""
    with _pointing(lambda pointer: alone + pointer):
        views = await store.enqueue(session, [task.task() for task in body.tasks])
    return _json(TasksAccepted(items=[_out(view) for view in views]), 202)


def _out(view: TaskView) -> TaskOut:
    return TaskOut.model_validate(view.model_dump())


class TaskListQuery(Strict):
    """Which tasks to list."""

    state: TaskState | None = None
    agent_type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = DEFAULT_PAGE_SIZE
    cursor: Annotated[str, Field(max_length=1000)] | None = None


@router.get(
    "/tasks",
    response_model=TaskList,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": _LINK}},
)
async def list_tasks(
    query: Annotated[TaskListQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List the agency's tasks, newest first."""
    scope = f"tasks:{claims.agency_id}:{query.state}:{query.agent_type}"
    before = None if query.cursor is None else _task_id(services.cursors.open(scope, query.cursor))
    async with services.database.session(claims) as session:
        views = await store.list_tasks(
            session,
            limit=query.limit + 1,
            state=query.state,
            agent_type=query.agent_type,
            before=before,
        )
    shown, more = views[: query.limit], len(views) > query.limit
    cursor = services.cursors.seal(scope, [str(shown[-1].id)]) if more else None
    headers: dict[str, str] = {}
    if cursor:
        following = request.url.include_query_params(cursor=cursor).query
        headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    page = TaskList(items=[_out(view) for view in shown], next_cursor=cursor)
    return _json(page, headers=headers)


def _task_id(key: Sequence[Any]) -> TaskId:
    try:
        return TaskId(UUID(str(key[0])))
    except (IndexError, ValueError):
        raise InvalidCursor from None


@router.get(
    "/tasks/{task_id}",
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
    """Read a task, or wait for its end."""
    async with services.database.session(claims) as session:
        view = await store.get(session, task_id)
        if wait_s > 0 and not view.state.is_terminal:
            await store.mark_awaited(session, view.id)
    return _json(_out(await _wait(services, claims, view, wait_s)))
