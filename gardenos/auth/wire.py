"""GoTrue's wire format: what its routes read, and errors in the shape that Supabase's clients know."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, TypeVar, cast

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from starlette.exceptions import HTTPException

from gardenos.auth.errors import BadJson, BadToken, SignInError, ValidationFailed, WeakPassword
from gardenos.core.errors import GardenOSError, InvalidToken
from gardenos.web.text import email_like, storable

VERSION_HEADER = "X-Supabase-Api-Version"
VERSION = "2024-01-01"
"""Clients that ask for this version or a later one read another shape of error."""
MAX_EMAIL_CHARS = 255
MAX_DATA_BYTES = 4096
"""What users say about themselves is part of their access tokens, which travel in a header."""
_MAX_DATA_DEPTH = 32
"""Tokens are read by programs in every language, and the JSON readers of some stop at 64."""
_MAX_PASSWORD_CHARS = 4096
_MAX_QUOTED_CHARS = 200
_INTERNAL = 500
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL, and not an escaped backslash before the letters u0000."""
_log = structlog.get_logger(__name__)
B = TypeVar("B", bound=BaseModel)


def _lower(value: str) -> str:
    return email_like(value.strip()).lower()


def _depth(value: Any) -> int:
    match value:
        case dict():
            inner = cast("dict[str, Any]", value).values()
        case list():
            inner = cast("list[Any]", value)
        case _:
            return 0
    return 1 + max(map(_depth, inner), default=0)


def as_json(data: Mapping[str, Any]) -> str:
    """What users say about themselves, as short as it can be. Raises ValueError for no JSON."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _fits_a_token(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = as_json(value)
    except ValueError:
        raise PydanticCustomError("number", "holds a number that is none in JSON") from None
    if _NUL.search(text):
        raise PydanticCustomError("nul_character", "contains a NUL character")
    if _depth(value) > _MAX_DATA_DEPTH:
        depth = {"limit": _MAX_DATA_DEPTH}
        raise PydanticCustomError("too_deep", "is nested deeper than {limit} levels", depth)
    if len(text.encode()) > MAX_DATA_BYTES:
        limit = {"limit": MAX_DATA_BYTES}
        raise PydanticCustomError("too_long", "is longer than {limit} bytes as JSON", limit)
    return value


Address = Annotated[
    str, AfterValidator(storable), AfterValidator(_lower), Field(max_length=MAX_EMAIL_CHARS)
]
Secret = Annotated[str, Field(max_length=_MAX_PASSWORD_CHARS)]
Data = Annotated[dict[str, Any], AfterValidator(_fits_a_token)]


class Body(BaseModel):
    """What a route reads. Fields it does not know are passed over, as GoTrue does."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class SignUp(Body):
    """A new account."""

    email: Address
    password: Secret = Field(repr=False)
    data: Data | None = None


class PasswordGrant(Body):
    """Signing in."""

    email: Address
    password: Secret = Field(repr=False)


class RefreshGrant(Body):
    """Going on with a session."""

    refresh_token: str = Field(min_length=1, max_length=1024, repr=False)


class UserChanges(Body):
    """What a user changes about themselves."""

    email: Address | None = None
    phone: Annotated[str, Field(max_length=64)] | None = None
    password: Secret | None = Field(None, repr=False)
    current_password: Secret | None = Field(None, repr=False)
    data: Data | None = None
    app_metadata: dict[str, Any] | None = None


class Refusal(BaseModel):
    """An error, as GoTrue has it."""

    code: int = Field(description="The HTTP status.")
    error_code: str
    msg: str
    weak_password: dict[str, list[str]] | None = Field(
        None, description="With `weak_password`: the reasons."
    )


async def read(request: Request, kind: type[B]) -> B:
    """The request's JSON body, whatever Content-Type it came with: GoTrue asks for none.

    Raises `BadJson`, `ValidationFailed`.
    """
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        raise _explained(error.errors(include_input=False, include_url=False)) from None


def body_of(*kinds: type[BaseModel]) -> dict[str, Any]:
    """For a route's OpenAPI: the body it reads is one of these."""
    schemas = [kind.model_json_schema() for kind in kinds]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def responses(*kinds: type[GardenOSError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of a route that can end in these errors."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        entry = found.setdefault(kind.status, {"model": Refusal})
        described = f"`{kind.code}`: {kind().detail}"
        entry["description"] = "\n\n".join(filter(None, [entry.get("description"), described]))
    return found


class GoTrueRoute(APIRoute):
    """A route whose errors have GoTrue's shape instead of problem+json."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except GardenOSError as error:
                return _refusal(request, error)
            except RequestValidationError as error:
                return _refusal(request, _explained(error.errors()))
            except HTTPException as error:
                if error.status_code >= _INTERNAL:
                    raise
                return _answer(request, error.status_code, "unknown", str(error.detail))

        return answer


def _explained(faults: Any) -> SignInError:
    first: ErrorDetails = faults[0]
    if first["type"] == "json_invalid":
        return BadJson(f"Could not parse request body as JSON: {first['msg']}"[:_MAX_QUOTED_CHARS])
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return ValidationFailed(f"{field}: {first['msg']}"[:_MAX_QUOTED_CHARS])


def _refusal(request: Request, error: GardenOSError) -> JSONResponse:
    if error.status >= _INTERNAL:
        _log.warning("request_failed", path=request.url.path, code=error.code, exc_info=error)
    if isinstance(error, InvalidToken):
        error = BadToken(f"invalid JWT: {error.detail}")
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    more: Mapping[str, Any] = {}
    if isinstance(error, WeakPassword):
        more = {"weak_password": {"reasons": list(error.reasons)}}
    code = error.code.replace("-", "_")
    return _answer(request, error.status, code, error.detail, headers=headers, more=more)


def _answer(
    request: Request,
    status: int,
    code: str,
    said: str,
    *,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    sent = dict(headers or {}) | {"x-sb-error-code": code}
    # What was sent comes back in some messages, and not all of it is text that UTF-8 can hold.
    text = said.encode("utf-8", "replace").decode()
    if _asks_for(request.headers.get(VERSION_HEADER, "")):
        body: dict[str, Any] = {"code": code, "message": text}
        sent[VERSION_HEADER] = VERSION
    else:
        body = {"code": status, "error_code": code, "msg": text}
    return JSONResponse(body | dict(more or {}), status, headers=sent)


def _asks_for(version: str) -> bool:
    # ISO dates sort as text; anything else asks for nothing.
    return len(version) == len(VERSION) and version[:4].isdigit() and version >= VERSION
