"""An error answer as the exception it stands for: chosen by its code, else by its status."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, cast

import httpx

from gardenos.core import errors
from gardenos.core.errors import PROBLEM_TYPE_PREFIX, GardenOSError
from gardenos.sdk.errors import Unreachable

_NOT_FOUND = 404
_OWN_MEMBERS = frozenset({"type", "title", "status", "detail", "errors"})
_SHOWN_CHARS = 200


def _tree(kind: type[GardenOSError]) -> Iterator[type[GardenOSError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


_BY_CODE = {kind.code: kind for kind in _tree(GardenOSError)}
_BY_STATUS = {kind.status: kind for kind in reversed(list(_tree(GardenOSError)))}
"""The topmost class of each status: parents come later here and so overwrite their children."""


@lru_cache(maxsize=256)
def _unknown(status: int, code: str) -> type[GardenOSError]:
    """A class for a problem newer than this client: status and code are a class's to carry."""
    return type("UnknownProblem", (GardenOSError,), {"status": status, "code": code})


def _kind(status: int, code: str | None) -> type[GardenOSError]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code is None and status in _BY_STATUS:
        return _BY_STATUS[status]
    return _unknown(status, code or f"http-{status}")


def _body(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", body) if isinstance(body, dict) else {}


def retry_after_s(response: httpx.Response) -> float | None:
    """The seconds its Retry-After asks for, which may be given as a date; None without one."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def is_stopgap(response: httpx.Response) -> bool:
    """Whether not GardenOS answered, but Serve's own proxy in its place.

    That one says 404 in plain text while it knows no routes; GardenOS always says it in JSON.
    """
    return response.status_code == _NOT_FOUND and not _body(response)


def from_response(response: httpx.Response) -> GardenOSError:
    """The exception an error answer stands for; problem+json, GoTrue's shape, or any text."""
    body = _body(response)
    if is_stopgap(response):
        return Unreachable(
            f"Something answers there, but it is not GardenOS: {_shown(response)}. GardenOS may be "
            "starting. Check the URL, and that `gardenos status` says it runs."
        )
    about = body.get("type")
    code: str | None = None
    if isinstance(about, str) and about.startswith(PROBLEM_TYPE_PREFIX):
        code = about.removeprefix(PROBLEM_TYPE_PREFIX)
    said = body.get("detail") or body.get("msg") or body.get("error_description")
    detail = str(said) if said else None
    if detail is None and not body:
        detail = _shown(response)
    faults = body.get("errors")
    return _kind(response.status_code, code)(
        detail,
        errors=cast("list[Mapping[str, Any]]", faults) if isinstance(faults, list) else (),
        retry_after_s=retry_after_s(response),
        extra={name: value for name, value in body.items() if name not in _OWN_MEMBERS},
    )


def _shown(response: httpx.Response) -> str:
    shown = response.text.strip()[:_SHOWN_CHARS]
    return f"{response.status_code} {response.reason_phrase}: {shown}".rstrip(": ")


@contextmanager
def unreachable(url: str) -> Generator[None]:
    """Turn what a transport raises into `Unreachable`."""
    try:
        yield
    except httpx.TransportError as error:
        why = str(error) or type(error).__name__
        raise Unreachable(
            f"{url} cannot be reached: {why}. Check the URL, and that `gardenos status` says it runs."
        ) from error
