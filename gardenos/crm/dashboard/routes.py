"""`/v1/dashboard`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from gardenos.auth.deps import ClaimsDep
from gardenos.crm.dashboard import service
from gardenos.crm.dashboard.models import Dashboard, Period
from gardenos.web import problems
from gardenos.web.params import StrictRoute
from gardenos.web.services import ServicesDep

router = APIRouter(prefix="/v1/dashboard", tags=["dashboard"], route_class=StrictRoute)


@router.get("", response_model=Dashboard, responses=problems.responses(*problems.COMMON))
async def read_dashboard(
    period: Annotated[Period, Query()], services: ServicesDep, claims: ClaimsDep
) -> Response:
    """Read how many leads, contacts, companies, deals and tasks there are, and how they stand."""
    async with services.database.session(claims) as session:
        found = await service.read(session, days=period.days)
    return Response(found.model_dump_json(), 200, media_type="application/json")
