"""`/v1/pipelines`: the standard routes, and the stages of a pipeline."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from gardenos.crm.pipelines import service
from gardenos.crm.pipelines.entity import PIPELINES
from gardenos.crm.pipelines.models import NewStages, Stage, StageList
from gardenos.crm.records import routes
from gardenos.web import conditional, problems
from gardenos.web.conditional import IfMatch, IfNoneMatch
from gardenos.web.services import ServicesDep

router = routes.router(PIPELINES)


def _stages(version: int, stages: list[Stage]) -> Response:
    headers = {"ETag": conditional.etag(version)}
    body = StageList(items=stages).model_dump_json()
    return Response(body, 200, headers, "application/json")


@router.get(
    "/{pipeline_id}/stages",
    response_model=StageList,
    responses=problems.responses(*problems.COMMON, NotFound)
    | {200: {"headers": routes.ETAG}, 304: {"description": "You hold the current version."}},
)
async def list_stages(
    pipeline_id: UUID, services: ServicesDep, claims: ClaimsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """List the stages of a pipeline, from left to right, under the pipeline's ETag."""
    async with services.database.session(claims) as session:
        pipeline, found = await service.stages(session, pipeline_id)
    unchanged = conditional.not_modified(if_none_match, pipeline.version)
    return unchanged or _stages(pipeline.version, found)


@router.put(
    "/{pipeline_id}/stages",
    response_model=StageList,
    responses=problems.responses(
        *problems.COMMON,
        *problems.BODY,
        NotFound,
        Conflict,
        PreconditionFailed,
        PreconditionRequired,
    )
    | {200: {"headers": routes.ETAG}},
)
async def put_stages(
    pipeline_id: UUID,
    stages: NewStages,
    services: ServicesDep,
    claims: ClaimsDep,
    if_match: IfMatch,
) -> Response:
    """Give a pipeline exactly these stages, in this order, under the pipeline's ETag.

    A stage with an `id` stays, one without is new, and one that is not sent goes, unless it holds
    deals.
    """
    versions = conditional.versions(if_match)
    async with services.database.session(claims) as session:
        version, found = await service.put_stages(
            session, pipeline_id, stages.items, versions=versions
        )
    return _stages(version, found)
