from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gardenos.web.body_limit import BodyLimit


async def length(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers how many bytes of the body arrived."""
    taken, more = 0, True
    while more:
        message = await receive()
        taken += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(taken).encode()})


async def call(
    app: ASGIApp,
    pieces: Sequence[bytes],
    *,
    path: str = "/",
    method: str = "POST",
    announced: bytes | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a body that comes in pieces."""
    arriving = iter(pieces)
    left = len(pieces)
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": next(arriving, b""), "more_body": left > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [] if announced is None else [(b"content-length", announced)]
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": headers,
    }
    await app(scope, receive, send)
    start, *bodies = sent
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], found, b"".join(message.get("body", b"") for message in bodies)


LIMITED = BodyLimit(length, max_bytes=100, larger={"/imports": 1000})


@pytest.mark.parametrize(
    ("pieces", "path", "status"),
    [
        ([b""], "/", 200),
        ([b"x" * 100], "/", 200),
        ([b"x" * 101], "/", 413),
        ([b"x" * 50, b"x" * 50], "/", 200),
        ([b"x" * 50, b"x" * 50, b"x"], "/", 413),
        ([b"x" * 1000], "/imports", 200),
        ([b"x" * 1001], "/imports", 413),
        ([b"x" * 101], "/imports/7", 413),
    ],
)
async def test_what_arrives_is_bounded_by_path(
    pieces: Sequence[bytes], path: str, status: int
) -> None:
    assert (await call(LIMITED, pieces, path=path))[0] == status


@pytest.mark.parametrize(
    ("announced", "status"),
    [(b"100", 200), (b"101", 413), (b"9" * 5000, 413), (b"-5", 200), (b"", 200), (b"x", 200)],
)
async def test_what_is_announced_is_refused_before_it_comes(announced: bytes, status: int) -> None:
    assert (await call(LIMITED, [b"x" * 100], announced=announced))[0] == status


async def test_a_small_announcement_does_not_let_more_in() -> None:
    assert (await call(LIMITED, [b"x" * 101], announced=b"1"))[0] == 413


async def test_the_refusal_is_a_problem_and_ends_the_connection() -> None:
    status, headers, body = await call(LIMITED, [b"x" * 101])
    assert status == 413
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    problem = json.loads(body)
    assert problem["type"] == "urn:gardenos:problem:body-too-large"
    assert "100 bytes" in problem["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_methods_without_a_body_are_let_through(method: str) -> None:
    assert (await call(LIMITED, [b""], method=method, announced=b"500"))[0] == 200


async def test_an_answer_under_way_is_cut_and_not_answered_twice() -> None:
    started: list[int] = []

    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            started.append(len((await receive())["body"]))

    with pytest.raises(HTTPException) as caught:
        await call(BodyLimit(hasty, max_bytes=100), [b"x" * 60, b"x" * 60])
    assert caught.value.status_code == 413
    assert started == [60]


async def test_other_protocols_pass_untouched() -> None:
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    await BodyLimit(inner, max_bytes=1)({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]
