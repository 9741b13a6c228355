"""What those who run an agency may do with its teams; everybody sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from gardenos.core.errors import Conflict, InvalidContent, NotFound, PreconditionFailed
from gardenos.crm.agencies.teams.models import NewTeam, Team, TeamChanges, TeamList
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.agencies.teams")


def _taken(name: str | None) -> Conflict:
    return Conflict(
        f"Another team is called {name!r}.", errors=[{"pointer": "/name", "detail": "is taken"}]
    )


async def find(session: TenantSession) -> TeamList:
    """All teams."""
    rows = await session.fetch(QUERIES["list_teams"])
    return TeamList(items=[Team.model_validate(dict(row)) for row in rows])


async def get(session: TenantSession, team_id: UUID) -> Team:
    """A team. Raises `NotFound`."""
    row = await session.fetchrow(QUERIES["get_team"], team_id)
    if row is None:
        raise NotFound(f"There is no team {team_id} here.")
    return Team.model_validate(dict(row))


async def create(session: TenantSession, new: NewTeam) -> Team:
    """Make a team. Raises `Conflict` where its name is taken, `InvalidContent` for no member."""
    session.claims.require_admin()
    team_id = await session.fetchval(QUERIES["create_team"], session.claims.agency_id, new.name)
    if team_id is None:
        raise _taken(new.name)
    await _set_members(session, team_id, new.members)
    return await get(session, team_id)


async def change(
    session: TenantSession, team_id: UUID, changes: TeamChanges, versions: Sequence[int] | None
) -> Team:
    """Rename a team at one of `versions` (None: any), or say anew who is in it.

    Raises `Conflict` where the name is taken, `InvalidContent` for no member, `NotFound`,
    `PreconditionFailed`.
    """
    session.claims.require_admin()
    try:
        found = await session.fetchval(QUERIES["touch_team"], team_id, changes.name, versions)
    except asyncpg.UniqueViolationError:
        raise _taken(changes.name) from None
    if found is None:
        await get(session, team_id)
        raise PreconditionFailed
    if changes.members is not None:
        await _set_members(session, team_id, changes.members)
    return await get(session, team_id)


async def delete(session: TenantSession, team_id: UUID, versions: Sequence[int] | None) -> None:
    """Remove a team; its members stay in the agency. Raises `NotFound`, `PreconditionFailed`."""
    session.claims.require_admin()
    if await session.execute(QUERIES["delete_team"], team_id, versions) != "DELETE 1":
        await get(session, team_id)
        raise PreconditionFailed


async def _set_members(session: TenantSession, team_id: UUID, members: Sequence[UUID]) -> None:
    await session.execute(QUERIES["drop_members"], team_id, list(members))
    try:
        await session.execute(
            QUERIES["add_members"], session.claims.agency_id, team_id, list(members)
        )
    except asyncpg.ForeignKeyViolationError:
        detail = "holds somebody who is no member of the agency"
        raise InvalidContent(errors=[{"pointer": "/members", "detail": detail}]) from None
