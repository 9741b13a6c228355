"""The standard routes of an entity, made from its declaration."""
# Annotations stay objects in this module: those of bodies and paths are set for each entity.

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, create_model
from pydantic_core import to_json

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidCursor,
    InvalidRequest,
    NotFound,
    PossibleDuplicate,
    PreconditionFailed,
    PreconditionRequired,
)
from gardenos.crm.records import document, service
from gardenos.crm.records.bulk import routes as bulk
from gardenos.crm.records.entity import Entity
from gardenos.crm.records.models import Fields
from gardenos.crm.records.query import parse, parse_shown, view_of
from gardenos.crm.records.service import Included, Stored
from gardenos.web import conditional, idempotency, problems
from gardenos.web.conditional import IfMatch, IfNoneMatch, OptionalIfMatch
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

ETAG: Final[dict[str, Any]] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}
}
LINK: Final[dict[str, Any]] = {
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}
}
LOCATION: Final[dict[str, Any]] = {
    "Location": {"description": "Where the record is.", "schema": {"type": "string"}}
}
_CREATED: Final = 201
_ALLOW_DUPLICATE: Final = "Allow-Duplicate"
_ALLOW: Final[dict[str, Any]] = {
    "name": _ALLOW_DUPLICATE,
    "in": "header",
    "required": False,
    "description": "Store it though it may be there already.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}
_REFUSES: Final = (
    " One that may be there already, by its e-mail, telephone number or names, is refused with "
    "`possible-duplicate`, whose `candidates` say which, unless `Allow-Duplicate` says that it is meant."
)
Endpoint = Callable[..., Any]


def router(entity: Entity) -> APIRouter:
    """`/v1/<noun>` with every standard route the entity can have; a noun adds its own to it."""
    made = APIRouter(prefix=f"/v1/{entity.path}", tags=[entity.noun], route_class=StrictRoute)
    _add_list(made, entity)
    if entity.new is not None:
        _add_create(made, entity)
    # Before what takes any word there for an id.
    bulk.add(made, entity)
    _add_get(made, entity)
    if entity.changes is not None:
        _add_change(made, entity)
    if entity.deletes:
        _add_delete(made, entity)
        _add_restore(made, entity)
    return made


def record(stored: Stored, status: int = 200) -> Response:
    """The answer that is one record, with its ETag and, where it is new, its address."""
    entity = stored.entity
    headers = {"ETag": conditional.etag(stored.version)}
    if status == _CREATED:
        headers["Location"] = f"/v1/{entity.path}/{stored.id}"
    # Straight from the row: what PostgreSQL keeps is what the model says, and a test holds it to it.
    return Response(to_json(stored.values), status, headers, "application/json")


def listed(request: Request, body: Mapping[str, Any]) -> Response:
    """The answer that is a page, with the address of the next one."""
    headers: dict[str, str] = {}
    if body["next_cursor"]:
        query = request.url.include_query_params(cursor=body["next_cursor"]).query
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return Response(to_json(body), 200, headers, "application/json")


def path_id(entity: Entity) -> Any:
    """The type of a path's parameter that is the id of a record."""
    return Annotated[UUID, Path(alias=f"{entity.singular}_id")]


def _of_one(entity: Entity) -> str:
    return f"/{{{entity.singular}_id}}"


def _typed(endpoint: Endpoint, **annotations: Any) -> Endpoint:
    endpoint.__annotations__ |= annotations
    return endpoint


def page_model(entity: Entity) -> type[BaseModel]:
    """A page of the entity's list, for the document."""
    record_type = entity.record
    return create_model(
        f"{record_type.__name__}Page",
        __doc__=f"Some {entity.noun}, and where the next ones begin.",
        items=(list[record_type], ...),  # pyright: ignore[reportInvalidTypeForm] made at run time
        next_cursor=(
            str | None,
            Field(description="Send as `cursor` for the next page; null: the last."),
        ),
        total=(
            int | None,
            Field(description="How many match in all; null unless `total=true`."),
        ),
        included=(
            dict[str, dict[str, dict[str, Any]]],
            Field(
                default_factory=dict,
                description="What `include` asked for: by kind, then by id. Absent otherwise.",
            ),
        ),
    )


def _add_list(made: APIRouter, entity: Entity) -> None:
    async def list_records(request: Request, services: ServicesDep, claims: ClaimsDep) -> Response:
        view_id, sent = view_of(entity, request.query_params.multi_items())
        # What cannot be read needs no database.
        query = parse(entity, sent)
        async with services.database.session(claims) as session:
            if view_id is not None and entity.viewed is not None:
                query = parse(entity, await entity.viewed(session, entity, view_id, sent))
            found = await service.find(session, entity, query, services.cursors)
        body: dict[str, Any] = {
            "items": [item.shown(query.fields) for item in found.items],
            "next_cursor": found.next_cursor,
            "total": found.total,
        }
        if found.included is not None:
            body["included"] = found.included
        return listed(request, body)

    deleted = "; deleted ones only if asked for" if entity.deletes else ""
    custom = "\n\n`custom.<key>` filters by a value of your own, with the same operators."
    made.add_api_route(
        "",
        list_records,
        name=f"list_{entity.noun}",
        description=f"List {entity.noun}, newest first unless sorted otherwise{deleted}."
        + (custom if entity.has_custom else ""),
        methods=["GET"],
        response_model=page_model(entity),
        responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound, Conflict)
        | {200: {"headers": LINK}},
        openapi_extra={"parameters": document.list_parameters(entity)},
        # It knows its parameters itself: FastAPI would look for each of them in every request.
        route_class_override=APIRoute,
    )


def _add_create(made: APIRouter, entity: Entity) -> None:
    async def create(
        new: Fields,
        request: Request,
        services: ServicesDep,
        claims: ClaimsDep,
        key: IdempotencyKey = None,
    ) -> Response:
        seen = idempotency.fingerprint(request, await request.body())
        sure = _is_sure(request)
        async with services.database.session(claims) as session:

            async def effect() -> Response:
                values = new.given()
                made = await service.create(session, entity, values, alone=True, sure=sure)
                return record(made, _CREATED)

            return await idempotency.once(session, key, seen, effect)

    made.add_api_route(
        "",
        _typed(create, new=entity.new),
        name=f"create_{entity.singular}",
        description=f"Store a {entity.singular}." + (_REFUSES if entity.likeness else ""),
        methods=["POST"],
        status_code=_CREATED,
        response_model=entity.record,
        responses=problems.responses(
            *problems.COMMON,
            *problems.BODY,
            Conflict,
            IdempotencyKeyReused,
            *((PossibleDuplicate,) if entity.likeness else ()),
        )
        | {_CREATED: {"headers": {**ETAG, **LOCATION, **idempotency.RESPONSE_HEADERS}}},
        openapi_extra={"parameters": [_ALLOW]} if entity.likeness else None,
    )


def _is_sure(request: Request) -> bool:
    said = request.headers.get(_ALLOW_DUPLICATE, "false").strip().lower()
    if said not in ("true", "false"):
        raise InvalidRequest(
            errors=[{"pointer": _ALLOW_DUPLICATE, "detail": "is `true` or `false`"}]
        )
    return said == "true"


def _add_get(made: APIRouter, entity: Entity) -> None:
    async def get(
        record_id: UUID,
        request: Request,
        services: ServicesDep,
        claims: ClaimsDep,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        wanted = parse_shown(entity, request.query_params.multi_items())
        included: Included | None = None
        async with services.database.session(claims) as session:
            stored = await service.get(session, entity, record_id)
            if wanted.include:
                included = await service.related(session, entity, [stored], wanted.include)
        unchanged = conditional.not_modified(if_none_match, stored.version)
        if unchanged is not None and included is None:
            return unchanged
        # What a record refers to changes without it.
        return _shown(stored, wanted.fields, included)

    made.add_api_route(
        _of_one(entity),
        _typed(get, record_id=path_id(entity)),
        name=f"get_{entity.singular}",
        description=f"Read a {entity.singular}.",
        methods=["GET"],
        response_model=entity.record,
        responses=problems.responses(*problems.COMMON, NotFound)
        | {200: {"headers": ETAG}, 304: {"description": "You hold the current version."}},
        openapi_extra={"parameters": document.shown_parameters(entity)},
        route_class_override=APIRoute,
    )


def _shown(stored: Stored, fields: frozenset[str] | None, included: Included | None) -> Response:
    body = dict(stored.shown(fields))
    if included is not None:
        body["included"] = included
    headers = {"ETag": conditional.etag(stored.version)}
    return Response(to_json(body), 200, headers, "application/json")


def _add_change(made: APIRouter, entity: Entity) -> None:
    async def change(
        record_id: UUID,
        changes: Fields,
        services: ServicesDep,
        claims: ClaimsDep,
        if_match: IfMatch,
    ) -> Response:
        versions = conditional.versions(if_match)
        async with services.database.session(claims) as session:
            values = changes.given()
            return record(
                await service.change(session, entity, record_id, values, versions=versions)
            )

    made.add_api_route(
        _of_one(entity),
        _typed(change, record_id=path_id(entity), changes=entity.changes),
        name=f"change_{entity.singular}",
        description=(
            f"Change a {entity.singular}: fields sent replace the stored ones, null empties them "
            "(a JSON merge patch)."
        ),
        methods=["PATCH"],
        response_model=entity.record,
        responses=problems.responses(
            *problems.COMMON,
            *problems.BODY,
            NotFound,
            Conflict,
            PreconditionFailed,
            PreconditionRequired,
        )
        | {200: {"headers": ETAG}},
    )


def _add_delete(made: APIRouter, entity: Entity) -> None:
    async def delete(
        record_id: UUID,
        services: ServicesDep,
        claims: ClaimsDep,
        if_match: OptionalIfMatch = None,
    ) -> Response:
        versions = conditional.optional_versions(if_match)
        async with services.database.session(claims) as session:
            await service.delete(session, entity, record_id, versions=versions)
        return Response(status_code=204)

    conflict = (Conflict,) if entity.before_delete is not None else ()
    made.add_api_route(
        _of_one(entity),
        _typed(delete, record_id=path_id(entity)),
        name=f"delete_{entity.singular}",
        description=f"Mark a {entity.singular} deleted; `restore` brings it back.",
        methods=["DELETE"],
        status_code=204,
        response_class=Response,
        responses=problems.responses(*problems.COMMON, NotFound, PreconditionFailed, *conflict),
    )


def _add_restore(made: APIRouter, entity: Entity) -> None:
    async def restore(
        record_id: UUID,
        request: Request,
        services: ServicesDep,
        claims: ClaimsDep,
        key: IdempotencyKey = None,
    ) -> Response:
        async with services.database.session(claims) as session:

            async def effect() -> Response:
                return record(await service.restore(session, entity, record_id))

            return await idempotency.once(session, key, idempotency.fingerprint(request), effect)

    made.add_api_route(
        f"{_of_one(entity)}/restore",
        _typed(restore, record_id=path_id(entity)),
        name=f"restore_{entity.singular}",
        description=f"Undo a deletion; a {entity.singular} that is not deleted stays as it is.",
        methods=["POST"],
        response_model=entity.record,
        responses=problems.responses(*problems.COMMON, NotFound, Conflict, IdempotencyKeyReused)
        | {200: {"headers": {**ETAG, **idempotency.RESPONSE_HEADERS}}},
    )
