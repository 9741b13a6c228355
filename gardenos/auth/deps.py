"""Who is asking, as a dependency of routes: the bearer token's verified claims."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from gardenos.auth.api_keys import scopes
from gardenos.core.claims import Claims
from gardenos.core.errors import Unauthenticated
from gardenos.web.services import get_services


class BearerClaims(SecurityBase):
    """The security scheme of the OpenAPI document, and what it stands for, in one dependency.

    Each dependency that FastAPI resolves costs a request as much as a look at its token.
    """

    def __init__(self) -> None:
        self.scheme_name = "HTTPBearer"
        self.model = HTTPBearer(
            bearerFormat="JWT",
            description=(
                "An access token of the built-in sign-in, or of a GoTrue that this one trusts; or an "
                "API key, `gos_...`."
            ),
        )

    async def __call__(self, request: Request) -> Claims:
        """The claims of the request's access token.

        Raises `Unauthenticated` without one, `InvalidToken` and `AgencyMissing` for one that will
        not do, `Forbidden` for an API key whose scopes this is outside of, `RateLimited`.
        """
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated
        services = await get_services(request)
        claims = await services.verifier.verify(token)
        if services.limits is not None:
            await services.limits.admit(request.scope, claims)
        if claims.scopes is not None:
            scopes.refuse_outside(claims.scopes, request.method, request.url.path)
        return claims


ClaimsDep = Annotated[Claims, Depends(BearerClaims())]
