"""`POST /v1/<noun>/bulk`, for every noun whose records can be stored, changed or deleted."""
# Annotations stay objects in this module: that of the body is set for each entity.

from typing import Final

from fastapi import APIRouter, Request, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.core.errors import Conflict, IdempotencyKeyReused
from gardenos.crm.records.bulk import service
from gardenos.crm.records.bulk.models import (
    Bulk,
    BulkAnswer,
    body_of,
    kinds,
)
from gardenos.crm.records.entity import Entity
from gardenos.db.session import TenantSession
from gardenos.web import idempotency, problems
from gardenos.web.idempotency import IdempotencyKey
from gardenos.web.services import ServicesDep

PATHS: Final[set[str]] = set()
"""Where bodies may be as large as those of imports."""
_MULTI_STATUS: Final = 207


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

    bulk.__annotations__["body"] = body_of(entity)
    made.add_api_route(
        "/bulk",
        bulk,
        name=f"bulk_{entity.noun}",
        description=(
            f"Do many things with {entity.noun} in one transaction, in the order sent. Each succeeds "
            "or fails for itself, and has a result of its own."
        ),
        methods=["POST"],
        status_code=_MULTI_STATUS,
        response_model=BulkAnswer,
        response_description="What became of each operation.",
        responses=problems.responses(
            *problems.COMMON, *problems.BODY, Conflict, IdempotencyKeyReused
        )
        | {_MULTI_STATUS: {"headers": {**idempotency.RESPONSE_HEADERS}}},
    )


async def _answer(session: TenantSession, entity: Entity, body: Bulk) -> Response:
    results = await service.apply(session, entity, body.operations)
    failed = service.failed(results)
    answer = {"results": results, "succeeded": len(results) - failed, "failed": failed}
    return Response(service.encode(answer), _MULTI_STATUS, media_type="application/json")
