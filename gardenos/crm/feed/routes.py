"""`/events`: what happens to the agency's records, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from gardenos.auth.deps import ClaimsDep
from gardenos.core.claims import Claims
from gardenos.core.errors import GardenOSError, InvalidCursor
from gardenos.crm.feed.changes import Change, Position, opened
from gardenos.crm.feed.hub import Hub, Missed
from gardenos.observability.events import StreamClosed, StreamOpened, observe
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

HUB = "hub"
"""The key of the `Hub` among the services' extras."""
LONGEST_STREAM_S = 600.0
"""Then a follower comes back with its last event's id, and with a token that is still good."""
HEARTBEAT_S = 15
SEND_WITHIN_S = 30.0
"""A client that takes nothing for so long is let go; it comes back where it was."""
PLACE_EVERY_S = 30.0
"""How often a follower is told where the feed is, although nothing in between was for it."""
MAX_ENTITIES = 50
_RETRY_MS = 2000
EVENTS = ("ready", "change", "resync")

router = APIRouter(tags=["events"], route_class=StrictRoute)
_DESCRIBED: dict[str, Any] = {
    "description": (
        "Server-sent events. `ready` says from where on they come, `change` that a record was "
        "created, updated, deleted, restored or purged, `resync` that what happened since "
        "`Last-Event-ID` cannot be told any more: read again what you show. No event holds a value."
    ),
    "content": {
        "text/event-stream": {
            "schema": {
                "title": "ChangeEvent",
                "type": "object",
                "required": ["event", "id", "data"],
                "properties": {
                    "event": {"type": "string", "enum": list(EVENTS)},
                    "id": {"type": "string", "description": "For `Last-Event-ID`."},
                    "retry": {"type": "integer", "description": "Milliseconds."},
                    "data": {
                        "type": "string",
                        "description": "Of a change its entity, id, verb and time; else `{}`.",
                        "contentMediaType": "application/json",
                    },
                },
            }
        }
    },
}


def hub(services: Services) -> Hub:
    """The hub of this process."""
    found: Hub = services.extras[HUB]
    return found


async def _place(services: ServicesDep, claims: ClaimsDep) -> AsyncGenerator[None]:
    with hub(services).place(claims.agency_id):
        observe(StreamOpened("/events"))
        try:
            yield
        finally:
            observe(StreamClosed("/events"))


def _entities(said: str | None) -> frozenset[str] | None:
    return None if said is None else frozenset(said.split(","))


@router.get(
    "/events",
    response_class=Response,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: _DESCRIBED},
    dependencies=[Depends(_place)],
)
async def follow_events(
    services: ServicesDep,
    claims: ClaimsDep,
    entities: Annotated[
        str | None,
        Query(
            pattern=r"^[a-z][a-z_]{0,39}(,[a-z][a-z_]{0,39}){0,49}$",
            description="Only changes of these kinds, as in `leads,deals`.",
        ),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=300,
            description="The id of the last event you had; you get what happened since.",
        ),
    ] = None,
    wait_s: Annotated[
        float,
        Query(
            ge=0,
            le=LONGEST_STREAM_S,
            allow_inf_nan=False,
            description="The stream ends after so many seconds.",
        ),
    ] = LONGEST_STREAM_S,
) -> Response:
    """Follow what happens to the records that you may read, by id. Read the records anew for values."""
    since = last_event_id and opened(services.cursors, claims.agency_id, last_event_id)
    stream = _Stream(services, claims, _entities(entities))
    return EventSourceResponse(
        stream.events(since or None, wait_s), ping=HEARTBEAT_S, sep="\n", send_timeout=SEND_WITHIN_S
    )


class _Stream:
    """One client's events. It holds no change: the hub does, for all."""

    __slots__ = ("_claims", "_entities", "_placed_at", "_services")

    def __init__(self, services: Services, claims: Claims, entities: frozenset[str] | None) -> None:
        self._services = services
        self._claims = claims
        self._entities = entities
        self._placed_at = time.monotonic()

    async def events(
        self, since: Position | None, wait_s: float
    ) -> AsyncGenerator[ServerSentEvent]:
        """The stream, from `since` on, or from now on, which its first event then says."""
        ends_at = asyncio.get_running_loop().time() + wait_s
        missed = True
        while missed:
            missed = False
            following = hub(self._services).follow(self._claims, since, ends_at=ends_at)
            try:
                async with aclosing(following) as groups:
                    async for position, group in groups:
                        if not group:
                            yield self._told(position, "ready")
                        async for event in self._of(group):
                            yield event
            except Missed as gap:
                missed, since = True, gap.position
                yield self._told(since, "resync")
            except GardenOSError:
                # The status is long sent. The follower comes back with the id it had last.
                return

    async def _of(self, group: list[Change]) -> AsyncGenerator[ServerSentEvent]:
        wanted = [e for e in group if self._entities is None or e.entity in self._entities]
        shown = await hub(self._services).readers.visible(self._claims, wanted)
        for change in shown:
            yield self._told(change.position, "change", change.json())
        passed = bool(group) and (not shown or shown[-1] is not group[-1])
        if passed and time.monotonic() - self._placed_at > PLACE_EVERY_S:
            self._placed_at = time.monotonic()
            yield ServerSentEvent(id=self._sealed(group[-1].position))

    def _told(self, position: Position, name: str, data: str = "{}") -> ServerSentEvent:
        self._placed_at = time.monotonic()
        return ServerSentEvent(data, event=name, id=self._sealed(position), retry=_RETRY_MS)

    def _sealed(self, position: Position) -> str:
        followed = hub(self._services)
        return followed.sealed(self._services.cursors, self._claims.agency_id, position)
