"""`/v1/privacy`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import Erased as ErasedAnswer
from gardenos.core.errors import IdempotencyKeyReused
from gardenos.crm.attachments import service as attachments
from gardenos.crm.attachments.store import Bytes, Place, StorageUnavailable, opened
from gardenos.crm.privacy import service
from gardenos.crm.privacy.models import Address, Erased, Person, Who
from gardenos.web import idempotency, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

_log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1/privacy", tags=["privacy"], route_class=StrictRoute)

_ZIP: dict[str, Any] = {
    "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    "description": "One JSON file for each table, and the attached files.",
}


@router.get("/persons", response_model=Person, responses=problems.responses(*problems.COMMON))
async def find_person(
    email: Annotated[Address, Query(description="In any capitals.")],
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """Find a person in all leads and contacts, as an owner or admin."""
    claims.require_admin()
    async with services.database.session(claims) as session:
        person = await service.find(session, Who(email=email))
    return Response(person.model_dump_json(), media_type="application/json")


@router.post(
    "/export",
    response_class=StreamingResponse,
    responses=problems.responses(*problems.COMMON, *problems.BODY) | {200: _ZIP},
)
async def export_person(who: Who, services: ServicesDep, claims: ClaimsDep) -> StreamingResponse:
    """Hand over everything that is stored about a person as a ZIP, as an owner or admin."""
    claims.require_admin()
    stack = AsyncExitStack()
    async with stack:
        session = await stack.enter_async_context(services.database.session(claims))
        pieces = service.export(session, who, services.clock.now(), partial(_files, services))
        # Asked for here: what can be refused is refused before there is an answer.
        first = await anext(pieces)
        kept_open = stack.pop_all()

    async def sent() -> AsyncGenerator[bytes]:
        async with kept_open:
            yield first
            async for piece in pieces:
                yield piece

    headers = {
        "Content-Disposition": 'attachment; filename="person.zip"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(sent(), media_type="application/zip", headers=headers)


@router.post(
    "/erase",
    response_model=Erased,
    responses=problems.responses(
        *problems.COMMON, *problems.BODY, IdempotencyKeyReused, ErasedAnswer
    )
    | {200: {"headers": dict(idempotency.RESPONSE_HEADERS)}},
)
async def erase_person(
    who: Who,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Erase a person, as an owner or admin. There is no way back; done twice, it is done once."""
    claims.require_admin()
    seen = idempotency.fingerprint(request, await request.body())
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            done = await service.erase(session, who)
            return Response(done.model_dump_json(), media_type="application/json")

        answer = await idempotency.once(session, key, seen, effect)
    try:
        await attachments.remove_erased(services.database, _files(services))
    except StorageUnavailable as error:
        # They are noted; the sweeper removes them once their place answers.
        _log.warning("erased_files_left", detail=error.detail)
    return answer


def _files(services: Services) -> Bytes:
    return opened(Place.of(services.settings))
