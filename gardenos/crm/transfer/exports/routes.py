"""`/v1/exports/<noun>`: lists as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import InvalidRequest, NotFound
from gardenos.crm.activities.entity import ACTIVITIES
from gardenos.crm.companies.entity import COMPANIES
from gardenos.crm.contacts.entity import CONTACTS
from gardenos.crm.deals.entity import DEALS
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.records import document
from gardenos.crm.records.entity import Entity
from gardenos.crm.records.query import parse, view_of
from gardenos.crm.tasks.entity import TASKS
from gardenos.crm.transfer.exports import service
from gardenos.crm.transfer.exports.service import Format
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

EXPORTED: Final = (LEADS, CONTACTS, COMPANIES, DEALS, TASKS, ACTIVITIES)
router = APIRouter(prefix="/v1/exports", tags=["exports"], route_class=StrictRoute)
_FLAGS: Final = {"true": True, "false": False}
_OF_PAGES: Final = frozenset({"limit", "cursor", "total", "include"})
_OWN: Final[list[dict[str, Any]]] = [
    {
        "name": "format",
        "in": "query",
        "required": False,
        "description": "What to make of the list.",
        "schema": {"type": "string", "enum": [*Format], "default": Format.CSV},
    },
    {
        "name": "gzip",
        "in": "query",
        "required": False,
        "description": "Pack it; a workbook is packed as it is.",
        "schema": {"type": "string", "enum": [*_FLAGS], "default": "false"},
    },
]
_FILES: Final[dict[str, Any]] = {
    "description": "The file, as it is made; one that broke off ends without its last chunk.",
    "content": {
        name: {"schema": {"type": "string", "format": "binary"}}
        for name in (
            *("text/csv", "application/jsonl", "application/gzip"),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
    },
    "headers": {
        "Content-Disposition": {"description": "A name for it.", "schema": {"type": "string"}}
    },
}


def _one_of(sent: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    said = sent.get(name, values[0])
    if said not in values:
        raise InvalidRequest(
            errors=[{"pointer": name, "detail": f"is none of {', '.join(values)}"}]
        )
    return said


def _add(entity: Entity) -> None:
    async def export_records(
        request: Request, services: ServicesDep, claims: ClaimsDep
    ) -> Response:
        sent = request.query_params.multi_items()
        own = {name: text for name, text in sent if name in ("format", "gzip")}
        if len(own) < sum(name in own for name, _ in sent):
            raise InvalidRequest(errors=[{"pointer": "format", "detail": "may be sent once"}])
        kind = Format(_one_of(own, "format", tuple(Format)))
        packed = _FLAGS[_one_of(own, "gzip", ("false", "true"))] and kind is not Format.XLSX
        view_id, listed = view_of(entity, [pair for pair in sent if pair[0] not in own])
        misplaced = sorted({name for name, _ in listed} & _OF_PAGES)
        if misplaced:
            detail = "is for pages; an export has them all"
            raise InvalidRequest(errors=[{"pointer": name, "detail": detail} for name in misplaced])
        query = parse(entity, listed)
        async with services.database.session(claims) as session:
            if view_id is not None and entity.viewed is not None:
                query = parse(entity, await entity.viewed(session, entity, view_id, listed))
            export = await service.begin(
                session, entity, query, services.cursors, kind=kind, packed=packed
            )
        ending = f"{kind}.gz" if packed else kind.value
        return StreamingResponse(
            service.pieces(services.database, claims, export, services.cursors),
            headers={"Content-Disposition": f'attachment; filename="{entity.noun}.{ending}"'},
            media_type=export.writer.media_type,
        )

    parameters = [p for p in document.list_parameters(entity) if p["name"] not in _OF_PAGES]
    router.add_api_route(
        f"/{entity.path}",
        export_records,
        name=f"export_{entity.noun}",
        description=(
            f"Export {entity.noun}: all that a list with the same filters, order, fields or view "
            "would page through, as a file of any length."
        ),
        methods=["GET"],
        response_class=Response,
        responses=problems.responses(*problems.COMMON, NotFound) | {200: _FILES},
        openapi_extra={"parameters": [*_OWN, *parameters]},
        # It knows its parameters itself, as the list does.
        route_class_override=APIRoute,
    )


for _entity in EXPORTED:
    _add(_entity)
