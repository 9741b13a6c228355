"""A bound on request bodies, by what they announce and by what arrives."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gardenos.core.errors import BodyTooLarge
from gardenos.web.problems import problem_response

_DIGITS = 18
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


class _Exceeded(HTTPException):
    """Raised into whoever reads the body; an HTTPException, which FastAPI hands on unchanged."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, _sentence(limit))


def _sentence(limit: int) -> str:
    return (
        f"The request body is larger than the {limit:,} bytes this route takes. Send less at once."
    )


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # Python reads no number of thousands of digits; the first ones are large enough.
            return int(value[:_DIGITS]) if value.isdigit() else 0
    return 0


class BodyLimit:
    """ASGI middleware: answers 413 for bodies over `max_bytes`, over `larger[path]` on that path.

    A path that ends with a slash stands for all below it.
    """

    def __init__(
        self, app: ASGIApp, *, max_bytes: int, larger: Mapping[str, int] | None = None
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _BODILESS:
            await self.app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        if _announced(scope) > limit:
            await _refuse(limit, scope, receive, send)
            return
        await self._count(limit, scope, receive, send)

    def _limit(self, path: str) -> int:
        if path in self.larger:
            return self.larger[path]
        return next(
            (n for p, n in self.larger.items() if p.endswith("/") and path.startswith(p)),
            self.max_bytes,
        )

    async def _count(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0
        answered = False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    raise _Exceeded(limit)
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except _Exceeded:
            if answered:
                raise
            await _refuse(limit, scope, receive, send)


async def _refuse(limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(BodyTooLarge(_sentence(limit)), instance=scope["path"])
    # The rest of the body is still on its way: the connection cannot carry another request.
    response.headers["Connection"] = "close"
    await response(scope, receive, send)
