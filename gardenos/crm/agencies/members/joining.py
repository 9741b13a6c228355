"""`/v1/join` and `/v1/memberships`: what people do about agencies before a token names one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from gardenos.auth import invitations, store
from gardenos.auth.deps import UserDep
from gardenos.auth.invitations import Membership, OpenInvitation
from gardenos.core.errors import Forbidden, NotFound, Unauthenticated
from gardenos.core.page import CursorSigner
from gardenos.db.session import Role
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1", tags=["agency"], route_class=StrictRoute)

Token = Annotated[
    str, Path(min_length=1, max_length=500, description="What the link of the invitation ends in.")
]
_UNSIGNED = tuple(e for e in problems.COMMON if not issubclass(e, Unauthenticated | Forbidden))


class MembershipList(BaseModel):
    """The agencies one belongs to."""

    items: list[Membership]


class Entered(BaseModel):
    """Which agency the next access token names."""

    agency_id: UUID
    next_step: str = Field(default="Refresh your access token: the next one names this agency.")


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")


def _digest(signer: CursorSigner, token: str) -> bytes:
    digest = invitations.digest(signer, token)
    if digest is None:
        raise _unknown()
    return digest


def _unknown() -> NotFound:
    return NotFound(
        "There is no open invitation with this token: it was used, withdrawn, or has expired. "
        "Ask whoever invited you for a new one."
    )


@router.get(
    "/join/{token}",
    response_model=OpenInvitation,
    responses=problems.responses(*_UNSIGNED, NotFound),
)
async def get_open_invitation(token: Token, services: ServicesDep) -> Response:
    """Read who invites you, and as what. The token is all it takes."""
    digest = _digest(services.cursors, token)
    async with services.database.system(Role.AUTH) as session:
        found = await invitations.find(session, digest)
    if found is None:
        raise _unknown()
    return _json(found)


@router.post(
    "/join/{token}",
    response_model=Entered,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def accept_invitation(token: Token, services: ServicesDep, user_id: UserDep) -> Response:
    """Accept an invitation of the e-mail you are signed in with. It works once."""
    digest = _digest(services.cursors, token)
    async with services.database.system(Role.AUTH) as session:
        account = await store.find_user(session, user_id)
        found = await invitations.find(session, digest)
        if account is None or found is None:
            raise _unknown()
        if account.email != found.email:
            raise Forbidden(
                "The invitation is for another e-mail than the one you are signed in with. "
                "Sign in with that one, or sign up with it."
            )
        agency_id = await invitations.accept(session, digest, user_id, found.email)
    if agency_id is None:
        raise _unknown()
    return _json(Entered(agency_id=agency_id))


@router.get(
    "/memberships", response_model=MembershipList, responses=problems.responses(*problems.COMMON)
)
async def list_memberships(services: ServicesDep, user_id: UserDep) -> Response:
    """List the agencies that you belong to."""
    async with services.database.system(Role.AUTH) as session:
        found = await invitations.memberships(session, user_id)
    return _json(MembershipList(items=list(found)))


@router.post(
    "/memberships/{agency_id}/enter",
    response_model=Entered,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def enter_agency(agency_id: UUID, services: ServicesDep, user_id: UserDep) -> Response:
    """Act for another agency of yours, from your next access token on."""
    async with services.database.system(Role.AUTH) as session:
        if not await invitations.enter(session, user_id, agency_id):
            raise NotFound("You do not belong to this agency.")
    return _json(Entered(agency_id=agency_id))
