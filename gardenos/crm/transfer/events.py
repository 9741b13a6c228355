"""`/v1/imports/{import_id}/events`: an import's progress as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from gardenos.auth.deps import ClaimsDep
from gardenos.core.claims import Claims
from gardenos.core.errors import GardenOSError, NotFound
from gardenos.core.ids import ImportId
from gardenos.crm.feed.routes import HEARTBEAT_S, LONGEST_STREAM_S, SEND_WITHIN_S, hub
from gardenos.crm.transfer import service
from gardenos.crm.transfer.models import Import
from gardenos.observability.events import StreamClosed, StreamOpened, observe
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

_TEMPLATE: Final = "/v1/imports/{import_id}/events"
_EVERY_S: Final = 0.5
_RETRY_MS: Final = 2000
router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=StrictRoute)
_DESCRIBED: dict[str, Any] = {
    "description": (
        "Server-sent events: `progress` whenever the counts have changed, and `rested` as the last "
        "one, when the import does nothing more by itself. Comments in between keep the connection open."
    ),
    "content": {
        "text/event-stream": {
            "schema": {
                "title": "ImportEvent",
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "event": {"type": "string", "enum": ["progress", "rested"]},
                    "retry": {"type": "integer", "description": "Milliseconds."},
                    "data": {
                        "type": "string",
                        "description": "The import.",
                        "contentMediaType": "application/json",
                        "contentSchema": {"$ref": "#/components/schemas/Import"},
                    },
                },
            }
        }
    },
}


async def _place(services: ServicesDep, claims: ClaimsDep) -> AsyncGenerator[None]:
    """One of the streams this process has room for."""
    with hub(services).place(claims.agency_id):
        observe(StreamOpened(_TEMPLATE))
        try:
            yield
        finally:
            observe(StreamClosed(_TEMPLATE))


@router.get(
    "/{import_id}/events",
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound) | {200: _DESCRIBED},
    dependencies=[Depends(_place)],
)
async def follow_import(
    import_id: ImportId,
    services: ServicesDep,
    claims: ClaimsDep,
    wait_s: Annotated[
        float,
        Query(
            ge=0,
            le=LONGEST_STREAM_S,
            allow_inf_nan=False,
            description="The stream ends when the import rests, or after so many seconds.",
        ),
    ] = LONGEST_STREAM_S,
) -> Response:
    """Follow an import: how it stands now, and each change, until it does nothing more by itself."""
    first = await _read(services, claims, import_id)
    return EventSourceResponse(
        _events(services, claims, first, wait_s),
        ping=HEARTBEAT_S,
        sep="\n",
        send_timeout=SEND_WITHIN_S,
    )


async def _read(services: Services, claims: Claims, import_id: ImportId) -> Import:
    async with services.database.session(claims) as session:
        return await service.get(session, import_id)


async def _events(
    services: Services, claims: Claims, found: Import, wait_s: float
) -> AsyncGenerator[ServerSentEvent]:
    until = time.monotonic() + wait_s
    told: Import | None = None
    while True:
        if found != told:
            told = found
            name = "rested" if found.state.rests else "progress"
            yield ServerSentEvent(found.model_dump_json(), event=name, retry=_RETRY_MS)
        if found.state.rests or time.monotonic() >= until:
            return
        # One row by its key: cheaper than a notification for each chunk, which nobody may follow.
        await asyncio.sleep(_EVERY_S)
        try:
            found = await _read(services, claims, found.id)
        except GardenOSError:
            # The status is long sent. The follower comes back, and is told then what is wrong.
            return
