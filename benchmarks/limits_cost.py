"""What counting a request costs it: `python benchmarks/limits_cost.py`.

The same trivial route, asked over ASGI in one process: not counted; counted where the claims are
read; counted by a middleware of its own, which has to read them, too.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gardenos.auth.deps import ClaimsDep
from gardenos.auth.tokens import TokenIssuer
from gardenos.db.pool import open_database
from gardenos.serve.composition import compose
from gardenos.testing.postgres import PostgresServer, running_server
from gardenos.web.requests import Requests
from gardenos.web.services import Services
from tests.support.local import settings_for

REQUESTS, ROUNDS = 2000, 7
Ask = Callable[[], Awaitable[None]]


class Counted:
    """The middleware that the gateway does not have."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = next(v for n, v in scope["headers"] if n == b"authorization")[7:].decode()
        claims = await self.services.verifier.verify(token)
        assert self.services.limits is not None
        await self.services.limits.admit(scope, claims)
        await self.app(scope, receive, send)


def application(services: Services, *, middleware: Services | None = None) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def get_nothing(_claims: ClaimsDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction] a route
        return {}

    if middleware:
        app.add_middleware(Counted, services=middleware)
    app.add_middleware(Requests)
    app.state.services = services
    return app


def asking(app: FastAPI, token: str) -> Ask:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200

    async def ask() -> None:
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": "/",
            "raw_path": b"/",
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {token}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await app(scope, receive, send)

    return ask


async def measure(dsn: str) -> None:
    database = await open_database(dsn, min_size=1, name="limits-cost")
    settings = settings_for(dsn, rate_limit_agency=10_000_000, rate_limit_user=10_000_000)
    services = compose(settings, database)
    unlimited = replace(services, limits=None)
    id_ = "00000000-0000-0000-0000-000000000001"
    said = {"sub": id_, "role": "authenticated", "agency_id": id_, "user_role": "owner"}
    token = TokenIssuer.of(settings).issue(said, ttl_s=3600).token
    asks = {
        "not counted": asking(application(unlimited), token),
        "counted with the claims": asking(application(services), token),
        "counted by a middleware": asking(application(unlimited, middleware=services), token),
    }
    took: dict[str, list[float]] = {name: [] for name in asks}
    for _ in range(ROUNDS):
        for name, ask in asks.items():
            began = time.process_time()
            for _ in range(REQUESTS):
                await ask()
            took[name].append((time.process_time() - began) / REQUESTS * 1e6)
    least = {name: min(rounds) for name, rounds in took.items()}
    for name, rounds in took.items():
        more = least[name] - least["not counted"]
        print(
            f"{name:26} {least[name]:7.1f} us (median {statistics.median(rounds):.1f}), +{more:.1f}"
        )
    assert services.limits is not None
    await services.limits.buckets.aclose()
    await database.pool.close()


def main() -> None:
    with running_server() as server:
        asyncio.run(_on_a_fresh_database(server))


async def _on_a_fresh_database(server: PostgresServer) -> None:

    async with server.clone() as name:
        await measure(server.app(name))


if __name__ == "__main__":
    main()
