"""`/v1/teams`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    Conflict,
    IdempotencyKeyReused,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from gardenos.crm.agencies.teams import service
from gardenos.crm.agencies.teams.models import NewTeam, Team, TeamChanges, TeamList
from gardenos.web import conditional, idempotency, problems
from gardenos.web.conditional import IfMatch, IfNoneMatch, OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/teams", tags=["agency"], route_class=StrictRoute)

_ETAG: dict[str, Any] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}
}
_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the record is.", "schema": {"type": "string"}}
}


def _record(team: Team, status: int = 200) -> Response:
    headers = {"ETag": conditional.etag(team.version)}
    if status == 201:  # noqa: PLR2004
        headers["Location"] = f"/v1/teams/{team.id}"
    return Response(team.model_dump_json(), status, headers, "application/json")


@router.get("", response_model=TeamList, responses=problems.responses(*problems.COMMON))
async def list_teams(services: ServicesDep, claims: ClaimsDep) -> Response:
    """List the teams of your agency and who is in them."""
    async with services.database.session(claims) as session:
        found = await service.find(session)
    return Response(found.model_dump_json(), media_type="application/json")


@router.post(
    "",
    status_code=201,
    response_model=Team,
    responses=problems.responses(*problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused)
    | {201: {"headers": {**_ETAG, **_LOCATION, **idempotency.RESPONSE_HEADERS}}},
)
async def create_team(
    new: NewTeam,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Make a team, as an owner or admin."""
    claims.require_admin()
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            return _record(await service.create(session, new), 201)

        return await idempotency.once(session, key, seen, effect)


@router.get(
    "/{team_id}",
    response_model=Team,
    responses=problems.responses(*problems.COMMON, NotFound)
    | {200: {"headers": _ETAG}, 304: {"description": "You hold the current version."}},
)
async def get_team(
    team_id: UUID, services: ServicesDep, claims: ClaimsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a team."""
    async with services.database.session(claims) as session:
        team = await service.get(session, team_id)
    return conditional.not_modified(if_none_match, team.version) or _record(team)


@router.patch(
    "/{team_id}",
    response_model=Team,
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
async def change_team(
    team_id: UUID,
    changes: TeamChanges,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: IfMatch,
) -> Response:
    """Rename a team or say anew who is in it, as an owner or admin."""
    claims.require_admin()
    versions = conditional.versions(if_match)
    async with services.database.session(claims) as session:
        return _record(await service.change(session, team_id, changes, versions))


@router.delete(
    "/{team_id}",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound, PreconditionFailed),
)
async def delete_team(
    team_id: UUID, services: ServicesDep, claims: ClaimsDep, if_match: OptionalIfMatch = None
) -> Response:
    """Remove a team, as an owner or admin; its members stay in the agency."""
    claims.require_admin()
    versions = conditional.optional_versions(if_match)
    async with services.database.session(claims) as session:
        await service.delete(session, team_id, versions)
    return Response(status_code=204)
