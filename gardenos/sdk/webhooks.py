"""`client.webhooks`: URLs that are told of changes, by Standard Webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Required, TypeAlias, TypedDict, Unpack
from uuid import UUID

from pydantic import SecretStr

from gardenos.sdk.base import Page, Result
from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, given, model, nothing, post, segment
from gardenos.sdk.records import Version, if_match, plain

ChangeVerb: TypeAlias = Literal["create", "update", "delete", "restore", "purge"]
_PATH = "/v1/webhooks"


class Webhook(Result):
    """Where is told of which changes; None: of all."""

    id: UUID
    url: str
    description: str | None
    entities: tuple[str, ...] | None
    verbs: tuple[str, ...] | None
    active: bool
    """False also once a receiver has answered 410."""
    old_secret_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class MadeWebhook(Webhook):
    """A webhook with its secret. No other answer holds it; it is not shown in a print of this one."""

    secret: SecretStr | None


class Delivery(Result):
    """How telling of one change went."""

    id: UUID
    entity: str
    record_id: str
    verb: str
    at: datetime
    state: Literal["pending", "delivered", "failed"]
    tries: int
    status: int | None
    took_ms: int | None
    answer: str | None
    error: str | None
    tried_at: datetime | None
    next_try_at: datetime | None
    created_at: datetime


class WebhookFields(TypedDict, total=False):
    """What a webhook has besides its URL."""

    description: str | None
    entities: Sequence[str] | None
    verbs: Sequence[ChangeVerb] | None
    active: bool


class NewWebhook(WebhookFields, total=False):
    """A webhook to store; the URL is https, and not of a private network."""

    url: Required[str]


class WebhookChanges(WebhookFields, total=False):
    """What may be changed."""

    url: str


WebhookRef: TypeAlias = Webhook | UUID | str


class Webhooks(Namespace[D]):
    """The agency's webhooks, for owners and admins."""

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewWebhook]
    ) -> Call[MadeWebhook]:
        """Have a URL told of changes."""
        return post(_PATH, model(MadeWebhook), json=plain(fields), idempotency_key=idempotency_key)

    @listing
    def list(self, *, page_size: int = 100) -> Call[Page[Webhook]]:
        """Webhooks, newest first, one by one."""
        return Call("GET", _PATH, model(Page[Webhook]), params={"limit": page_size})

    @endpoint
    def get(self, webhook: WebhookRef) -> Call[Webhook]:
        """Read a webhook. Raises `NotFound`."""
        return Call("GET", _path(webhook), model(Webhook))

    @endpoint
    def change(
        self,
        webhook: WebhookRef,
        *,
        version: Version | None = None,
        **changes: Unpack[WebhookChanges],
    ) -> Call[Webhook]:
        """Change a webhook as it was read, or switch it on again."""
        return Call(
            "PATCH",
            _path(webhook),
            model(Webhook),
            json=plain(changes),
            headers=if_match(webhook, version),
        )

    @endpoint
    def delete(self, webhook: WebhookRef, *, version: Version | None = None) -> Call[None]:
        """Delete a webhook with its log. With `version`, only that one."""
        return Call("DELETE", _path(webhook), nothing, headers=if_match(None, version))

    @endpoint
    def rotate_secret(
        self, webhook: WebhookRef, *, idempotency_key: str | None = None
    ) -> Call[MadeWebhook]:
        """Give a webhook a new secret. For a day the old one signs as well."""
        path = _path(webhook, "/rotate-secret")
        return post(path, model(MadeWebhook), idempotency_key=idempotency_key)

    @endpoint
    def test(self, webhook: WebhookRef, *, idempotency_key: str | None = None) -> Call[Delivery]:
        """Send a `webhook.test`; `deliveries` says whether it arrived."""
        return post(_path(webhook, "/test"), model(Delivery), idempotency_key=idempotency_key)

    @listing
    def deliveries(
        self,
        webhook: WebhookRef,
        *,
        state: Literal["pending", "delivered", "failed"] | None = None,
        page_size: int = 100,
    ) -> Call[Page[Delivery]]:
        """What a webhook was told of and how that went, newest first; kept for thirty days."""
        params = given(limit=page_size, state=state)
        return Call("GET", _path(webhook, "/deliveries"), model(Page[Delivery]), params=params)

    @endpoint
    def replay(
        self,
        webhook: WebhookRef,
        delivery: Delivery | UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> Call[Delivery]:
        """Deliver again what was delivered or given up."""
        named = delivery.id if isinstance(delivery, Delivery) else delivery
        path = _path(webhook, f"/deliveries/{segment(named)}/replay")
        return post(path, model(Delivery), idempotency_key=idempotency_key)


def _path(webhook: WebhookRef, of_it: str = "") -> str:
    return f"{_PATH}/{segment(webhook.id if isinstance(webhook, Webhook) else webhook)}{of_it}"
