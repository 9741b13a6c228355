"""`/v1/permissions` and `/v1/field-masks`."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from gardenos.auth.deps import ClaimsDep
from gardenos.crm.agencies.permissions import service
from gardenos.crm.agencies.permissions.models import (
    MaskChanges,
    MaskList,
    Matrix,
    MatrixChanges,
)
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1", tags=["agency"], route_class=StrictRoute)


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")


@router.get("/permissions", response_model=Matrix, responses=problems.responses(*problems.COMMON))
async def list_permissions(services: ServicesDep, claims: ClaimsDep) -> Response:
    """Read what every role may do, and whether your agency decided it or it comes so."""
    async with services.database.session(claims) as session:
        return _json(await service.matrix(session))


@router.put(
    "/permissions",
    response_model=Matrix,
    responses=problems.responses(*problems.COMMON, *problems.BODY),
)
async def set_permissions(
    changes: MatrixChanges, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Set cells of the matrix, as an owner or admin; `scope: null` brings the default back.

    It holds from the next statement on, for API, SQL and PostgREST alike.
    """
    claims.require_admin()
    async with services.database.session(claims) as session:
        return _json(await service.set_cells(session, changes))


@router.get("/field-masks", response_model=MaskList, responses=problems.responses(*problems.COMMON))
async def list_field_masks(services: ServicesDep, claims: ClaimsDep) -> Response:
    """Read which fields are hidden from a role, or only read by it."""
    async with services.database.session(claims) as session:
        return _json(await service.masks(session))


@router.put(
    "/field-masks",
    response_model=MaskList,
    responses=problems.responses(*problems.COMMON, *problems.BODY),
)
async def set_field_masks(
    changes: MaskChanges, services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Mask fields for a role, as an owner or admin; `access: null` takes the mask away."""
    claims.require_admin()
    async with services.database.session(claims) as session:
        return _json(await service.set_masks(session, changes))
