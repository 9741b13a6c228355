"""Idempotency-Key: a POST repeated with the same key takes effect once and is answered alike."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import Header, Request, Response

from gardenos.core.errors import Conflict, IdempotencyKeyReused
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.web")
REPLAYED = "Idempotent-Replayed"
MAX_KEY_CHARS = 255
_CLAIMED = "INSERT 0 1"
"""The command tag where the key was new."""
_KEPT_HEADERS = ("content-type", "etag", "location")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY_CHARS,
        pattern=r"^[\x20-\x7e]+$",
        description=(
            "A text of your choice, new for each intent. Repeating the request with it is safe: "
            f"the first answer comes back, marked `{REPLAYED}: true`."
        ),
    ),
]

RESPONSE_HEADERS: Mapping[str, Any] = {
    REPLAYED: {
        "description": "`true` where the answer is that of an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
"""For a route's OpenAPI: the header a replayed answer carries."""


def fingerprint(request: Request, *parts: bytes) -> bytes:
    """What makes two requests the same: method, path and these parts of the body (32 bytes)."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}".encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


async def once(
    session: TenantSession,
    key: str | None,
    seen: bytes,
    effect: Callable[[], Awaitable[Response]],
) -> Response:
    """The answer of `effect`, or the stored one where this key had the same fingerprint before.

    The answer is stored in the session's transaction, together with the effect: an error stores
    nothing, so the key can be tried again. Beside the effect it costs no round trip: the key goes
    with BEGIN, the answer with COMMIT. A duplicate that comes while the first is at work waits
    for it. Raises `IdempotencyKeyReused` where the key came with another request.
    """
    if key is None:
        return await effect()
    agency_id = session.claims.agency_id
    claimed = await session.execute_first(QUERIES["claim_key"], agency_id, key, seen)
    if claimed != _CLAIMED:
        return await _replay(session, key, seen)
    response = await effect()
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    session.execute_last(
        QUERIES["keep_answer"], key, response.status_code, headers, bytes(response.body)
    )
    return response


async def _replay(session: TenantSession, key: str, seen: bytes) -> Response:
    row = await session.fetchrow(QUERIES["read_answer"], key)
    if row is None or row["status"] is None:
        raise Conflict("The request with this Idempotency-Key was withdrawn meanwhile. Try again.")
    if row["fingerprint"] != seen:
        raise IdempotencyKeyReused
    return Response(row["body"], row["status"], headers={**row["headers"], REPLAYED: "true"})
