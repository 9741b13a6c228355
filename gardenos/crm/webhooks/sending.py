"""One try to deliver: signed by Standard Webhooks, within ten seconds, no redirect followed."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

import httpx
from standardwebhooks import Webhook

from gardenos.core.clock import Clock
from gardenos.crm.webhooks.guard import Guard, GuardedTransport, UrlRefused

WITHIN_S: Final = 10.0
KEPT_BYTES: Final = 1024
"""So much of an answer is read and kept; the rest is not."""
GONE: Final = 410
_LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Message:
    """What is delivered, and to where."""

    delivery_id: UUID
    webhook_id: UUID
    url: str
    secrets: Sequence[str]
    """The webhook's, and for a while the one before."""
    entity: str
    record_id: str
    verb: str
    at: datetime

    @property
    def id(self) -> str:
        """The same at every try and replay, so that a receiver can tell."""
        return f"msg_{self.delivery_id.hex}"

    def body(self) -> str:
        """What is sent: which record, and what happened to it."""
        data = {"entity": self.entity, "id": self.record_id, "verb": self.verb}
        said: dict[str, Any] = {
            "type": f"{self.entity}.{self.verb}",
            "timestamp": self.at.isoformat(),
            "data": data,
        }
        return json.dumps(said, separators=(",", ":"))

    def headers(self, now: datetime) -> dict[str, str]:
        """The three headers of Standard Webhooks, signed for `now`."""
        body = self.body()
        signed = [Webhook(secret).sign(self.id, now, body) for secret in self.secrets]
        return {
            "webhook-id": self.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signed),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try went."""

    status: int | None = None
    took_ms: int = 0
    text: str | None = None
    error: str | None = None
    """A sentence, where it failed."""
    wait_s: float | None = None
    """What the receiver asked for, by Retry-After."""

    @property
    def is_good(self) -> bool:
        """Whether it was taken."""
        return self.error is None


def new_secret() -> str:
    """A secret as Standard Webhooks writes it."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


class Sender:
    """Sends. One for each process."""

    def __init__(self, guard: Guard, clock: Clock) -> None:
        self._clock = clock
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(guard),
            timeout=WITHIN_S,
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, message: Message) -> Answer:
        """Try once. Never raises for what the receiver or the network does."""
        began = time.perf_counter()
        status, text, error, wait_s = None, None, None, None
        try:
            async with asyncio.timeout(WITHIN_S):
                status, text, wait_s = await self._exchange(message)
            error = _fault(status)
        except TimeoutError:
            error = f"It did not answer within {WITHIN_S:g} seconds."
        except UrlRefused as refused:
            error = f"Its URL {refused}."
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failed:
            error = f"It could not be reached: {type(failed).__name__}: {failed}"[:500]
        took_ms = int((time.perf_counter() - began) * 1000)
        return Answer(status, took_ms, text, _storable(error), wait_s)

    async def _exchange(self, message: Message) -> tuple[int, str, float | None]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"GardenOS/{version('gardenos')}",
            "Accept-Encoding": "identity",
            **message.headers(self._clock.now()),
        }
        content = message.body().encode()
        async with self._client.stream(
            "POST", message.url, content=content, headers=headers
        ) as response:
            kept = b""
            async for chunk in response.aiter_raw():
                kept += chunk[: KEPT_BYTES - len(kept)]
                if len(kept) >= KEPT_BYTES:
                    break
            text = _storable(kept.decode("utf-8", "replace")) or ""
            return response.status_code, text, _retry_after(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _fault(status: int) -> str | None:
    if 200 <= status < 300:  # noqa: PLR2004
        return None
    if 300 <= status < 400:  # noqa: PLR2004
        return f"It answered {status}, a redirect, and redirects are not followed. Give its URL."
    if status == GONE:
        return "It answered 410: nobody wants these any more. The webhook was switched off."
    return f"It answered {status}."


def _retry_after(response: httpx.Response) -> float | None:
    with suppress(KeyError, ValueError):
        return min(_LONGEST_WAIT_S, max(0.0, float(int(response.headers["Retry-After"]))))
    return None


def _storable(text: str | None) -> str | None:
    return (
        None if text is None else text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    )
