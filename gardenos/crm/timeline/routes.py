"""`/v1/<noun>/{id}/timeline`, for each noun that things happen with."""
# Annotations stay objects in this module: the path's parameter is called as each noun has it.

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import InvalidCursor, NotFound
from gardenos.crm.records import known, routes
from gardenos.crm.records.models import PageQuery
from gardenos.crm.timeline import service
from gardenos.crm.timeline.models import Timeline
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

NOUNS: Final[Mapping[str, str]] = {
    "leads": "lead",
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
}
router = APIRouter(tags=["activities"], route_class=StrictRoute)


def _add_timeline(noun: str, singular: str) -> None:
    async def timeline(
        record_id: UUID,
        page: Annotated[PageQuery, Query()],
        request: Request,
        services: ServicesDep,
        claims: ClaimsDep,
    ) -> Response:
        async with services.database.session(claims) as session:
            found = await service.read(session, known()[noun], record_id, page, services.cursors)
        return routes.listed(request, found.model_dump())

    timeline.__annotations__["record_id"] = Annotated[UUID, Path(alias=f"{singular}_id")]
    router.add_api_route(
        f"/v1/{noun}/{{{singular}_id}}/timeline",
        timeline,
        name=f"read_{singular}_timeline",
        description=(
            f"Read what happened with a {singular}, newest first: activities, changes of its fields "
            "for who may read the audit log, and what agents made of its lead."
        ),
        methods=["GET"],
        response_model=Timeline,
        responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
        | {200: {"headers": routes.LINK}},
    )


for _noun, _singular in NOUNS.items():
    _add_timeline(_noun, _singular)
