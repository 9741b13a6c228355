"""`POST /v1/<noun>/bulk`, for every noun whose records can be stored, changed or deleted."""
# Annotations stay objects in this module: that of the body is set for each entity.

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import Conflict, IdempotencyKeyReused, InvalidCursor, NotFound
from gardenos.crm.records.bulk import jobs, service
from gardenos.crm.records.bulk.jobs import Job, JobResultPage
from gardenos.crm.records.bulk.models import (
    MAX_AT_ONCE,
    MAX_OPERATIONS,
    Bulk,
    BulkAnswer,
    body_of,
    kinds,
)
from gardenos.crm.records.entity import Entity
from gardenos.db.session import TenantSession
from gardenos.web import idempotency, paging, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.paging import PageQuery
from gardenos.web.params import StrictRoute
from gardenos.web.problems import ProblemResponse
from gardenos.web.services import ServicesDep

PATHS: Final[set[str]] = set()
"""Where bodies may be as large as those of imports."""
_MULTI_STATUS: Final = 207
_ACCEPTED: Final = 202
_OTHERS: Final = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"]
_LOCATION: Final[dict[str, Any]] = {
    "Location": {"description": "Where the job is.", "schema": {"type": "string"}}
}
router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


def add(made: APIRouter, entity: Entity) -> None:
    """Give an entity's router its bulk route, where there is anything to do in bulk."""
    if not kinds(entity):
        return
    PATHS.add(f"{made.prefix}/bulk")

    async def bulk(
        body: Bulk,
        request: Request,
        services: ServicesDep,
        claims: ClaimsDep,
        key: IdempotencyKey = None,
    ) -> Response:
        seen = idempotency.fingerprint(request, await request.body())
        async with services.database.session(claims) as session:

            async def effect() -> Response:
                return await _answer(session, entity, body)

            return await idempotency.once(session, key, seen, effect)

    _refuse_others(made)
    bulk.__annotations__["body"] = body_of(entity)
    made.add_api_route(
        "/bulk",
        bulk,
        name=f"bulk_{entity.noun}",
        description=(
            f"Do many things with {entity.noun}, in the order sent. Each succeeds or fails for "
            f"itself, and has a result of its own. Up to {MAX_AT_ONCE:,} are done in one transaction "
            f"and answered at once; up to {MAX_OPERATIONS:,} become a job."
        ),
        methods=["POST"],
        status_code=_MULTI_STATUS,
        response_model=BulkAnswer,
        response_description="What became of each operation.",
        responses=problems.responses(
            *problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused
        )
        | {
            _MULTI_STATUS: {"headers": {**idempotency.RESPONSE_HEADERS}},
            _ACCEPTED: {
                "description": "A job that is begun soon.",
                "model": Job,
                "headers": {**_LOCATION, **idempotency.RESPONSE_HEADERS},
            },
        },
    )


def _refuse_others(made: APIRouter) -> None:
    """Answer what is no POST here, before `bulk` is taken for the id of a record."""

    async def refuse(request: Request) -> Response:
        path = request.url.path
        body = {
            "type": "about:blank",
            "title": "Method Not Allowed",
            "status": 405,
            "detail": f"{request.method} {path}: Method Not Allowed.",
        }
        return ProblemResponse(body, 405, headers={"Allow": "POST"})

    made.add_api_route("/bulk", refuse, methods=_OTHERS, include_in_schema=False)


async def _answer(session: TenantSession, entity: Entity, body: Bulk) -> Response:
    if len(body.operations) > MAX_AT_ONCE:
        job = await jobs.create(session, entity, body.operations)
        headers = {"Location": f"/v1/jobs/{job.id}"}
        return Response(job.model_dump_json(), _ACCEPTED, headers, "application/json")
    results = await service.apply(session, entity, body.operations)
    failed = service.failed(results)
    answer = {"results": results, "succeeded": len(results) - failed, "failed": failed}
    return Response(service.encode(answer), _MULTI_STATUS, media_type="application/json")


@router.get(
    "/{job_id}",
    response_model=Job,
    responses=problems.responses(*problems.COMMON, NotFound),
)
async def get_job(job_id: UUID, services: ServicesDep, claims: ClaimsDep) -> Response:
    """Read how far a job is: one's own, or as an owner or admin anybody's."""
    async with services.database.session(claims) as session:
        job = await jobs.get(session, job_id)
    return Response(job.model_dump_json(), media_type="application/json")


@router.get(
    "/{job_id}/results",
    response_model=JobResultPage,
    responses=problems.responses(*problems.COMMON, InvalidCursor, NotFound)
    | {200: {"headers": paging.LINK}},
)
async def list_job_results(
    job_id: UUID,
    page: Annotated[PageQuery, Query()],
    request: Request,
    services: ServicesDep,
    claims: ClaimsDep,
) -> Response:
    """List what became of a job's operations, in their order, as far as it is."""
    async with services.database.session(claims) as session:
        found = await jobs.results(session, job_id, page, services.cursors)
    return paging.listed(request, found, found.next_cursor)
