"""Webhooks and their deliveries, in the session of the owner or admin who asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from gardenos.core.errors import InvalidContent, NotFound, PreconditionFailed
from gardenos.core.page import CursorSigner
from gardenos.crm.webhooks.guard import Guard, UrlRefused
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
from gardenos.crm.webhooks.sending import new_secret
from gardenos.db import sql
from gardenos.db.session import TenantSession
from gardenos.orchestrator import store
from gardenos.orchestrator.task import NewTask
from gardenos.web import paging
from gardenos.web.paging import PageQuery

QUERIES = sql.load("gardenos.crm.webhooks")
AGENT_TYPE: Final = "webhook_delivery"
WAITS_S: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)
"""Between eight tries, over a good day: what Standard Webhooks recommends."""
RETRIES: Final = len(WAITS_S)
_PRIORITY = 4


async def check_url(guard: Guard, url: str) -> None:
    """Raise `InvalidContent` for a URL that is not sent to. Asks the names' servers."""
    try:
        await guard.address(guard.check(url))
    except UrlRefused as refused:
        raise InvalidContent(errors=[{"pointer": "/url", "detail": str(refused)}]) from None


async def create(session: TenantSession, new: NewWebhook) -> MadeWebhook:
    """Make a webhook; its secret is in the answer and shown nowhere else."""
    claims = session.claims
    claims.require_admin()
    secret = new_secret()
    row = await session.fetchrow(
        QUERIES["create_webhook"],
        claims.agency_id,
        new.url,
        new.description,
        new.entities,
        new.verbs,
        new.active,
        secret,
        claims.sub,
    )
    assert row is not None  # noqa: S101 an INSERT that returns
    return MadeWebhook.model_validate(dict(row) | {"secret": secret})


async def find(session: TenantSession, page: PageQuery, cursors: CursorSigner) -> WebhookPage:
    """Webhooks, newest first. Raises `InvalidCursor`."""
    session.claims.require_admin()
    scope = f"webhooks:{session.claims.agency_id}"
    before = paging.opened(cursors, scope, page.cursor)
    rows = await session.fetch(QUERIES["list_webhooks"], before, page.limit + 1)
    found = [WebhookOut.model_validate(dict(row)) for row in rows]
    items, cursor = paging.cut(found, page, cursors, scope)
    return WebhookPage(items=items, next_cursor=cursor)


async def get(session: TenantSession, webhook_id: UUID) -> WebhookOut:
    """A webhook. Raises `NotFound`."""
    session.claims.require_admin()
    row = await session.fetchrow(QUERIES["get_webhook"], webhook_id)
    if row is None:
        raise NotFound(f"There is no webhook {webhook_id} here.")
    return WebhookOut.model_validate(dict(row))


async def change(
    session: TenantSession,
    webhook_id: UUID,
    changes: WebhookChanges,
    versions: Sequence[int] | None,
) -> WebhookOut:
    """Change a webhook. Raises `NotFound`, `PreconditionFailed`."""
    session.claims.require_admin()
    row = await session.fetchrow(QUERIES["change_webhook"], webhook_id, changes.given(), versions)
    if row is None:
        await get(session, webhook_id)
        raise PreconditionFailed
    return WebhookOut.model_validate(dict(row))


async def delete(session: TenantSession, webhook_id: UUID, versions: Sequence[int] | None) -> None:
    """Delete a webhook with its deliveries. Raises `NotFound`, `PreconditionFailed`."""
    session.claims.require_admin()
    if not await session.fetchval(QUERIES["delete_webhook"], webhook_id, versions):
        await get(session, webhook_id)
        raise PreconditionFailed


async def rotate(session: TenantSession, webhook_id: UUID) -> MadeWebhook:
    """Give a webhook a new secret; the old one signs for a day more. Raises `NotFound`."""
    session.claims.require_admin()
    secret = new_secret()
    row = await session.fetchrow(QUERIES["rotate_secret"], webhook_id, secret)
    if row is None:
        raise NotFound(f"There is no webhook {webhook_id} here.")
    return MadeWebhook.model_validate(dict(row) | {"secret": secret})


async def deliveries(
    session: TenantSession, webhook_id: UUID, query: DeliveryQuery, cursors: CursorSigner
) -> DeliveryPage:
    """Deliveries of a webhook, newest first. Raises `NotFound`, `InvalidCursor`."""
    await get(session, webhook_id)
    scope = f"deliveries:{session.claims.agency_id}:{webhook_id}:{query.state}"
    before = paging.opened(cursors, scope, query.cursor)
    rows = await session.fetch(
        QUERIES["list_deliveries"], webhook_id, query.state, before, query.limit + 1
    )
    found = [Delivery.model_validate(dict(row)) for row in rows]
    items, cursor = paging.cut(found, query, cursors, scope)
    return DeliveryPage(items=items, next_cursor=cursor)


async def send_test(session: TenantSession, webhook_id: UUID) -> Delivery:
    """Send a delivery that is about no change: `webhook.test`. Raises `NotFound`."""
    await get(session, webhook_id)
    row = await session.fetchrow(
        QUERIES["create_delivery"],
        session.claims.agency_id,
        webhook_id,
        "webhook",
        str(webhook_id),
        "test",
    )
    assert row is not None  # noqa: S101 an INSERT that returns
    return await _enqueued(session, Delivery.model_validate(dict(row)))


async def replay(session: TenantSession, webhook_id: UUID, delivery_id: UUID) -> Delivery:
    """Try a delivery anew, under the id it had; one that is still tried stays as it is.

    Raises `NotFound`.
    """
    await get(session, webhook_id)
    row = await session.fetchrow(QUERIES["replay_delivery"], webhook_id, delivery_id)
    if row is not None:
        return await _enqueued(session, Delivery.model_validate(dict(row)))
    row = await session.fetchrow(QUERIES["get_delivery"], webhook_id, delivery_id)
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id} of this webhook.")
    return Delivery.model_validate(dict(row))


async def _enqueued(session: TenantSession, delivery: Delivery) -> Delivery:
    payload = {"delivery_id": str(delivery.id)}
    task = NewTask(AGENT_TYPE, payload, priority=_PRIORITY, max_retries=RETRIES)
    await store.enqueue(session, [task])
    return delivery
