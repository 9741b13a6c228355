"""`/v1/attachments`: announce, upload, confirm, download."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    BodyTooLarge,
    Conflict,
    IdempotencyKeyReused,
    InvalidContent,
    NotFound,
)
from gardenos.crm.attachments import addresses, service
from gardenos.crm.attachments.addresses import CONTENT, VALID_FOR, AddressExpired, Leave
from gardenos.crm.attachments.entity import ATTACHMENTS
from gardenos.crm.attachments.models import (
    Announced,
    Attachment,
    AttachmentState,
    Download,
    NewAttachment,
    Upload,
)
from gardenos.crm.attachments.store import (
    PENDING,
    STORED,
    Bytes,
    Place,
    StorageUnavailable,
    opened,
)
from gardenos.crm.records import routes
from gardenos.crm.records import service as records
from gardenos.crm.records.service import Stored
from gardenos.web import idempotency, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

router = routes.router(ATTACHMENTS)
content = APIRouter(tags=["attachments"], route_class=StrictRoute)
Token = Annotated[str, Path(max_length=2000, pattern=r"^[A-Za-z0-9_.-]+$")]


def _files(services: Services) -> Bytes:
    return opened(Place.of(services.settings))


def _secret(services: Services) -> str:
    secret = services.settings.cursor_secret
    return secret.get_secret_value() if secret else ""


async def _address(services: Services, stored: Stored, key: str, *, put: bool) -> dict[str, Any]:
    expires_at = services.clock.now() + VALID_FOR
    method, folder = ("PUT", PENDING) if put else ("GET", STORED)
    url = await _files(services).signed(method, f"{folder}/{key}", VALID_FOR)
    if url is None:
        leave = Leave(
            does="put" if put else "get",
            key=key,
            bytes=stored.values["bytes"],
            name=str(stored.values.get("name", "file")),
            media_type=str(stored.values.get("media_type", "application/octet-stream")),
        )
        base = services.settings.public_url.rstrip("/")
        url = f"{base}{CONTENT}{addresses.sealed(_secret(services), leave)}"
    return {"url": url, "expires_at": expires_at}


@router.post(
    "",
    response_model=Announced,
    status_code=201,
    responses=problems.responses(
        *problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused, StorageUnavailable
    )
    | {
        201: {"headers": {**routes.ETAG, **routes.LOCATION, **idempotency.RESPONSE_HEADERS}},
    },
)
async def create_attachment(
    new: NewAttachment,
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
    key: IdempotencyKey = None,
) -> Response:
    """Announce a file: the answer says where to PUT its bytes. Confirm it afterwards."""
    seen = idempotency.fingerprint(request, await request.body())
    settings = services.settings
    async with services.database.session(claims) as session:

        async def effect() -> Response:
            stored = await service.announce(
                session,
                new.given(),
                max_bytes=settings.attachment_max_bytes,
                media_types=settings.attachment_media_types,
            )
            name = await service.key_of(session, stored.id)
            upload = Upload(**await _address(services, stored, name, put=True))
            answer = routes.record(stored, 201)
            headers = {"ETag": answer.headers["ETag"], "Location": answer.headers["Location"]}
            body = to_json({**stored.values, "upload": upload})
            return Response(body, 201, headers, "application/json")

        return await idempotency.once(session, key, seen, effect)


@router.post(
    "/{attachment_id}/upload",
    responses=problems.responses(*problems.COMMON, NotFound, Conflict, StorageUnavailable),
)
async def renew_upload(attachment_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Upload:
    """Get another address for the bytes of a file that was announced."""
    async with services.database.session(claims) as session:
        stored = await service.pending(session, attachment_id)
        key = await service.key_of(session, attachment_id)
    return Upload(**await _address(services, stored, key, put=True))


@router.post(
    "/{attachment_id}/confirm",
    response_model=Attachment,
    responses=problems.responses(
        *problems.COMMON, NotFound, Conflict, InvalidContent, StorageUnavailable
    )
    | {200: {"headers": routes.ETAG}},
)
async def confirm_attachment(
    attachment_id: UUID, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Say that the bytes were sent: they are checked, and from then on do not change."""
    async with services.database.session(claims) as session:
        return routes.record(await service.confirm(session, _files(services), attachment_id))


@router.get(
    "/{attachment_id}/download",
    responses=problems.responses(*problems.COMMON, NotFound, Conflict, StorageUnavailable),
)
async def download_attachment(
    attachment_id: UUID, services: ServicesDep, claims: ClaimsDep
) -> Download:
    """Get an address that gives the file to whoever has it, for a quarter of an hour."""
    async with services.database.session(claims) as session:
        stored = await records.get(session, ATTACHMENTS, attachment_id)
        if stored.values["state"] != AttachmentState.STORED:
            raise Conflict("The file was not uploaded and confirmed yet.")
        key = await service.key_of(session, attachment_id)
    return Download(**await _address(services, stored, key, put=False))


@content.put(
    f"{CONTENT}{{token}}",
    status_code=204,
    response_class=Response,
    responses=problems.responses(
        *problems.COMMON, *problems.BODY, NotFound, AddressExpired, StorageUnavailable
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        },
        "security": [],
    },
)
async def put_content(token: Token, request: Request, services: ServicesDep) -> Response:
    """Take the bytes of a file, as the address allows; a signed address is the only key."""
    leave = addresses.opened(_secret(services), token, does="put")
    taken = 0
    failure: Exception | None = None

    async def counted() -> AsyncGenerator[bytes]:
        # The store would wrap what is raised in here: it is kept, and raised afterwards.
        nonlocal taken, failure
        try:
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > leave.bytes:
                    return
                if chunk:
                    yield chunk
        except Exception as error:  # noqa: BLE001 raised again below
            failure = error

    files = _files(services)
    await files.put(leave.key, counted())
    if failure is None and taken == leave.bytes:
        return Response(status_code=204)
    await files.remove(f"{PENDING}/{leave.key}")
    if failure is not None:
        raise failure
    if taken > leave.bytes:
        raise BodyTooLarge(f"The file was announced with {leave.bytes:,} bytes; it has more.")
    raise InvalidContent(
        f"The file was announced with {leave.bytes:,} bytes; it has fewer.",
        errors=[{"pointer": "/bytes", "detail": f"{taken} were sent"}],
    )


@content.get(
    f"{CONTENT}{{token}}",
    response_class=Response,
    responses=problems.responses(*problems.COMMON, AddressExpired, NotFound, StorageUnavailable)
    # As what it was announced.
    | {200: {"content": {"*/*": {"schema": {"type": "string"}}}}},
    openapi_extra={"security": []},
)
async def get_content(token: Token, services: ServicesDep) -> Response:
    """Give the bytes of a file to whoever has its signed address."""
    leave = addresses.opened(_secret(services), token, does="get")
    chunks = _files(services).chunks(leave.key)
    try:
        first = await anext(chunks)
    except (FileNotFoundError, StopAsyncIteration):
        raise NotFound("The file is not there any more.") from None

    async def whole() -> AsyncGenerator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    headers = {
        "Content-Disposition": addresses.disposition(leave.name),
        "Content-Length": str(leave.bytes),
        # What somebody uploaded never runs as a page of ours.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(whole(), 200, headers, leave.media_type)
