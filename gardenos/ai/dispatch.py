"""`/ai/pauses`, `/ai/limits`: what is not dispatched, how much at most; and what operators did."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gardenos.ai.answers import (
    AGENT_TYPE,
    LINK,
    PAGE_SIZE,
    Cursor,
    PageSize,
    last_seen,
    listed,
)
from gardenos.ai.models import Strict
from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import InvalidCursor, InvalidRequest, NotFound
from gardenos.orchestrator.control import acting, limits, pauses
from gardenos.orchestrator.control.acting import reach
from gardenos.orchestrator.control.limits import Allowance
from gardenos.orchestrator.control.pauses import Target
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep
from gardenos.web.text import Clean

router = APIRouter(prefix="/ai", tags=["dispatch"], route_class=StrictRoute)

Positive: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Money: TypeAlias = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


async def _target(
    claims: ClaimsDep,
    agent_type: Annotated[
        str | None, Query(pattern=AGENT_TYPE, description="Only the work for this type of agent.")
    ] = None,
    agency_id: Annotated[
        UUID | None, Query(description="Another agency than yours; for operators.")
    ] = None,
    every_agency: Annotated[
        bool, Query(description="The agent type itself, for all agencies; for operators.")
    ] = False,
) -> Target:
    """What a request is about: your agency, unless it says otherwise."""
    target = Target(reach(claims, agency_id, every_agency=every_agency), agent_type)
    if every_agency and agent_type is None:
        raise InvalidRequest(
            "Every agency and every agent type would be everything there is. Name an agent_type.",
            errors=[{"pointer": "agent_type", "detail": "is missing"}],
        )
    return target


TargetDep: TypeAlias = Annotated[Target, Depends(_target)]

# -- pauses ----------------------------------------------------------------------------------


class PauseRequest(Strict):
    """Why it is paused."""

    reason: Annotated[Clean, Field(max_length=500)] = ""


class PauseOut(BaseModel):
    """Something that is not dispatched."""

    model_config = ConfigDict(extra="ignore")

    agency_id: UUID | None = Field(description="Null for a type of agent as a whole.")
    agent_type: str | None = Field(description="Null for all of an agency's work.")
    reason: str
    set_by: UUID | None
    set_at: datetime


class PauseList(BaseModel):
    """What is not dispatched."""

    items: list[PauseOut]


@router.get("/pauses", responses=problems.responses(*problems.COMMON))
async def list_pauses(services: ServicesDep, claims: ClaimsDep) -> PauseList:
    """List your agency's pauses; for an operator, every one."""
    async with services.database.session(claims) as session:
        found = await pauses.find(session)
    return PauseList(items=[PauseOut.model_validate(each.model_dump()) for each in found])


@router.put("/pauses", responses=problems.responses(*problems.COMMON, *problems.BODY, NotFound))
async def pause_dispatch(
    wanted: PauseRequest, target: TargetDep, services: ServicesDep, claims: ClaimsDep
) -> PauseOut:
    """Dispatch no more of your agency's work, all of it or one type's; what runs ends.

    An owner or admin does this for the agency, an operator for another one or for a type of agent.
    """
    async with services.database.session(claims) as session:
        paused = await pauses.pause(session, target, reason=wanted.reason)
    return PauseOut.model_validate(paused.model_dump())


@router.delete(
    "/pauses",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def resume_dispatch(target: TargetDep, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Dispatch it again."""
    async with services.database.session(claims) as session:
        await pauses.resume(session, target)
    return Response(status_code=204)


# -- limits ----------------------------------------------------------------------------------


class LimitRequest(Strict):
    """What is allowed; null, or left out, does not limit."""

    weight: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        default=1,
        description="The agency's share beside others inside a priority; for an agency as a whole.",
    )
    max_running: Positive | None = Field(default=None, description="Tasks at work at a time.")
    requests_per_minute: Positive | None = Field(
        default=None, description="Tasks begun in a minute."
    )
    tokens_per_minute: Positive | None = Field(
        default=None, description="Tokens of models, in and out, in a minute."
    )
    monthly_usd: Money | None = Field(
        default=None,
        description="US dollars that models may cost in a calendar month (UTC); for an agency as a "
        "whole.",
    )


class LimitOut(BaseModel):
    """A limit, and of whom."""

    model_config = ConfigDict(extra="ignore")

    agency_id: UUID | None = Field(description="Null for all agencies together.")
    agent_type: str | None = Field(description="Null for all of an agency's work.")
    weight: int
    max_running: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    monthly_usd: Decimal | None
    spent_usd: Decimal | None = Field(
        default=None, description="What models cost this month; null without a budget."
    )
    set_by: UUID | None
    set_at: datetime


class LimitList(BaseModel):
    """What is limited."""

    items: list[LimitOut]


@router.get("/limits", responses=problems.responses(*problems.COMMON))
async def list_limits(services: ServicesDep, claims: ClaimsDep) -> LimitList:
    """List your agency's limits and what of its budget is spent; for an operator, every one."""
    async with services.database.session(claims) as session:
        found = await limits.find(session)
    return LimitList(items=[LimitOut.model_validate(each.model_dump()) for each in found])


@router.put("/limits", responses=problems.responses(*problems.COMMON, *problems.BODY, NotFound))
async def put_limit(
    wanted: LimitRequest, target: TargetDep, services: ServicesDep, claims: ClaimsDep
) -> LimitOut:
    """Limit an agency, a type of agent, or one agency's work for one type. For operators.

    It takes the place of the limit that was there.
    """
    claims.require_operator()
    async with services.database.session(claims) as session:
        limit = await limits.put(session, target, Allowance.model_validate(wanted.model_dump()))
    return LimitOut.model_validate(limit.model_dump())


@router.delete(
    "/limits",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def lift_limit(target: TargetDep, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Limit it no more. For operators."""
    claims.require_operator()
    async with services.database.session(claims) as session:
        await limits.lift(session, target)
    return Response(status_code=204)


# -- what operators did ----------------------------------------------------------------------


class OperatorAction(BaseModel):
    """What an operator did; kept for good."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    at: datetime
    actor: UUID
    action: str
    target: str
    detail: dict[str, Any]


class OperatorActionList(BaseModel):
    """What operators did, newest first."""

    items: list[OperatorAction]
    next_cursor: str | None = None


class ActionQuery(Strict):
    """Which page of the list."""

    limit: PageSize = PAGE_SIZE
    cursor: Cursor | None = None


@router.get(
    "/operator-actions",
    response_model=OperatorActionList,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": LINK}},
)
async def list_operator_actions(
    query: Annotated[ActionQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List what operators did, newest first: sizes, pauses, limits, what they did to others' tasks."""
    claims.require_operator()
    scope = "operator-actions"
    before = last_seen(services.cursors, scope, query.cursor)
    async with services.database.session(claims) as session:
        found = await acting.find(session, limit=query.limit + 1, before=before)
    shown, more = found[: query.limit], len(found) > query.limit
    cursor = services.cursors.seal(scope, [str(shown[-1].id)]) if more else None
    items = [OperatorAction.model_validate(each.model_dump()) for each in shown]
    return listed(request, OperatorActionList(items=items, next_cursor=cursor), cursor)
