"""Who is asking, as a dependency of routes: the bearer token's verified claims."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gardenos.core.claims import Claims
from gardenos.core.errors import Unauthenticated
from gardenos.web.services import ServicesDep

_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="An access token of the built-in sign-in, or of a GoTrue that this one trusts.",
)


async def require_claims(
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Claims:
    """The claims of the request's access token.

    Raises `Unauthenticated` without one, `InvalidToken` and `AgencyMissing` for one that will not do.
    """
    if credentials is None:
        raise Unauthenticated
    return await services.verifier.verify(credentials.credentials)


ClaimsDep = Annotated[Claims, Depends(require_claims)]
