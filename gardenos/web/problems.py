"""Every error as problem+json (RFC 9457): ours, FastAPI's, and the ones nobody foresaw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from gardenos.core import errors
from gardenos.core.errors import GardenOSError

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)
_BY_STATUS: Mapping[int, type[GardenOSError]] = {
    400: errors.InvalidRequest,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.BodyTooLarge,
    415: errors.UnsupportedMedia,
    422: errors.InvalidContent,
    429: errors.RateLimited,
    503: errors.Unavailable,
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    pointer: str = Field(description="JSON Pointer into the body, or the parameter's name.")
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="urn:gardenos:problem:<code>; see docs/errors.md.")
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[FieldProblem] | None = None


def responses(*kinds: type[GardenOSError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of a route that can end in these errors."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        entry = found.setdefault(
            kind.status,
            {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        )
        described = f"`{kind.code}`: {kind().detail}"
        entry["description"] = "\n\n".join(filter(None, [entry.get("description"), described]))
    return found


def problem_response(error: GardenOSError, *, instance: str | None = None) -> JSONResponse:
    """The HTTP answer to an error."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="gardenos"'
    return JSONResponse(
        error.problem(instance=instance), error.status, headers=headers, media_type=MEDIA_TYPE
    )


def _pointer(location: Sequence[int | str]) -> str:
    where, *rest = location or ("body",)
    if where == "body":
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in rest)
    return str(rest[0]) if rest else str(where)


def from_validation(faults: Sequence[Mapping[str, Any]]) -> GardenOSError:
    """Pydantic's faults as one error: 422 for the body, 400 for parameters and broken JSON."""
    listed = [{"pointer": _pointer(f["loc"]), "detail": str(f["msg"])} for f in faults]
    outside_body = any(f["loc"] and f["loc"][0] != "body" for f in faults)
    unreadable = any(f["type"] == "json_invalid" for f in faults)
    if outside_body or unreadable:
        return errors.InvalidRequest(errors=listed)
    return errors.InvalidContent(errors=listed)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as problem+json."""

    async def on_ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, GardenOSError)  # noqa: S101 registered for this type only
        if error.status >= 500:  # noqa: PLR2004
            _log.warning("request_failed", path=request.url.path, code=error.code, exc_info=error)
        return problem_response(error, instance=request.url.path)

    async def on_validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 registered for this type only
        return problem_response(from_validation(error.errors()), instance=request.url.path)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 registered for this type only
        kind = _BY_STATUS.get(error.status_code)
        if kind:
            return problem_response(kind(), instance=request.url.path)
        body = {
            "type": "about:blank",
            "title": error.detail,
            "status": error.status_code,
            "detail": f"{request.method} {request.url.path}: {error.detail}.",
        }
        return JSONResponse(
            body, error.status_code, headers=dict(error.headers or {}), media_type=MEDIA_TYPE
        )

    async def on_anything(request: Request, error: Exception) -> JSONResponse:
        _log.error("request_crashed", path=request.url.path, exc_info=error)
        return problem_response(GardenOSError(), instance=request.url.path)

    app.add_exception_handler(GardenOSError, on_ours)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_anything)
