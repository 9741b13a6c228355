"""`/v1/imports`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import Conflict, IdempotencyKeyReused, InvalidCursor, NotFound
from gardenos.core.ids import ImportId
from gardenos.crm.transfer import control, rejected, service
from gardenos.crm.transfer.form import OPENAPI, read_form, to_upload
from gardenos.crm.transfer.models import Import, ImportPage, ImportReport, OptionChanges
from gardenos.crm.transfer.readers.limits import Limits
from gardenos.crm.transfer.service import Upload
from gardenos.web import idempotency, paging, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.paging import PageQuery
from gardenos.web.params import StrictRoute
from gardenos.web.services import Services, ServicesDep

PATH = "/v1/imports"
router = APIRouter(prefix=PATH, tags=["imports"], route_class=StrictRoute)

_LOCATION: dict[str, Any] = {
    "Location": {"description": "Where the import is.", "schema": {"type": "string"}}
}
_ACCEPTED = 202
_HEADERS = {"headers": {**_LOCATION, **idempotency.RESPONSE_HEADERS}}


def _turns(request: Request, services: Services) -> asyncio.Semaphore:
    """Half of the pool's connections are for imports: each keeps one until its file is read."""
    state = request.app.state
    turns: asyncio.Semaphore | None = getattr(state, "import_turns", None)
    if turns is None:
        most = max(1, services.settings.database_pool_max // 2)
        turns = state.import_turns = asyncio.Semaphore(most)
    return turns


async def _fingerprint(request: Request, upload: Upload) -> bytes:
    options = upload.options.model_dump_json()
    named = upload.encoding.name if upload.encoding else ""
    file = await asyncio.to_thread(service.digest, upload.file)
    flags = f"{upload.dry_run} {upload.again}"
    return idempotency.fingerprint(request, file, options.encode(), named.encode(), flags.encode())


def _answer(found: Import, status: int = 200) -> Response:
    headers = {} if status == 200 else {"Location": f"{PATH}/{found.id}"}  # noqa: PLR2004 OK
    return Response(found.model_dump_json(), status, headers, "application/json")


@router.post(
    "",
    status_code=201,
    response_model=ImportReport,
    responses=problems.responses(*problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused)
    | {
        201: _HEADERS,
        _ACCEPTED: {
            "description": "The rows are kept: they are carried out soon, or when you start it.",
            "model": ImportReport,
            **_HEADERS,
        },
    },
    openapi_extra=OPENAPI,
)
async def import_leads(
    request: Request, services: ServicesDep, claims: ClaimsDep, key: IdempotencyKey = None
) -> Response:
    """Import leads from a file: up to 10,000 rows at once, in one transaction; more by a task.

    Every row is imported, changes a lead, is a duplicate, or is rejected with a reason. A file that
    is sent once more is refused, unless `again` says that it is meant.
    """
    claims.require_writer()
    form = await read_form(request)
    try:
        upload = to_upload(form)
        seen = await _fingerprint(request, upload) if key else b""
        limits = Limits(unpacked=services.settings.max_import_unpacked_bytes)
        async with _turns(request, services), services.database.session(claims) as session:

            async def effect() -> Response:
                report = await service.run(session, upload, limits)
                return _answer(report, 201 if report.finished_at else _ACCEPTED)

            return await idempotency.once(session, key, seen, effect)
    finally:
        await form.close()


@router.get(
    "",
    response_model=ImportPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor) | {200: {"headers": paging.LINK}},
)
async def list_imports(
    page: Annotated[PageQuery, Query()], request: Request, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """List your agency's imports, the newest first."""
    async with services.database.session(claims) as session:
        found = await service.find(session, page, services.cursors)
    return paging.listed(request, found, found.next_cursor)


@router.get(
    "/{import_id}",
    response_model=Import,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def get_import(import_id: ImportId, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Read how far an import is, and what became of its rows."""
    async with services.database.session(claims) as session:
        found = await service.get(session, import_id)
    return _answer(found)


@router.patch(
    "/{import_id}",
    response_model=ImportReport,
    responses=problems.responses(*problems.COMMON, *problems.BODY, Conflict, NotFound),
)
async def change_import(
    import_id: ImportId, changes: OptionChanges, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Change how a staged file is to be imported, and see what would become of its first rows."""
    async with services.database.session(claims) as session:
        found = await control.change(session, import_id, changes)
    return _answer(found)


@router.post(
    "/{import_id}/start",
    status_code=_ACCEPTED,
    response_model=Import,
    responses=problems.responses(*problems.COMMON, Conflict, NotFound)
    | {_ACCEPTED: {"headers": _LOCATION}},
)
async def start_import(
    import_id: ImportId,
    services: ServicesDep,
    claims: ClaimsDep,
    again: Annotated[
        bool, Query(description="Import the file though it was imported before.")
    ] = False,
) -> Response:
    """Begin a staged import, or go on with one that stopped."""
    async with services.database.session(claims) as session:
        found = await control.start(session, import_id, again=again)
    return _answer(found, _ACCEPTED)


@router.post(
    "/{import_id}/revert",
    status_code=_ACCEPTED,
    response_model=Import,
    responses=problems.responses(*problems.COMMON, Conflict, NotFound)
    | {_ACCEPTED: {"headers": _LOCATION}},
)
async def revert_import(import_id: ImportId, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Take an import back, as whoever sent it, or as an owner or admin.

    What it made goes, and what it changed is as it was; both unless others have worked on it since.
    """
    async with services.database.session(claims) as session:
        found = await control.revert(session, import_id)
    return _answer(found, _ACCEPTED)


@router.get(
    "/{import_id}/rejected",
    response_class=Response,
    responses=problems.responses(*problems.COMMON, Conflict, NotFound)
    | {
        200: {
            "description": "CSV: the rows as sent, each with its number and what is wrong.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    },
)
async def download_rejected(
    import_id: ImportId, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Download the rejected rows, to correct them and import them.

    For whoever sent the file, and for owners and admins.
    """
    async with services.database.session(claims) as session:
        headers = await rejected.header(session, import_id)
    pieces = rejected.pieces(services.database, claims, import_id, headers)
    disposition = {"Content-Disposition": f'attachment; filename="rejected-{import_id}.csv"'}
    return StreamingResponse(pieces, 200, disposition, "text/csv; charset=utf-8")
