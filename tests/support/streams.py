"""Clients of event streams over ASGI: they cost no socket, so a test can have thousands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import Message, Scope

from gardenos.sdk.events import Event, EventReader


class StreamClient:
    """Follows `path`; `events` has what came, unless `deaf`: then it takes nothing."""

    def __init__(
        self, app: FastAPI, path: str, headers: dict[str, str], *, deaf: bool = False
    ) -> None:
        self._app = app
        route, _, query = path.partition("?")
        self._scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": route,
            "raw_path": route.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": query.encode(),
            "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        self._deaf = deaf
        self._left = asyncio.Event()
        self._reader = EventReader()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.status = 0
        self.body = b""
        self.answered = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    @property
    def last_id(self) -> str:
        return self._reader.last_id

    def start(self) -> None:
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        await self._app(self._scope, self._receive, self._send)

    async def _receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answered.set()
            return
        if self._deaf:
            await self._left.wait()
        self.body += message["body"] if self.status != 200 else b""
        for line in message["body"].decode().splitlines() if self.status == 200 else ():
            event = self._reader.take(line)
            if event:
                self.events.put_nowait(event)

    async def next(self) -> Event:
        try:
            async with asyncio.timeout(15):
                return await self.events.get()
        except TimeoutError:
            why = self.task.exception() if self.task and self.task.done() else None
            raise AssertionError(
                f"No event; status {self.status}, {self.body!r}, {why!r}."
            ) from why

    async def leave(self) -> None:
        self._left.set()
        if self.task:
            await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def following(
    app: FastAPI, token: str, path: str = "/events", *, last: str = "", **options: Any
) -> AsyncGenerator[StreamClient]:
    """A client that follows until the block ends."""
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
    client = StreamClient(app, path, headers, **options)
    client.start()
    try:
        yield client
    finally:
        await client.leave()
