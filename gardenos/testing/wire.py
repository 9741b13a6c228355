"""A scripted wire for HTTP clients: answers behind httpx's transport, time that only sleep moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx

Answer: TypeAlias = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def problem(status: int, code: str, detail: str = "No.", **more: Any) -> httpx.Response:
    """An error answer as GardenOS gives it."""
    return httpx.Response(
        status,
        json={
            "type": f"urn:gardenos:problem:{code}",
            "title": code,
            "status": status,
            "detail": detail,
            **more,
        },
        headers={"Content-Type": "application/problem+json"},
    )


@dataclass
class Wire:
    """Gives its answers one after another and keeps what was asked."""

    answers: list[Answer] = field(default_factory=list[Answer])
    asked: list[httpx.Request] = field(default_factory=list[httpx.Request])
    slept: list[float] = field(default_factory=list[float])
    time: float = 1000.0

    def will(self, *answers: Answer) -> None:
        """Give these answers next, in order."""
        self.answers.extend(answers)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """What an `httpx.MockTransport` calls."""
        request.read()
        return self._answer(request)

    async def ahandle(self, request: httpx.Request) -> httpx.Response:
        """What an `httpx.MockTransport` of an async client calls."""
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if not self.answers:
            raise AssertionError(f"Nothing was to answer {request.method} {request.url}.")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def sleep(self, seconds: float) -> None:
        """Let time pass without waiting."""
        self.slept.append(seconds)
        self.time += seconds

    async def asleep(self, seconds: float) -> None:
        """Let time pass without waiting."""
        self.sleep(seconds)

    def monotonic(self) -> float:
        """Now, in seconds."""
        return self.time

    @property
    def paths(self) -> list[str]:
        """What was asked, as `GET /v1/leads`."""
        return [f"{request.method} {request.url.path}" for request in self.asked]
