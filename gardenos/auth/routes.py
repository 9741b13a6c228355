"""The built-in sign-in over HTTP, in GoTrue's wire format: Supabase's clients work against it."""

from __future__ import annotations

import ipaddress
from importlib.metadata import version
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gardenos.auth import errors, invitations, wire
from gardenos.auth.accounts import Accounts, Bearer
from gardenos.auth.grants import Device, Grants, Scope
from gardenos.auth.models import Grant, Jwks, User
from gardenos.auth.tokens import TokenIssuer, Verifier
from gardenos.core.errors import DatabaseUnavailable, Forbidden, SigningKeysUnavailable
from gardenos.core.page import CursorSigner
from gardenos.web.services import ServicesDep

ISSUER = "issuer"
"""Where `Services.extras` holds the `TokenIssuer`."""
_MAX_AGENT_CHARS = 400
_MAX_AGENCY_CHARS = 200
_OF_BEARER = (
    errors.TokenMissing,
    errors.BadToken,
    errors.BearerBanned,
    errors.UserUnknown,
    errors.SessionUnknown,
    Forbidden,
    DatabaseUnavailable,
    SigningKeysUnavailable,
)
_OF_BODY = (errors.BadJson, errors.ValidationFailed, DatabaseUnavailable)

router = APIRouter(prefix="/auth/v1", tags=["Sign-in"], route_class=wire.GoTrueRoute)
_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT")


async def get_accounts(services: ServicesDep) -> Accounts:
    """The sign-in of the application that answers this request."""
    issuer: TokenIssuer = services.extras[ISSUER]
    settings = services.settings
    grants = Grants(services.database, issuer, services.clock, settings.access_token_ttl_s)
    return Accounts(services.database, grants, sign_up_open=settings.signup == "open")


async def require_bearer(
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Bearer:
    """Whose the request's access token is; they need not belong to an agency.

    Raises `TokenMissing`, `InvalidToken`, `BadToken`, `Forbidden`, `SigningKeysUnavailable`.
    """
    if credentials is None:
        raise errors.TokenMissing
    verifier = cast("Verifier", services.verifier)
    return Bearer.of(await verifier.payload(credentials.credentials))


def device(request: Request) -> Device:
    """What is signing in, as far as it says."""
    agent = request.headers.get("User-Agent", "")[:_MAX_AGENT_CHARS]
    host = request.client.host if request.client else ""
    try:
        ip = str(ipaddress.ip_address(host))
    except ValueError:
        ip = None
    return Device(agent or None, ip)


async def admit_address(request: Request, services: ServicesDep) -> None:
    """Count the attempt by the address it comes from. Raises `TooManyFromHere`."""
    if services.limits is not None:
        wait_s = await services.limits.admit_address(request)
        if wait_s is not None:
            raise errors.TooManyFromHere(retry_after_s=wait_s)


AccountsDep = Annotated[Accounts, Depends(get_accounts)]
BearerDep = Annotated[Bearer, Depends(require_bearer)]


@router.post(
    "/signup",
    response_model=Grant,
    openapi_extra=wire.body_of(wire.SignUp),
    responses=wire.responses(
        *_OF_BODY,
        errors.SignUpClosed,
        errors.UserExists,
        errors.InvitationUnknown,
        errors.WeakPassword,
        errors.TooManyFromHere,
    ),
    dependencies=[Depends(admit_address)],
)
async def sign_up(request: Request, services: ServicesDep, accounts: AccountsDep) -> Response:
    """Make an account with an agency of its own, and sign in.

    The agency is called `data.agency_name`, else as the e-mail. With the token of an invitation as
    `data.invitation` the account joins the agency that invited, also where sign-up is closed.
    """
    body = await wire.read(request, wire.SignUp)
    data = dict(body.data or {})
    token = data.pop("invitation", None)
    grant = await accounts.sign_up(
        body.email,
        body.password,
        data=data,
        agency=_agency_name(data),
        invitation=None if token is None else _invitation(services.cursors, token),
        device=device(request),
    )
    return _sent(grant)


@router.post(
    "/token",
    response_model=Grant,
    openapi_extra=wire.body_of(wire.PasswordGrant, wire.RefreshGrant),
    responses=wire.responses(
        *_OF_BODY,
        errors.UnsupportedGrant,
        errors.InvalidCredentials,
        errors.UserBanned,
        errors.TooManyGuesses,
        errors.TooManyFromHere,
        errors.RefreshTokenUnknown,
        errors.RefreshTokenUsed,
        errors.SessionExpired,
    ),
    dependencies=[Depends(admit_address)],
)
async def get_token(
    request: Request,
    accounts: AccountsDep,
    grant_type: Annotated[str, Query(description="`password` or `refresh_token`.")] = "",
) -> Response:
    """Sign in with e-mail and password, or go on with a refresh token, which works once."""
    match grant_type:
        case "password":
            body = await wire.read(request, wire.PasswordGrant)
            grant = await accounts.sign_in(body.email, body.password, device=device(request))
        case "refresh_token":
            refresh = await wire.read(request, wire.RefreshGrant)
            grant = await accounts.refresh(refresh.refresh_token)
        case _:
            raise errors.UnsupportedGrant
    return _sent(grant)


@router.get("/user", response_model=User, responses=wire.responses(*_OF_BEARER))
async def get_user(accounts: AccountsDep, bearer: BearerDep) -> Response:
    """The user whose access token it is."""
    return _sent(await accounts.read(bearer))


@router.put(
    "/user",
    response_model=User,
    openapi_extra=wire.body_of(wire.UserChanges),
    responses=wire.responses(
        *_OF_BEARER,
        *_OF_BODY,
        errors.WeakPassword,
        errors.SamePassword,
        errors.WrongPassword,
        errors.NotAdmin,
        errors.NotOffered,
    ),
)
async def change_user(request: Request, accounts: AccountsDep, bearer: BearerDep) -> Response:
    """Change the password, which ends the user's other sessions, or what `data` says of them."""
    body = await wire.read(request, wire.UserChanges)
    if body.app_metadata is not None:
        raise errors.NotAdmin
    if body.email or body.phone:
        before = await accounts.read(bearer)
        if body.phone or body.email != before.email:
            raise errors.NotOffered
    user = await accounts.change(
        bearer,
        password=body.password,
        current_password=body.current_password,
        data=body.data,
    )
    return _sent(user)


@router.post(
    "/logout",
    status_code=204,
    response_class=Response,
    responses=wire.responses(*_OF_BEARER, errors.ValidationFailed),
)
async def sign_out(
    accounts: AccountsDep,
    bearer: BearerDep,
    scope: Annotated[str, Query(description="`global` (the default), `local`, `others`.")] = "",
) -> Response:
    """Sign out: everywhere, here, or everywhere else. Access tokens stay valid until they expire."""
    try:
        where = Scope(scope or Scope.GLOBAL)
    except ValueError:
        raise errors.ValidationFailed("Unsupported logout scope") from None
    await accounts.sign_out(bearer, where)
    return Response(status_code=204)


@router.get("/health")
async def get_sign_in_health() -> dict[str, str]:
    """That the sign-in answers."""
    return {
        "version": version("gardenos"),
        "name": "GardenOS",
        "description": "The built-in sign-in of GardenOS, in GoTrue's wire format",
    }


@router.get("/settings")
async def get_sign_in_settings(services: ServicesDep) -> dict[str, Any]:
    """In which ways people can sign in here."""
    return {
        "external": {"email": True, "phone": False, "anonymous_users": False},
        "disable_signup": services.settings.signup == "closed",
        "mailer_autoconfirm": True,
        "phone_autoconfirm": False,
        "sms_provider": "",
        "saml_enabled": False,
    }


@router.get("/.well-known/jwks.json", response_model=Jwks)
async def get_jwks(services: ServicesDep) -> Response:
    """The public keys that access tokens are verified with."""
    issuer: TokenIssuer = services.extras[ISSUER]
    return JSONResponse(issuer.jwks(), headers={"Cache-Control": "public, max-age=600"})


def _invitation(signer: CursorSigner, token: Any) -> bytes:
    digest = invitations.digest(signer, token) if isinstance(token, str) else None
    if digest is None:
        raise errors.InvitationUnknown
    return digest


def _agency_name(data: dict[str, Any]) -> str | None:
    name = data.get("agency_name")
    if name is None:
        return None
    if not isinstance(name, str) or len(name.strip()) > _MAX_AGENCY_CHARS:
        raise errors.ValidationFailed(
            f"data.agency_name must be a text of at most {_MAX_AGENCY_CHARS} characters"
        )
    return name.strip() or None


def _sent(answer: Grant | User) -> Response:
    # GoTrue leaves out what is absent.
    return Response(
        answer.model_dump_json(exclude_none=True),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
