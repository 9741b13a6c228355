"""`/v1/<noun>/{id}/merge` and `/v1/merges`."""
# Annotations stay objects in this module: that of the path is set for each entity.

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import Conflict, NotFound
from gardenos.crm.duplicates import merging
from gardenos.crm.duplicates.models import Merge, Merged, MergeRequest
from gardenos.crm.records.entity import Entity
from gardenos.crm.records.routes import path_id
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1", tags=["duplicates"], route_class=StrictRoute)
_FAILS: dict[int | str, Any] = problems.responses(
    *problems.COMMON, *problems.BODY, Conflict, NotFound
)


def _add(entity: Entity) -> None:
    async def merge(
        record_id: UUID, asked: MergeRequest, services: ServicesDep, claims: ClaimsDep
    ) -> Response:
        async with services.database.session(claims) as session:
            found = await merging.merge(session, entity, record_id, asked)
        return Response(found.model_dump_json(), media_type="application/json")

    merge.__annotations__["record_id"] = path_id(entity)
    router.add_api_route(
        f"/{entity.path}/{{{entity.singular}_id}}/merge",
        merge,
        name=f"merge_{entity.singular}",
        description=(
            f"Make another {entity.singular} part of this one: whatever refers to it refers to this one "
            "from then on, and it is marked deleted. That can be taken back."
        ),
        methods=["POST"],
        response_model=Merged,
        responses=_FAILS,
    )


for _entity in merging.ENTITIES.values():
    _add(_entity)


@router.get(
    "/merges/{merge_id}",
    response_model=Merge,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def get_merge(merge_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Read who made two records one, and whether that was taken back."""
    async with services.database.session(claims) as session:
        found = await merging.get(session, merge_id)
    return Response(found.model_dump_json(), media_type="application/json")


@router.post(
    "/merges/{merge_id}/undo",
    response_model=Merge,
    responses=problems.responses(*problems.COMMON, Conflict, NotFound),
)
async def undo_merge(merge_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Make two records of one again, as whoever merged them, or as an owner or admin.

    Both are as they were, and so is what referred to them then. Fields that were changed since stand in
    the way; what came to the record since stays with it.
    """
    async with services.database.session(claims) as session:
        found = await merging.undo(session, merge_id)
    return Response(found.model_dump_json(), media_type="application/json")
