"""An OpenAI-compatible endpoint on this machine that answers, or misbehaves, as a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias

_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint sends back."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hangs: bool = False
    """Never answers: the connection stays open until the client or the server closes it."""
    drops: bool = False
    """Closes the connection instead of answering."""


Script: TypeAlias = Callable[[Mapping[str, Any]], Answer]
"""From a request's body to the answer."""

HANG = Answer(hangs=True)
DROP = Answer(drops=True)


def said(
    content: str | Mapping[str, Any] | None,
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: tuple[int, int] | None = (120, 40),
) -> Answer:
    """A chat completion saying `content` (JSON for a mapping), with its token counts."""
    text = json.dumps(content) if isinstance(content, Mapping) else content
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "whatever-was-asked",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, "refusal": refusal},
            }
        ],
    }
    if usage is not None:
        read, written = usage
        body["usage"] = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
    return Answer(body=json.dumps(body).encode())


def error(status: int, *, code: str | None = None, **headers: str) -> Answer:
    """An error in OpenAI's shape; `retry_after="2"` becomes the header Retry-After."""
    body = {"error": {"message": HTTPStatus(status).phrase, "type": "error", "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body).encode(), named)


def mode_of(request: Mapping[str, Any]) -> str:
    """How a request asks for JSON: `json_schema` or `json_object`."""
    return str(request["response_format"]["type"])


class ModelServer:
    """The running endpoint: give it a script, read what it was asked."""

    def __init__(self, script: Script | list[Answer]) -> None:
        """A list is answered in order; a request past its end gets 500."""
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str] = []
        self.port = 0
        self.script = script
        self._open: set[asyncio.StreamWriter] = set()
        self.was_asked = asyncio.Event()
        """Set when a first request is in."""
        self.gave_up = asyncio.Event()
        """Set when a client closed a connection it had not got an answer on."""

    @property
    def url(self) -> str:
        """The base URL a client takes."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the one request of a connection."""
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(_END_OF_HEAD)).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.requests.append(body)
        self.was_asked.set()
        self.authorizations.append(headers.get("authorization", ""))
        answer = self._next(body)
        if answer.drops:
            return
        if answer.hangs:
            await reader.read()  # ends when the client gives up
            self.gave_up.set()
            return
        lines = {
            "content-type": "application/json",
            **{name.lower(): value for name, value in answer.headers.items()},
            "content-length": str(len(answer.body)),
            "connection": "close",
        }
        status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        text = status + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        writer.write(text.encode("latin-1") + answer.body)
        await writer.drain()

    def _next(self, body: Mapping[str, Any]) -> Answer:
        if callable(self.script):
            return self.script(body)
        return self.script.pop(0) if self.script else error(500)

    def close_connections(self) -> None:
        """Close what is still open."""
        for writer in self._open:
            writer.close()


@asynccontextmanager
async def model_server(script: Script | list[Answer]) -> AsyncGenerator[ModelServer]:
    """An endpoint on a free port of the loopback interface."""
    model = ModelServer(script)
    server = await asyncio.start_server(model.serve_connection, "127.0.0.1", 0)
    model.port = server.sockets[0].getsockname()[1]
    try:
        yield model
    finally:
        server.close()
        model.close_connections()
        await server.wait_closed()
