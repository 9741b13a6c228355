"""What row-level security costs the hot reads: the API's own statements with and without policies.

"Without" is the same statement with `agency_id = ...` written into it, run by a role that policies do
not bind. Both take turns, each on a connection of its own to one embedded PostgreSQL.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import asyncpg
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks._crm_data import SIZES, fill
from benchmarks.tasks import running_server
from gardenos.cli.problems import told
from gardenos.core.claims import Claims, UserRole
from gardenos.crm.activities.entity import ACTIVITIES
from gardenos.crm.companies.entity import COMPANIES
from gardenos.crm.deals import store as deals
from gardenos.crm.deals.entity import DEALS
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.records import Entity, compose, service
from gardenos.crm.records.query import parse
from gardenos.db import migrate

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection

console = Console(highlight=False)
TARGET: Final = 1.15
_BYPASS: Final = "bench_bypass"
_SPLIT: Final = 10
"""Into so many batches the calls of a round are split, which take turns."""


@dataclass(frozen=True, slots=True)
class Read:
    """One hot read: the statement as the API runs it, and as one would write it without policies."""

    name: str
    statement: str
    arguments: Sequence[Any]
    bare: str
    bare_arguments: Sequence[Any]


@dataclass(slots=True)
class Timing:
    """Milliseconds, by round."""

    policies: list[float] = field(default_factory=list[float])
    bare: list[float] = field(default_factory=list[float])

    @property
    def ratios(self) -> list[float]:
        """Of each round."""
        return [ours / bare for ours, bare in zip(self.policies, self.bare, strict=True)]

    @property
    def ratio(self) -> float:
        """The median."""
        return statistics.median(self.ratios)


def _bound(name: str, table: str, statement: str, arguments: Sequence[Any], agency: UUID) -> Read:
    """A read whose bare form names the agency in the outermost WHERE."""
    head, where, rest = statement.partition("WHERE ")
    assert where, statement
    bare = f"{head}WHERE {table}.agency_id = ${len(arguments) + 1} AND {rest}"
    return Read(name, statement, arguments, bare, [*arguments, agency])


def _list(name: str, entity: Entity, agency: UUID, **asked: str) -> Read:
    statement, arguments = service.listing(entity, parse(entity, asked.items()))
    return _bound(name, entity.noun, statement, arguments, agency)


async def reads(admin: AdminConnection, agency: UUID, owner: UUID) -> list[Read]:
    """The hot reads of one agency."""

    async def some(query: str) -> Any:
        return await admin.fetchval(query, agency)

    lead = await some("SELECT id FROM leads WHERE agency_id = $1 ORDER BY id OFFSET 1000 LIMIT 1")
    company = await some("SELECT company_id FROM activities WHERE agency_id = $1 LIMIT 1")
    pipeline = await some("SELECT id FROM pipelines WHERE agency_id = $1")
    ids = await some(
        "SELECT array_agg(id) FROM (SELECT id FROM companies WHERE agency_id = $1 LIMIT 50) c"
    )
    get = compose.read(LEADS, tuple(LEADS.fields))
    included = compose.related(COMPANIES.related())
    board = deals.QUERIES["read_board"]
    bare_board = board.replace(
        "WHERE pipeline_id = $1", "WHERE agency_id = $2 AND pipeline_id = $1"
    ).replace("WHERE s.pipeline_id = $1", "WHERE s.agency_id = $2 AND s.pipeline_id = $1")
    return [
        _bound("a lead", "leads", get.sql, get.arguments({"id": lead}), agency),
        _list("leads", LEADS, agency),
        _list("leads by status", LEADS, agency, status="new"),
        _list("leads of one owner", LEADS, agency, owner_id=str(owner)),
        _list("leads by score", LEADS, agency, sort="-quality_score"),
        _list("leads found by a word", LEADS, agency, q="ada7"),
        _list("companies by name", COMPANIES, agency, sort="name"),
        _list("deals of a stage", DEALS, agency, status="won"),
        Read("a board", board, [pipeline], bare_board, [pipeline, agency]),
        _list("a timeline", ACTIVITIES, agency, company_id=str(company), sort="-occurred_at"),
        _bound(
            "50 included companies",
            "companies",
            included.sql,
            included.arguments({"ids": ids}),
            agency,
        ),
    ]


async def _times(
    conn: asyncpg.Connection[asyncpg.Record], sql: str, args: Sequence[Any], calls: int
) -> list[float]:
    took: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        await conn.fetch(sql, *args)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def measure(
    bound: asyncpg.Connection[asyncpg.Record],
    free: asyncpg.Connection[asyncpg.Record],
    read: Read,
    timing: Timing,
    *,
    calls: int,
) -> None:
    """A round of one read: so many calls with and without policies, in turns."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(_SPLIT):
        ours += await _times(bound, read.statement, read.arguments, calls // _SPLIT)
        bare += await _times(free, read.bare, read.bare_arguments, calls // _SPLIT)
    timing.policies.append(statistics.median(ours))
    timing.bare.append(statistics.median(bare))


async def _same_rows(
    bound: asyncpg.Connection[asyncpg.Record],
    free: asyncpg.Connection[asyncpg.Record],
    read: Read,
) -> None:
    ours = await bound.fetch(read.statement, *read.arguments)
    assert ours == await free.fetch(read.bare, *read.bare_arguments), read.name
    assert ours, read.name


async def _explained(
    conn: asyncpg.Connection[asyncpg.Record], sql: str, args: Sequence[Any]
) -> str:
    rows = await conn.fetch(f"EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF) {sql}", *args)
    return "\n".join(row[0] for row in rows)


async def run(*, rounds: int, calls: int) -> dict[str, Timing]:
    """Measure on a server of its own; prints the plans of what misses the target."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(running_server())
        admin = await asyncpg.connect(server.dsn("postgres"))
        await admin.execute("CREATE DATABASE reads")
        await admin.close()
        await migrate.migrate(server.dsn("reads"), app_password=server.password)
        admin = await asyncpg.connect(server.dsn("reads"))
        stack.push_async_callback(admin.close)
        people = await fill(admin, agencies=20)
        # No owner: of what others may do, the agency may have decided otherwise.
        claims = Claims.of(people[7].sub, people[7].agency_id, UserRole.MANAGER)
        password = secrets.token_hex(16)
        await admin.execute(f"CREATE ROLE {_BYPASS} LOGIN BYPASSRLS PASSWORD '{password}'")
        await admin.execute(f"GRANT authenticated TO {_BYPASS} WITH INHERIT TRUE")

        async def connected(login: str, word: str) -> asyncpg.Connection[asyncpg.Record]:
            conn = await asyncpg.connect(server.postgres.dsn(login, word, database="reads"))
            stack.push_async_callback(conn.close)
            await conn.execute("SET jit = off")
            await conn.execute("SELECT set_config('request.jwt.claims', $1, false)", claims.json)
            return conn

        bound = await connected("gardenos_app", server.password)
        await bound.execute("SET ROLE authenticated")
        free = await connected(_BYPASS, password)
        found = await reads(admin, claims.agency_id, claims.sub)
        timings = await _measured(bound, free, found, rounds=rounds, calls=calls)
        for read in found:
            if timings[read.name].ratio > TARGET:
                await _explain(bound, free, read)
        return timings


async def _measured(
    bound: asyncpg.Connection[asyncpg.Record],
    free: asyncpg.Connection[asyncpg.Record],
    found: Sequence[Read],
    *,
    rounds: int,
    calls: int,
) -> dict[str, Timing]:
    timings = {read.name: Timing() for read in found}
    for read in found:
        await _same_rows(bound, free, read)
    with Progress(console=console) as bar:
        shown = bar.add_task("", total=rounds * len(found))
        for _ in range(rounds):
            for read in found:
                bar.update(shown, description=read.name)
                await measure(bound, free, read, timings[read.name], calls=calls)
                bar.advance(shown)
    return timings


async def _explain(
    bound: asyncpg.Connection[asyncpg.Record],
    free: asyncpg.Connection[asyncpg.Record],
    read: Read,
) -> None:
    console.rule(f"{read.name}: with policies, without")
    console.print(await _explained(bound, read.statement, read.arguments), markup=False)
    console.print(await _explained(free, read.bare, read.bare_arguments), markup=False)


def show(timings: dict[str, Timing], *, rounds: int, calls: int) -> None:
    """A row for each read."""
    sizes = ", ".join(f"{count:,} {noun}" for noun, count in SIZES.items())
    table = Table(
        title=f"{sizes} of 20 agencies; medians of {rounds} rounds of {calls} calls",
        title_justify="left",
    )
    for name in ("Read", "with ms", "without ms", "ratio", "lowest-highest", "target"):
        table.add_column(name, justify="left" if name == "Read" else "right")
    for name, timing in timings.items():
        table.add_row(
            name,
            f"{statistics.median(timing.policies):.3f}",
            f"{statistics.median(timing.bare):.3f}",
            f"{timing.ratio:.2f}",
            f"{min(timing.ratios):.2f}-{max(timing.ratios):.2f}",
            f"{TARGET:.2f}",
        )
    console.print(table)


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    calls: Annotated[int, typer.Option(min=_SPLIT, help="Of each read, in a round.")] = 200,
) -> None:
    """Measure, and print a table."""
    with told():
        timings = asyncio.run(run(rounds=rounds, calls=calls))
        show(timings, rounds=rounds, calls=calls)


if __name__ == "__main__":
    typer.run(main)
