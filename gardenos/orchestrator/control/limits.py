"""Limits: how much of the agents an agency gets, or all agencies together take of a type."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
from pydantic import BaseModel, ConfigDict

from gardenos.core.errors import InvalidContent, NotFound
from gardenos.db.session import TenantSession
from gardenos.orchestrator.control.acting import QUERIES, as_worker, record
from gardenos.orchestrator.control.pauses import Target


class Allowance(BaseModel):
    """What is allowed; None does not limit."""

    model_config = ConfigDict(frozen=True)

    weight: int = 1
    max_running: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    monthly_usd: Decimal | None = None


class Limit(Allowance):
    """An allowance, and of whom."""

    agency_id: UUID | None
    agent_type: str | None
    set_by: UUID | None
    set_at: datetime
    spent_usd: Decimal | None = None
    """What models cost the agency this month (UTC); None where there is no budget."""


async def find(session: TenantSession) -> list[Limit]:
    """The limits of the agency; for an operator, every one."""
    if session.claims.operator:
        async with as_worker(session) as worker:
            rows = await worker.fetch(QUERIES["list_limits"])
    else:
        rows = await session.fetch(QUERIES["list_limits"])
    return [Limit.model_validate(dict(row)) for row in rows]


async def put(session: TenantSession, target: Target, allowed: Allowance) -> Limit:
    """Limit this, in place of the limit before.

    Raises `Forbidden` unless an operator asks, `InvalidContent` for what belongs to an agency as a
    whole, `NotFound` where there is no such agency.
    """
    session.claims.require_operator()
    _check(target, allowed)
    async with as_worker(session) as worker:
        try:
            row = await worker.fetchrow(
                QUERIES["set_limit"],
                target.agency_id,
                target.agent_type,
                *allowed.model_dump().values(),
                session.claims.sub,
            )
        except asyncpg.ForeignKeyViolationError:
            raise NotFound(f"There is no agency {target.agency_id}.") from None
        await record(session, "limit", str(target), allowed.model_dump(mode="json"))
    assert row is not None  # noqa: S101 an INSERT that returns
    return Limit.model_validate(dict(row))


async def lift(session: TenantSession, target: Target) -> None:
    """Limit this no more. Raises `Forbidden` unless an operator asks, `NotFound`."""
    session.claims.require_operator()
    async with as_worker(session) as worker:
        if (
            await worker.fetchval(QUERIES["lift_limit"], target.agency_id, target.agent_type)
            is None
        ):
            raise NotFound(f"Nothing is limited there: {target}.")
        await record(session, "unlimit", str(target))


def _check(target: Target, allowed: Allowance) -> None:
    whole_agency = target.agency_id is not None and target.agent_type is None
    misplaced = {"weight": allowed.weight != 1, "monthly_usd": allowed.monthly_usd is not None}
    faults = [name for name, is_set in misplaced.items() if is_set and not whole_agency]
    if faults:
        raise InvalidContent(
            "An agency has one weight and one budget, for all of its work. Set them without "
            "agent_type.",
            errors=[{"pointer": f"/{n}", "detail": "is for an agency as a whole"} for n in faults],
        )
