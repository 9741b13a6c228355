"""In which role somebody acts, on whose rows, and the record of what operators did."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from gardenos.core.claims import Claims
from gardenos.core.errors import InvalidRequest
from gardenos.core.ids import AgencyId
from gardenos.db import sql
from gardenos.db.session import Role, Session, TenantSession

QUERIES: Final = sql.load("gardenos.orchestrator.control")
MAX_TARGET_CHARS = 200


class Action(BaseModel):
    """What an operator did."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    at: datetime
    actor: UUID
    action: str
    target: str
    detail: dict[str, Any]


def reach(claims: Claims, agency_id: UUID | None, *, every_agency: bool) -> AgencyId | None:
    """The agency an act is about: one's own unless another is named; None for every one.

    Raises `Forbidden` where that takes an operator and this is none.
    """
    if every_agency and agency_id is not None:
        raise InvalidRequest(
            "Name an agency, or ask for every one.",
            errors=[{"pointer": "every_agency", "detail": "contradicts agency_id"}],
        )
    if every_agency:
        claims.require_operator()
        return None
    if agency_id is None or agency_id == claims.agency_id:
        return claims.agency_id
    claims.require_operator()
    return AgencyId(agency_id)


@asynccontextmanager
async def as_worker(session: TenantSession) -> AsyncGenerator[Session]:
    """The same transaction in the orchestrator's role, which no agency bounds.

    Whoever opens it has checked that these claims may do what follows. A failure inside ends the
    transaction, as everywhere, so there is no way back to the member's role but a good one.
    """
    await session.execute(QUERIES["take_role"], Role.WORKER.value)
    yield session
    await session.execute(QUERIES["take_role"], Role.AUTHENTICATED.value)


@asynccontextmanager
async def reaching(session: TenantSession, agency_id: AgencyId | None) -> AsyncGenerator[Session]:
    """The session as it is for one's own agency; in the orchestrator's role for others.

    Raises `Forbidden` where that takes an operator.
    """
    if agency_id == session.claims.agency_id:
        yield session
        return
    session.claims.require_operator()
    async with as_worker(session) as worker:
        yield worker


async def record(
    session: TenantSession, action: str, target: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Write down what an operator does, in the transaction that does it and in the worker's role."""
    await session.execute(
        QUERIES["record_action"],
        session.claims.sub,
        action,
        target[:MAX_TARGET_CHARS],
        dict(detail or {}),
    )


async def find(session: TenantSession, *, limit: int, before: UUID | None) -> list[Action]:
    """What operators did, newest first. Raises `Forbidden` for everybody else."""
    session.claims.require_operator()
    async with as_worker(session) as worker:
        rows = await worker.fetch(QUERIES["list_actions"], before, limit)
    return [Action.model_validate(dict(row)) for row in rows]
