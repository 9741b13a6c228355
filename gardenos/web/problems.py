"""Every error as problem+json (RFC 9457): ours, FastAPI's, and the ones nobody foresaw."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from gardenos.core import errors
from gardenos.core.errors import GardenOSError

MEDIA_TYPE = "application/problem+json"
COMMON: tuple[type[GardenOSError], ...] = (
    errors.InvalidRequest,
    errors.UnknownParameter,
    errors.Unauthenticated,
    errors.InvalidToken,
    errors.Forbidden,
    errors.AgencyMissing,
    errors.RateLimited,
    errors.GardenOSError,
    errors.Unavailable,
    errors.DatabaseUnavailable,
)
"""What any signed-in route can end in: `responses(*COMMON, NotFound)`."""
BODY: tuple[type[GardenOSError], ...] = (
    errors.BodyTooLarge,
    errors.UnsupportedMedia,
    errors.InvalidContent,
)
"""What a route that reads a JSON body can end in besides."""
_MAX_LISTED = 100
_MAX_QUOTED_CHARS = 200
BUSY = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    asyncpg.InvalidCachedStatementError,
)
"""What the database raises when it would work a moment later."""
_log = structlog.get_logger(__name__)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
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


class ProblemResponse(JSONResponse):
    """A problem object on its way out; it can quote any text a request brought in."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        # What a request called its fields comes back in here, half a surrogate pair included.
        return text.encode("utf-8", "replace")


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
    return ProblemResponse(error.problem(instance=instance), error.status, headers=headers)


def _pointer(location: Sequence[int | str]) -> str:
    where, *rest = location or ("body",)
    if where == "body":
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in rest)
    else:
        pointer = str(rest[0] if rest else where)
    return pointer[:_MAX_QUOTED_CHARS]


def _detail(fault: Mapping[str, Any]) -> str:
    # Bounds that pydantic checks behind a validator of ours count "items", also of a text.
    context = fault.get("ctx", {})
    if isinstance(fault.get("input"), str):
        if fault["type"] == "too_long":
            return f"is longer than {context['max_length']:,} characters"
        if fault["type"] == "too_short":
            least = context["min_length"]
            return "is blank" if least == 1 else f"is shorter than {least} characters"
    return str(fault["msg"])[:_MAX_QUOTED_CHARS]


def from_validation(faults: Sequence[Mapping[str, Any]]) -> GardenOSError:
    """Pydantic's faults as one error: 422 for the body, 400 for parameters and broken JSON.

    A mandatory If-Match that is absent is 428, whatever else is wrong.
    """
    if any(f["type"] == "missing" and f["loc"] == ("header", "If-Match") for f in faults):
        return errors.PreconditionRequired()
    listed = [{"pointer": _pointer(f["loc"]), "detail": _detail(f)} for f in faults[:_MAX_LISTED]]
    outside_body = any(f["loc"] and f["loc"][0] != "body" for f in faults)
    unreadable = any(f["type"] == "json_invalid" for f in faults)
    if outside_body or unreadable:
        return errors.InvalidRequest(errors=listed)
    return errors.InvalidContent(errors=listed)


async def _on_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GardenOSError)  # noqa: S101 registered for this type only
    told = {"path": request.url.path, "code": error.code}
    if isinstance(error, errors.Unavailable):
        # A state and no mistake: where it came from in the code says nothing.
        _log.warning(
            "request_unserved", **told, detail=error.detail, cause=str(error.__cause__ or "")
        )
    elif error.status >= 500:  # noqa: PLR2004
        _log.warning("request_failed", **told, exc_info=error)
    return problem_response(error, instance=request.url.path)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for this type only
    found = from_validation(error.errors())
    if isinstance(error.body, bytes) and isinstance(found, errors.InvalidContent):
        # FastAPI leaves a body undecoded when its Content-Type is not JSON's.
        found = errors.UnsupportedMedia("Send JSON, with `Content-Type: application/json`.")
    return problem_response(found, instance=request.url.path)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for this type only
    kind = _BY_STATUS.get(error.status_code)
    if kind:
        plain = error.detail == HTTPStatus(error.status_code).phrase
        return problem_response(kind(None if plain else error.detail), instance=request.url.path)
    body = {
        "type": "about:blank",
        "title": error.detail,
        "status": error.status_code,
        "detail": f"{request.method} {request.url.path}: {error.detail}.",
    }
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return ProblemResponse(body, error.status_code, headers=headers)


def _allowed(request: Request) -> Iterator[str]:
    """The methods of the path, over all its routes: Starlette names those of the first alone."""
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method


async def _on_busy(request: Request, error: Exception) -> JSONResponse:
    _log.warning("database_busy", path=request.url.path, exc_info=error)
    busy = errors.Unavailable(
        "The database was busy with other work on the same records. Try again shortly.",
        retry_after_s=1,
    )
    return problem_response(busy, instance=request.url.path)


async def _on_missing_parent(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, asyncpg.ForeignKeyViolationError)  # noqa: S101 registered for it only
    if not str(error.constraint_name).endswith("_agency_id_fkey"):
        return await _on_anything(request, error)
    # The token outlives the agency it was made for, and nothing else asks whether that is there.
    gone = errors.AgencyMissing("Your agency does not exist any more. Sign in to another one.")
    return problem_response(gone, instance=request.url.path)


async def _on_anything(request: Request, error: Exception) -> JSONResponse:
    _log.error("request_crashed", path=request.url.path, exc_info=error)
    return problem_response(GardenOSError(), instance=request.url.path)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as problem+json, and its OpenAPI document say so."""
    app.add_exception_handler(GardenOSError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for kind in BUSY:
        app.add_exception_handler(kind, _on_busy)
    app.add_exception_handler(asyncpg.ForeignKeyViolationError, _on_missing_parent)
    app.add_exception_handler(Exception, _on_anything)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        return _with_problems(generate())

    app.openapi = openapi  # pyright: ignore[reportAttributeAccessIssue] FastAPI's documented way


_UNTRUE = "HTTPValidationError"
"""FastAPI's description of 422 answers that `install` does not let it give."""
_BODILESS = frozenset({"get", "head", "options"})
"""The others may find the body too large, whether they read one or not."""


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    for name in (_UNTRUE, "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for path in document.get("paths", {}).values():
        for method, operation in path.items():
            _complete(method, operation)
    return document


def _complete(method: str, operation: dict[str, Any]) -> None:
    """What every route has in common, and FastAPI does not know."""
    answers = operation.setdefault("responses", {})
    if _UNTRUE in str(answers.get("422", "")):
        del answers["422"]
    everywhere = [GardenOSError] if method in _BODILESS else [GardenOSError, errors.BodyTooLarge]
    for status, answer in responses(*everywhere).items():
        answers.setdefault(str(status), answer)
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    # FastAPI's optional parameters may be null, which nothing in a URL or a header can say.
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | kinds[0]
