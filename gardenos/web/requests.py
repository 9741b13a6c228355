"""Every request has an id, which its log lines carry, and is observed once."""

from __future__ import annotations

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gardenos.observability.events import RequestServed, observe
from gardenos.web import limits

HEADER: Final = "X-Request-Id"
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_CRASHED = 500


class Requests:
    """ASGI middleware: logs under the request's `X-Request-Id` where that is fit for a log.

    Answers also carry what was noted of the limits that a request was counted against.

    Ray Serve gives every request one that brings none, and repeats it in the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ACCEPTABLE.fullmatch(given) else uuid4().hex
        began = time.perf_counter()
        status = _CRASHED

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                limits.add_headers(scope, message)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, noted)
            finally:
                observe(
                    RequestServed(
                        method=scope["method"],
                        route=_template(scope),
                        status=status,
                        duration_s=time.perf_counter() - began,
                    )
                )


def _template(scope: Scope) -> str:
    # Paths carry ids: as a label, each would be a time series of its own.
    return getattr(scope.get("route"), "path", "unmatched")
