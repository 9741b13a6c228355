"""`/v1/tags`, and the tags of each record that can carry them."""
# Annotations stay objects in this module: the path's parameter is called as each noun has it.

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import NotFound
from gardenos.crm.records import known, routes
from gardenos.crm.tags import service
from gardenos.crm.tags.entity import TAGS
from gardenos.crm.tags.models import RecordTags
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

TAGGED: Final[Mapping[str, str]] = {
    "leads": "lead",
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tasks": "task",
}
Endpoint = Callable[..., Any]
router = routes.router(TAGS)
records = APIRouter(tags=["tags"], route_class=StrictRoute)


def _of(singular: str, endpoint: Endpoint) -> Endpoint:
    endpoint.__annotations__["record_id"] = Annotated[UUID, Path(alias=f"{singular}_id")]
    return endpoint


def _add_routes(noun: str, singular: str) -> None:
    async def list_tags(record_id: UUID, services: ServicesDep, claims: ClaimsDep) -> RecordTags:
        async with services.database.session(claims) as session:
            return await service.tags_of(session, known()[noun], record_id)

    async def tag(
        record_id: UUID, tag_id: UUID, services: ServicesDep, claims: ClaimsDep
    ) -> Response:
        async with services.database.session(claims) as session:
            await service.tag(session, known()[noun], record_id, tag_id)
        return Response(status_code=204)

    async def untag(
        record_id: UUID, tag_id: UUID, services: ServicesDep, claims: ClaimsDep
    ) -> Response:
        async with services.database.session(claims) as session:
            await service.untag(session, known()[noun], record_id, tag_id)
        return Response(status_code=204)

    path = f"/v1/{noun}/{{{singular}_id}}/tags"
    ends = problems.responses(*problems.COMMON, NotFound)
    records.add_api_route(
        path,
        _of(singular, list_tags),
        name=f"list_{singular}_tags",
        description=f"List the tags of a {singular}, by name.",
        methods=["GET"],
        response_model=RecordTags,
        responses=ends,
    )
    for method, endpoint, name, says in (
        ("PUT", tag, "tag", f"Tag a {singular}; one that carries the tag stays as it is."),
        ("DELETE", untag, "untag", f"Take a tag off a {singular}; one without it stays as it is."),
    ):
        records.add_api_route(
            f"{path}/{{tag_id}}",
            _of(singular, endpoint),
            name=f"{name}_{singular}",
            description=says,
            methods=[method],
            status_code=204,
            response_class=Response,
            responses=ends,
        )


for _noun, _singular in TAGGED.items():
    _add_routes(_noun, _singular)
