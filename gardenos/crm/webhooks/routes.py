"""`/v1/webhooks`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    IdempotencyKeyReused,
    InvalidCursor,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from gardenos.crm.webhooks import service
from gardenos.crm.webhooks.guard import Guard
from gardenos.crm.webhooks.models import (
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    MadeWebhook,
    NewWebhook,
    WebhookChanges,
    WebhookOut,
    WebhookPage,
)
from gardenos.web import conditional, idempotency, paging, problems
from gardenos.web.conditional import IfMatch, IfNoneMatch, OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.paging import PageQuery
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=StrictRoute)
_ETAG: dict[str, Any] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}
}
_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the webhook is.", "schema": {"type": "string"}}
}
_REPLAYED = {"headers": {**idempotency.RESPONSE_HEADERS}}


def _record(webhook: WebhookOut, status: int = 200) -> Response:
    headers = {"ETag": conditional.etag(webhook.version)}
    if isinstance(webhook, MadeWebhook):
        headers |= {"Location": f"/v1/webhooks/{webhook.id}", "Cache-Control": "no-store"}
    return Response(webhook.model_dump_json(), status, headers, "application/json")


@router.post(
    "",
    status_code=201,
    response_model=MadeWebhook,
    responses=problems.responses(*problems.COMMON, *problems.BODY, IdempotencyKeyReused)
    | {201: {"headers": {**_ETAG, **_LOCATION, **idempotency.RESPONSE_HEADERS}}},
)
async def create_webhook(
    new: NewWebhook,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Have a URL told of changes. The secret that signs what is sent is shown this once."""
    claims.require_admin()
    await service.check_url(Guard.of(services.settings), new.url)
    seen = idempotency.fingerprint(request, await request.body())
    made: list[MadeWebhook] = []
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            made.append(await service.create(session, new))
            return _record(made[0].model_copy(update={"secret": None}), 201)

        response = await idempotency.once(session, key, seen, effect)
    return _record(made[0], 201) if made else response


@router.get(
    "",
    response_model=WebhookPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": paging.LINK}},
)
async def list_webhooks(
    page: Annotated[PageQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List the agency's webhooks, newest first."""
    async with services.database.session(claims) as session:
        found = await service.find(session, page, services.cursors)
    return paging.listed(request, found, found.next_cursor)


@router.get(
    "/{webhook_id}",
    response_model=WebhookOut,
    responses=problems.responses(*problems.COMMON, NotFound)
    | {200: {"headers": _ETAG}, 304: {"description": "You hold the current version."}},
)
async def get_webhook(
    webhook_id: UUID, services: ServicesDep, claims: ClaimsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a webhook."""
    async with services.database.session(claims) as session:
        found = await service.get(session, webhook_id)
    return conditional.not_modified(if_none_match, found.version) or _record(found)


@router.patch(
    "/{webhook_id}",
    response_model=WebhookOut,
    responses=problems.responses(
        *problems.COMMON, *problems.BODY, NotFound, PreconditionFailed, PreconditionRequired
    )
    | {200: {"headers": _ETAG}},
)
async def change_webhook(
    webhook_id: UUID,
    changes: WebhookChanges,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: IfMatch,
) -> Response:
    """Change a webhook, or switch it on again: fields sent replace the stored ones."""
    claims.require_admin()
    versions = conditional.versions(if_match)
    if "url" in changes.model_fields_set:
        await service.check_url(Guard.of(services.settings), changes.url)
    async with services.database.session(claims) as session:
        return _record(await service.change(session, webhook_id, changes, versions))


@router.delete(
    "/{webhook_id}",
    status_code=204,
    response_class=Response,
    responses=problems.responses(*problems.COMMON, NotFound, PreconditionFailed),
)
async def delete_webhook(
    webhook_id: UUID, services: ServicesDep, claims: ClaimsDep, if_match: OptionalIfMatch = None
) -> Response:
    """Delete a webhook with its log. What was to be delivered to it is not."""
    versions = conditional.optional_versions(if_match)
    async with services.database.session(claims) as session:
        await service.delete(session, webhook_id, versions)
    return Response(status_code=204)


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=MadeWebhook,
    responses=problems.responses(*problems.COMMON, NotFound, IdempotencyKeyReused)
    | {200: {"headers": {**_ETAG, **idempotency.RESPONSE_HEADERS}}},
)
async def rotate_webhook_secret(
    webhook_id: UUID,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Give a webhook a new secret, shown this once. For a day the old one signs as well."""
    made: list[MadeWebhook] = []
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            made.append(await service.rotate(session, webhook_id))
            return _record(made[0].model_copy(update={"secret": None}))

        response = await idempotency.once(session, key, idempotency.fingerprint(request), effect)
    return _record(made[0]) if made else response


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    response_model=Delivery,
    responses=problems.responses(*problems.COMMON, NotFound, IdempotencyKeyReused)
    | {202: _REPLAYED},
)
async def send_test_to_webhook(
    webhook_id: UUID,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Send a `webhook.test`, that you may see whether it arrives: its delivery says it."""
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            made = await service.send_test(session, webhook_id)
            return Response(made.model_dump_json(), 202, media_type="application/json")

        return await idempotency.once(session, key, idempotency.fingerprint(request), effect)


@router.get(
    "/{webhook_id}/deliveries",
    response_model=DeliveryPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
    | {200: {"headers": paging.LINK}},
)
async def list_webhook_deliveries(
    webhook_id: UUID,
    query: Annotated[DeliveryQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List what a webhook was told of and how that went, newest first; kept for thirty days."""
    async with services.database.session(claims) as session:
        found = await service.deliveries(session, webhook_id, query, services.cursors)
    return paging.listed(request, found, found.next_cursor)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=Delivery,
    responses=problems.responses(*problems.COMMON, NotFound, IdempotencyKeyReused)
    | {202: _REPLAYED},
)
async def replay_webhook_delivery(
    webhook_id: UUID,
    delivery_id: UUID,
    *,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Deliver again what was delivered or given up, under the same `webhook-id`."""
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            again = await service.replay(session, webhook_id, delivery_id)
            return Response(again.model_dump_json(), 202, media_type="application/json")

        return await idempotency.once(session, key, idempotency.fingerprint(request), effect)
