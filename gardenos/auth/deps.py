"""Who is asking, as a dependency of routes: the bearer token's verified claims."""

from __future__ import annotations

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from gardenos.auth.api_keys import scopes
from gardenos.auth.tokens import Verifier
from gardenos.core.claims import Claims
from gardenos.core.errors import InvalidToken, Unauthenticated
from gardenos.web.services import get_services


class _Bearer(SecurityBase):
    """The security scheme of the OpenAPI document."""

    def __init__(self) -> None:
        self.scheme_name = "HTTPBearer"
        self.model = HTTPBearer(
            bearerFormat="JWT",
            description=(
                "An access token of the built-in sign-in, or of a GoTrue that this one trusts; or an "
                "API key, `gos_...`."
            ),
        )


class BearerClaims(_Bearer):
    """The scheme and what it stands for in one dependency.

    Each dependency that FastAPI resolves costs a request as much as a look at its token.
    """

    async def __call__(self, request: Request) -> Claims:
        """The claims of the request's access token.

        Raises `Unauthenticated` without one, `InvalidToken` and `AgencyMissing` for one that will
        not do, `Forbidden` for an API key whose scopes this is outside of, `RateLimited`.
        """
        services = await get_services(request)
        claims = await services.verifier.verify(_token(request))
        if services.limits is not None:
            await services.limits.admit(request.scope, claims)
        if claims.scopes is not None:
            scopes.refuse_outside(claims.scopes, request.method, request.url.path)
        return claims


class BearerUser(_Bearer):
    """The same for whom a route takes without an agency, too: whose the token is."""

    async def __call__(self, request: Request) -> UUID:
        """The id of the token's user. Raises `Unauthenticated`, `InvalidToken`."""
        services = await get_services(request)
        verifier = cast("Verifier", services.verifier)
        payload = await verifier.payload(_token(request))
        try:
            return UUID(str(payload.get("sub")))
        except ValueError:
            raise InvalidToken("The token's sub is not a UUID.") from None


def _token(request: Request) -> str:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    return token


ClaimsDep = Annotated[Claims, Depends(BearerClaims())]
UserDep = Annotated[UUID, Depends(BearerUser())]
