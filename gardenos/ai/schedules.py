"""`/ai/schedules`: tasks that recur."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gardenos.ai import agents
from gardenos.ai.answers import (
    LINK,
    PAGE_SIZE,
    AgentTypeName,
    Cursor,
    PageSize,
    json,
    last_seen,
    listed,
)
from gardenos.ai.models import Priority, Retries, Strict, storable_json
from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidCursor,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from gardenos.orchestrator.control import schedules
from gardenos.orchestrator.control.schedules import Schedule
from gardenos.web import conditional, idempotency, problems
from gardenos.web.conditional import IfMatch, OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep
from gardenos.web.text import NotBlank

PATH = "/ai/schedules"
router = APIRouter(prefix=PATH, tags=["schedules"], route_class=StrictRoute)
_SHOWN_RUNS = 5
_ETAG: dict[str, Any] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}
}
_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the schedule is.", "schema": {"type": "string"}}
}

Name = Annotated[NotBlank, Field(max_length=200)]
Cron = Annotated[
    NotBlank,
    Field(
        max_length=200,
        description="Five fields: minute, hour, day of month, month, day of week.",
        examples=["0 7 * * mon-fri"],
    ),
]
TimeZone = Annotated[
    NotBlank, Field(max_length=100, description="As in Europe/Berlin.", examples=["Europe/Berlin"])
]
Payload = Annotated[dict[str, Any], BeforeValidator(storable_json)]


class NewSchedule(Strict):
    """A task to enqueue again and again."""

    name: Name
    agent_type: AgentTypeName
    payload: Payload = Field(default_factory=dict[str, Any])
    priority: Priority = 5
    max_retries: Retries = 3
    cron: Cron
    time_zone: TimeZone = "UTC"
    enabled: Annotated[bool, Field(strict=True)] = True


def _without_defaults(schema: dict[str, Any]) -> None:
    """A field that is not sent stays as it is: the defaults below are none for a reader."""
    for described in schema["properties"].values():
        described.pop("default", None)


class ScheduleChanges(Strict):
    """What to change; what is not sent stays."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: Name = Field(default="")
    agent_type: AgentTypeName = Field(default="")
    payload: Payload = Field(default_factory=dict[str, Any])
    priority: Priority = 5
    max_retries: Retries = 3
    cron: Cron = Field(default="")
    time_zone: TimeZone = Field(default="")
    enabled: Annotated[bool, Field(strict=True)] = True

    def given(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class ScheduleOut(BaseModel):
    """A task that recurs."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    name: str
    agent_type: str
    payload: dict[str, Any]
    priority: int
    max_retries: int
    cron: str
    time_zone: str
    enabled: bool
    next_runs: list[datetime] = Field(
        description="The next five times; none while it is switched off."
    )
    last_run_at: datetime | None
    last_task_id: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime


class ScheduleList(BaseModel):
    """Some schedules, newest first."""

    items: list[ScheduleOut]
    next_cursor: str | None = None


class ScheduleQuery(Strict):
    """Which page of the list."""

    limit: PageSize = PAGE_SIZE
    cursor: Cursor | None = None


def _out(schedule: Schedule) -> ScheduleOut:
    runs = schedule.next_runs(_SHOWN_RUNS)
    return ScheduleOut.model_validate(schedule.model_dump() | {"next_runs": runs})


def _record(schedule: Schedule, status: int = 200) -> Response:
    headers = {"ETag": conditional.etag(schedule.version)}
    if status == 201:  # noqa: PLR2004
        headers["Location"] = f"{PATH}/{schedule.id}"
    return json(_out(schedule), status, headers)


@router.post(
    "",
    status_code=201,
    response_model=ScheduleOut,
    responses=problems.responses(*problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused)
    | {201: {"headers": {**_ETAG, **_LOCATION, **idempotency.RESPONSE_HEADERS}}},
)
async def create_schedule(
    new: NewSchedule,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Have a task enqueued at every time that a cron line names, in a time zone."""
    claims.require_writer()
    agents.check_payload(new.agent_type, new.payload)
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            now = services.clock.now()
            return _record(await schedules.create(session, new.model_dump(), now=now), 201)

        return await idempotency.once(session, key, seen, effect)


@router.get(
    "",
    response_model=ScheduleList,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": LINK}},
)
async def list_schedules(
    query: Annotated[ScheduleQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List the agency's schedules, newest first."""
    scope = f"schedules:{claims.agency_id}"
    before = last_seen(services.cursors, scope, query.cursor)
    async with services.database.session(claims) as session:
        found = await schedules.find(session, limit=query.limit + 1, before=before)
    shown, more = found[: query.limit], len(found) > query.limit
    cursor = services.cursors.seal(scope, [str(shown[-1].id)]) if more else None
    page = ScheduleList(items=[_out(each) for each in shown], next_cursor=cursor)
    return listed(request, page, cursor)


@router.get(
    "/{schedule_id}",
    response_model=ScheduleOut,
    responses=problems.responses(*problems.COMMON, NotFound) | {200: {"headers": _ETAG}},
)
async def read_schedule(schedule_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Read a schedule, and when it fires next; its version rises with changes, not as it fires."""
    async with services.database.session(claims) as session:
        return _record(await schedules.get(session, schedule_id))


@router.patch(
    "/{schedule_id}",
    response_model=ScheduleOut,
    responses=problems.responses(
        *problems.COMMON,
        *problems.BODY,
        NotFound,
        Conflict,
        PreconditionFailed,
        PreconditionRequired,
    )
    | {200: {"headers": _ETAG}},
)
async def change_schedule(
    schedule_id: UUID,
    changes: ScheduleChanges,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: IfMatch,
) -> Response:
    """Change a schedule, or switch it off and on; a new time counts from now."""
    versions = conditional.versions(if_match)
    async with services.database.session(claims) as session:
        held = await schedules.hold(session, schedule_id, versions)
        fields = held.model_dump(include=set(NewSchedule.model_fields)) | changes.given()
        agents.check_payload(fields["agent_type"], fields["payload"])
        now = services.clock.now()
        return _record(await schedules.change(session, held, fields, now=now))


@router.delete(
    "/{schedule_id}",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound, PreconditionFailed),
)
async def delete_schedule(
    schedule_id: UUID, services: ServicesDep, claims: ClaimsDep, if_match: OptionalIfMatch = None
) -> Response:
    """Delete a schedule. Tasks it has made stay."""
    versions = conditional.optional_versions(if_match)
    async with services.database.session(claims) as session:
        await schedules.delete(session, schedule_id, versions)
    return Response(status_code=204)
