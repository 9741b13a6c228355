"""`/v1/members` and `/v1/invitations`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from gardenos.auth import invitations as tokens
from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    Conflict,
    IdempotencyKeyReused,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from gardenos.crm.agencies.members import service
from gardenos.crm.agencies.members.models import (
    InvitationList,
    IssuedInvitation,
    Member,
    MemberChanges,
    MemberList,
    NewInvitation,
)
from gardenos.web import conditional, idempotency, problems
from gardenos.web.conditional import IfMatch, IfNoneMatch, OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1", tags=["agency"], route_class=StrictRoute)

_ETAG: dict[str, Any] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}
}


def _json(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), status, headers, "application/json")


def _record(member: Member) -> Response:
    return _json(member, headers={"ETag": conditional.etag(member.version)})


@router.get("/members", response_model=MemberList, responses=problems.responses(*problems.COMMON))
async def list_members(services: ServicesDep, claims: ClaimsDep) -> Response:
    """List everybody who belongs to your agency, with role and teams."""
    async with services.database.session(claims) as session:
        return _json(await service.find(session))


@router.get(
    "/members/{user_id}",
    response_model=Member,
    responses=problems.responses(*problems.COMMON, NotFound)
    | {200: {"headers": _ETAG}, 304: {"description": "You hold the current version."}},
)
async def get_member(
    user_id: UUID, services: ServicesDep, claims: ClaimsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a member."""
    async with services.database.session(claims) as session:
        member = await service.get(session, user_id)
    return conditional.not_modified(if_none_match, member.version) or _record(member)


@router.patch(
    "/members/{user_id}",
    response_model=Member,
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
async def change_member(
    user_id: UUID,
    changes: MemberChanges,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: IfMatch,
) -> Response:
    """Give a member another role, as an owner or admin; owners are made and unmade by owners.

    It counts from the member's next access token on.
    """
    claims.require_admin()
    versions = conditional.versions(if_match)
    async with services.database.session(claims) as session:
        return _record(await service.change_role(session, user_id, changes.role, versions))


@router.delete(
    "/members/{user_id}",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound, Conflict, PreconditionFailed),
)
async def remove_member(
    user_id: UUID, services: ServicesDep, claims: ClaimsDep, if_match: OptionalIfMatch = None
) -> Response:
    """Remove a member, as an owner or admin. Their access token ends by itself, and no other follows."""
    claims.require_admin()
    versions = conditional.optional_versions(if_match)
    async with services.database.session(claims) as session:
        await service.remove(session, user_id, versions)
    return Response(status_code=204)


@router.get(
    "/invitations",
    response_model=InvitationList,
    responses=problems.responses(*problems.COMMON),
)
async def list_invitations(services: ServicesDep, claims: ClaimsDep) -> Response:
    """List who was invited, as an owner or admin; the newest first."""
    claims.require_admin()
    async with services.database.session(claims) as session:
        return _json(await service.invitations(session))


@router.post(
    "/invitations",
    status_code=201,
    response_model=IssuedInvitation,
    responses=problems.responses(*problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused)
    | {201: {"headers": dict(idempotency.RESPONSE_HEADERS)}},
)
async def create_invitation(
    new: NewInvitation,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Invite somebody, as an owner or admin. No mail is sent: give them the link.

    The link is in the first answer alone: repeated with its `Idempotency-Key`, the request is
    answered without one.
    """
    claims.require_admin()
    seen = idempotency.fingerprint(request, await request.body())
    token = tokens.new_token(services.cursors)
    digest = tokens.digest(services.cursors, token) or b""
    issued: list[IssuedInvitation] = []
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            made = await service.invite(session, new, digest)
            issued.append(IssuedInvitation(**made.model_dump(), link=None, token=None))
            # What is kept for repeated requests must not hold the token.
            return _json(issued[0], 201)

        answer = await idempotency.once(session, key, seen, effect)
    if issued:
        link = f"{services.settings.public_url.rstrip('/')}/v1/join/{token}"
        told = issued[0].model_copy(update={"link": link, "token": token})
        return _json(told, 201, {"Cache-Control": "no-store"})
    return answer


@router.delete(
    "/invitations/{invitation_id}",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def withdraw_invitation(
    invitation_id: UUID, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Take back an invitation that nobody has accepted, as an owner or admin."""
    claims.require_admin()
    async with services.database.session(claims) as session:
        await service.withdraw(session, invitation_id)
    return Response(status_code=204)
