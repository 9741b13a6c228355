"""`/v1/api-keys`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gardenos.auth.api_keys import service
from gardenos.auth.api_keys.models import ApiKey, ApiKeyPage, MadeApiKey, NewApiKey
from gardenos.auth.api_keys.verifier import KEPT_S, BearerVerifier
from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import IdempotencyKeyReused, InvalidCursor, NotFound
from gardenos.web import idempotency, paging, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.paging import PageQuery
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/api-keys", tags=["api-keys"], route_class=StrictRoute)
_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the key is.", "schema": {"type": "string"}}
}


@router.post(
    "",
    status_code=201,
    response_model=MadeApiKey,
    responses=problems.responses(*problems.COMMON, *problems.BODY, IdempotencyKeyReused)
    | {201: {"headers": {**_LOCATION, **idempotency.RESPONSE_HEADERS}}},
)
async def create_api_key(
    new: NewApiKey,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Make a key that acts for you, within a role and scopes. It is shown this once.

    A repeated request with the same `Idempotency-Key` is answered without the key: nothing keeps it.
    """
    seen = idempotency.fingerprint(request, await request.body())
    made: list[MadeApiKey] = []
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            made.append(await service.create(session, new, services.clock))
            return _answer(made[0].model_copy(update={"key": None}))

        response = await idempotency.once(session, key, seen, effect)
    return _answer(made[0]) if made else response


def _answer(key: MadeApiKey) -> Response:
    headers = {"Location": f"/v1/api-keys/{key.id}", "Cache-Control": "no-store"}
    return Response(key.model_dump_json(), 201, headers, "application/json")


@router.get(
    "",
    response_model=ApiKeyPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": paging.LINK}},
)
async def list_api_keys(
    page: Annotated[PageQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List your keys, newest first, revoked ones too; an owner or admin sees everybody's."""
    async with services.database.session(claims) as session:
        found = await service.find(session, page, services.cursors)
    return paging.listed(request, found, found.next_cursor)


@router.get("/{key_id}", responses=problems.responses(*problems.COMMON, NotFound))
async def get_api_key(key_id: UUID, services: ServicesDep, claims: ClaimsDep) -> ApiKey:
    """Read a key: what it may do, and when it was last used."""
    async with services.database.session(claims) as session:
        return await service.get(session, key_id)


@router.delete(
    "/{key_id}",
    status_code=204,
    response_class=Response,
    description=(
        "Revoke a key for good, your own or, as an owner or admin, anybody's. "
        f"Every gateway refuses it within {KEPT_S:g} seconds."
    ),
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def revoke_api_key(key_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Revoke a key for good."""
    async with services.database.session(claims) as session:
        await service.revoke(session, key_id)
    if isinstance(services.verifier, BearerVerifier):
        services.verifier.keys.forget(key_id)
    return Response(status_code=204)
