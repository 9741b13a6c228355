"""`/v1/imports`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import IdempotencyKeyReused, NotFound
from gardenos.core.ids import ImportId
from gardenos.crm.transfer import service
from gardenos.crm.transfer.form import OPENAPI, read_form, to_upload
from gardenos.crm.transfer.models import ImportCounts, ImportReport
from gardenos.crm.transfer.service import Upload
from gardenos.web import idempotency, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

PATH = "/v1/imports"
router = APIRouter(prefix=PATH, tags=["imports"], route_class=StrictRoute)

_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the counts are kept.", "schema": {"type": "string"}}
}


def _turns(request: Request, services: Services) -> asyncio.Semaphore:
    """Half of the pool's connections are for imports: each keeps one until its file is read."""
    state = request.app.state
    turns: asyncio.Semaphore | None = getattr(state, "import_turns", None)
    if turns is None:
        most = max(1, services.settings.database_pool_max // 2)
        turns = state.import_turns = asyncio.Semaphore(most)
    return turns


async def _fingerprint(request: Request, upload: Upload) -> bytes:
    mapping = upload.mapping.model_dump_json() if upload.mapping else ""
    named = upload.encoding.name if upload.encoding else ""
    file = await asyncio.to_thread(service.digest, upload.file)
    return idempotency.fingerprint(
        request, file, mapping.encode(), named.encode(), str(upload.score).encode()
    )


@router.post(
    "",
    status_code=201,
    response_model=ImportReport,
    responses=problems.responses(*problems.COMMON, *problems.BODY, IdempotencyKeyReused)
    | {201: {"headers": {**_LOCATION, **idempotency.RESPONSE_HEADERS}}},
    openapi_extra=OPENAPI,
)
async def import_leads(
    request: Request, services: ServicesDep, claims: ClaimsDep, key: IdempotencyKey = None
) -> Response:
    """Import leads from a CSV file: all rows that can be, in one transaction.

    Every row is imported, a duplicate, or rejected with a reason. Duplicates are rows whose
    external_id a lead or an earlier row has; of the rows without one, those whose e-mail address
    one has, in any capitals.
    """
    claims.require_writer()
    form = await read_form(request)
    try:
        upload = to_upload(form)
        seen = await _fingerprint(request, upload) if key else b""
        async with _turns(request, services), services.database.session(claims) as session:

            async def effect() -> Response:
                report = await service.run(session, upload)
                headers = {"Location": f"{PATH}/{report.id}"}
                return Response(report.model_dump_json(), 201, headers, "application/json")

            return await idempotency.once(session, key, seen, effect)
    finally:
        await form.close()


@router.get(
    "/{import_id}",
    response_model=ImportCounts,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def get_import(import_id: ImportId, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Read what became of an import."""
    async with services.database.session(claims) as session:
        counts = await service.get(session, import_id)
    return Response(counts.model_dump_json(), 200, media_type="application/json")
