"""Pauses: of an agent type, of an agency, or of one agency's work for one type."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from pydantic import BaseModel, ConfigDict

from gardenos.core.errors import Forbidden, NotFound
from gardenos.core.ids import AgencyId
from gardenos.db.session import Session, TenantSession
from gardenos.orchestrator.control.acting import QUERIES, as_worker, reaching, record


@dataclass(frozen=True, slots=True)
class Target:
    """What is paused or limited: an agency, an agent type, or both; None stands for every one."""

    agency_id: AgencyId | None
    agent_type: str | None

    def __str__(self) -> str:
        """In words."""
        agency = f"agency {self.agency_id}" if self.agency_id else ""
        agents = f"agents {self.agent_type}" if self.agent_type else ""
        return " of ".join(filter(None, (agents, agency))) or "everything"

    def is_own(self, session: TenantSession) -> bool:
        """Whether it lies within the session's agency."""
        return self.agency_id == session.claims.agency_id


class Pause(BaseModel):
    """Something that is not dispatched."""

    model_config = ConfigDict(frozen=True)

    agency_id: UUID | None
    agent_type: str | None
    reason: str
    set_by: UUID | None
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Standstill:
    """What of an agency's work stands still."""

    wholly: bool
    """Whether all of it does."""
    types: frozenset[str]
    """The agent types of which it does, by whomever they were paused."""


@asynccontextmanager
async def _permitted(session: TenantSession, target: Target) -> AsyncGenerator[Session]:
    """The session to change a pause in. Raises `Forbidden` where these claims may not."""
    if target.is_own(session):
        session.claims.require_admin()
        await _leave_to_operators(session, target)
    async with reaching(session, target.agency_id) as acting:
        yield acting


async def _leave_to_operators(session: TenantSession, target: Target) -> None:
    """Raise `Forbidden` where somebody from outside the agency paused it, and this is none of them."""
    found = await session.fetchrow(QUERIES["find_pause"], target.agency_id, target.agent_type)
    if found and not found["by_a_member"] and not session.claims.operator:
        raise Forbidden("An operator of this installation paused this. Ask them to resume it.")


async def find(session: TenantSession) -> list[Pause]:
    """The pauses of the agency; for an operator, every one."""
    if session.claims.operator:
        async with as_worker(session) as worker:
            rows = await worker.fetch(QUERIES["list_pauses"])
    else:
        rows = await session.fetch(QUERIES["list_pauses"])
    return [Pause.model_validate(dict(row)) for row in rows]


async def pause(session: TenantSession, target: Target, *, reason: str) -> Pause:
    """Have no more of this dispatched; what runs ends. Pausing again changes the reason.

    An administrator pauses within their agency, an operator anything. Raises `Forbidden`,
    `NotFound` where there is no such agency.
    """
    async with _permitted(session, target) as acting:
        await acting.execute(QUERIES["lift_pause"], target.agency_id, target.agent_type)
        try:
            row = await acting.fetchrow(
                QUERIES["set_pause"],
                target.agency_id,
                target.agent_type,
                reason,
                session.claims.sub,
            )
        except asyncpg.ForeignKeyViolationError:
            raise NotFound(f"There is no agency {target.agency_id}.") from None
        if not target.is_own(session):
            await record(session, "pause", str(target), {"reason": reason})
    assert row is not None  # noqa: S101 an INSERT that returns
    return Pause.model_validate(dict(row))


async def resume(session: TenantSession, target: Target) -> None:
    """Have this dispatched again. Raises `Forbidden`, `NotFound` where it is not paused."""
    async with _permitted(session, target) as acting:
        lifted = await acting.fetchrow(QUERIES["lift_pause"], target.agency_id, target.agent_type)
        if lifted is None:
            raise NotFound(f"Nothing is paused there: {target}.")
        if not target.is_own(session):
            await record(session, "resume", str(target), {"reason": lifted["reason"]})


async def standstill(session: TenantSession) -> Standstill:
    """What of the agency's work is paused, also by operators; their reasons stay theirs."""
    async with as_worker(session) as worker:
        rows = await worker.fetch(QUERIES["find_pauses_of_agency"], session.claims.agency_id)
    wholly = any(row["own"] and row["agent_type"] is None for row in rows)
    return Standstill(wholly, frozenset(row["agent_type"] for row in rows if row["agent_type"]))
