"""What a create and a read pay for Idempotency-Key, ETag, rate limits, audit log and outbox.

In round trips to PostgreSQL, counted on the connection, and in microseconds, through the whole
application (token, validation, session, policies) without a server in front of it.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Final

import asyncpg
import httpx
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.tasks import running_server
from gardenos.auth.keys import new_signing_key
from gardenos.cli.problems import told
from gardenos.core.config import Settings
from gardenos.db import migrate
from gardenos.db.pool import open_database
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection
    from gardenos.web.services import Services

console = Console(highlight=False)
MOST_READ: Final = 3
MOST: Final = 4
_LEADS: Final = "/v1/leads"
_PLENTY: Final = 10_000_000
_TOGGLE: Final = "ALTER TABLE leads {} TRIGGER leads_record_inserts"


@dataclass(slots=True)
class Case:
    """One way to ask, and what it took."""

    name: str
    against: str | None
    """The case it adds something to."""
    most: int
    ask: Callable[[], Awaitable[httpx.Response]]
    status: int
    audited: bool = True
    trips: int = 0
    us: list[float] = field(default_factory=list[float])
    """The median of each round."""


class Bench:
    """The application on one connection that tells of every statement."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        unlimited: httpx.AsyncClient,
        admin: AdminConnection,
        lead: str,
    ) -> None:
        self._client = client
        self._admin = admin
        self._keys = itertools.count()
        self._trips = 0
        one = f"{_LEADS}/{lead}"
        self.cases: Sequence[Case] = (
            Case("create, nothing recorded", None, MOST, self._create, 201, audited=False),
            Case("create", "create, nothing recorded", MOST, self._create, 201),
            Case("create, Idempotency-Key", "create", MOST, self._create_once, 201),
            Case("the same repeated", "create", MOST, self._repeat, 201),
            Case("read, no rate limit", None, MOST_READ, lambda: unlimited.get(one), 200),
            Case("read", "read, no rate limit", MOST_READ, lambda: client.get(one), 200),
            Case(
                "read, If-None-Match",
                "read",
                MOST_READ,
                lambda: client.get(one, headers={"If-None-Match": '"1"'}),
                304,
            ),
            Case("list of 50", None, MOST_READ, lambda: client.get(_LEADS), 200),
        )

    def note(self, _query: LoggedQuery) -> None:
        """Count a round trip; see asyncpg's query loggers."""
        self._trips += 1

    async def _create(self, headers: Mapping[str, str] | None = None) -> httpx.Response:
        body = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org"}
        return await self._client.post(_LEADS, json=body, headers=dict(headers or {}))

    async def _create_once(self) -> httpx.Response:
        return await self._create({"Idempotency-Key": f"key {next(self._keys)}"})

    async def _repeat(self) -> httpx.Response:
        return await self._create({"Idempotency-Key": "always"})

    async def measure(self, case: Case, *, calls: int) -> None:
        """A round of it."""
        if not case.audited:
            await self._admin.execute(_TOGGLE.format("DISABLE"))
        took: list[float] = []
        trips: list[int] = []
        for _ in range(calls):
            self._trips = 0
            began = time.perf_counter()
            answer = await case.ask()
            took.append((time.perf_counter() - began) * 1e6)
            trips.append(self._trips)
            assert answer.status_code == case.status, answer.text
        # Of most: at the first, asyncpg learns what the statements take and give, and now and then
        # the limits are told to the other gateways.
        case.trips = statistics.mode(trips)
        case.us.append(statistics.median(took))
        if not case.audited:
            await self._admin.execute(_TOGGLE.format("ENABLE"))


def _token(services: Services, claims: Claims) -> str:
    said = {
        "sub": str(claims.sub),
        "role": "authenticated",
        "agency_id": str(claims.agency_id),
        "user_role": claims.user_role.value,
    }
    token: str = services.extras["issuer"].issue(said, ttl_s=3600).token
    return token


async def run(*, rounds: int, calls: int) -> Sequence[Case]:
    """Measure on a server of its own."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(running_server())
        first = await asyncpg.connect(server.dsn("postgres"))
        await first.execute("CREATE DATABASE protocol")
        await first.close()
        await migrate.migrate(server.dsn("protocol"), app_password=server.password)
        admin = await asyncpg.connect(server.dsn("protocol"))
        stack.push_async_callback(admin.close)
        claims = await make_member(admin)
        app_dsn = server.postgres.dsn("gardenos_app", server.password, database="protocol")
        database = await open_database(app_dsn, min_size=1, max_size=1, name="bench-protocol")
        stack.push_async_callback(database.pool.close)
        services = compose(_settings(app_dsn), database)
        assert services.limits is not None
        stack.push_async_callback(services.limits.buckets.aclose)

        async def client(known: Services) -> httpx.AsyncClient:
            made = httpx.AsyncClient(
                transport=httpx.ASGITransport(create_api(known)),
                base_url="http://bench",
                headers={"Authorization": f"Bearer {_token(services, claims)}"},
            )
            return await stack.enter_async_context(made)

        limited, unlimited = await client(services), await client(replace(services, limits=None))
        made = await limited.post(_LEADS, json={"last_name": "Lovelace"})
        bench = Bench(limited, unlimited, admin, made.json()["id"])
        async with database.pool.acquire() as conn:
            conn.add_query_logger(bench.note)
        await _measure(bench, rounds=rounds, calls=calls)
        return bench.cases


def _settings(dsn: str) -> Settings:
    return Settings(
        database_url=SecretStr(dsn),
        cursor_secret=SecretStr(secrets.token_hex(32)),
        jwt_signing_key=SecretStr(new_signing_key()),
        rate_limit_agency=_PLENTY,
        rate_limit_user=_PLENTY,
    )


async def _measure(bench: Bench, *, rounds: int, calls: int) -> None:
    with Progress(console=console) as bar:
        shown = bar.add_task("", total=(rounds + 1) * len(bench.cases))
        for turn in range(rounds + 1):
            for case in bench.cases:
                bar.update(shown, description=case.name)
                await bench.measure(case, calls=calls)
                bar.advance(shown)
                if turn == 0:
                    # The first round fills caches.
                    case.us.clear()


def show(cases: Sequence[Case], *, rounds: int, calls: int) -> None:
    """A row for each case."""
    table = Table(title=f"Medians of {rounds} rounds of {calls} requests", title_justify="left")
    columns = ("Request", "round trips", "at most", "µs", "adds µs", "adds round trips")
    for column in columns:
        table.add_column(column, justify="left" if column == "Request" else "right")
    by = {case.name: case for case in cases}
    for case in cases:
        us = statistics.median(case.us)
        added = ("", "")
        if case.against is not None:
            base = by[case.against]
            more = [ours - theirs for ours, theirs in zip(case.us, base.us, strict=True)]
            added = (f"{statistics.median(more):+,.0f}", f"{case.trips - base.trips:+d}")
        table.add_row(case.name, str(case.trips), str(case.most), f"{us:,.0f}", *added)
    console.print(table)


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 7,
    calls: Annotated[int, typer.Option(min=10, help="Of each request, in a round.")] = 150,
) -> None:
    """Measure, and print a table."""
    with told():
        cases = asyncio.run(run(rounds=rounds, calls=calls))
        show(cases, rounds=rounds, calls=calls)


if __name__ == "__main__":
    typer.run(main)
