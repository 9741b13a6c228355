"""How long a user waits in a CRM with 250,000 leads, of which one agency holds half.

Brings up an installation of its own, fills it, and has users of the big agency (its owner, an admin,
managers and agents) ask through HTTP, with a token each and under row-level security, without a pause
between an answer and the next request. Prints p50, p95 and p99 of each thing they do, and the plans of
the statements behind what misses its target.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import asyncpg
import httpx
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks._load import require_wrk
from benchmarks._scale_data import AGENCIES, SIZES, fill
from benchmarks._scale_plans import plans
from gardenos.auth.tokens import TokenIssuer
from gardenos.cli import database
from gardenos.cli.problems import CommandFailed, told
from gardenos.core.claims import UserRole
from tests.support.garden import Garden, new_garden

if TYPE_CHECKING:
    from gardenos.core.claims import Claims

console = Console(highlight=False)
_LUA: Final = Path(__file__).with_name("_scale_load.lua")
_AGENTS: Final = 4
_TOKEN_TTL_S: Final = 6 * 3600
DEEP: Final = 200
"""Pages before the deep one."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    path: str
    method: str = "GET"
    body: str = ""


@dataclass(slots=True)
class Deed:
    """Something a user does: requests of one kind, and how long they may take."""

    name: str
    asks: Sequence[Ask]
    target_ms: float
    rounds: list[Figures] = field(default_factory=list["Figures"])

    @property
    def typical(self) -> Figures:
        """The round whose p95 is the median."""
        return sorted(self.rounds, key=lambda one: one.p95_ms)[len(self.rounds) // 2]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one round; latencies in milliseconds."""

    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Stage:
    """An installation that is filled, and who asks."""

    garden: Garden
    users: Sequence[Claims]
    tokens: Sequence[str]

    def get(self, path: str, user: int = 0) -> httpx.Response:
        """One answer, to look at."""
        bearer = {"Authorization": f"Bearer {self.tokens[user]}"}
        answer = httpx.get(self.garden.url + path, headers=bearer, timeout=60)
        if not answer.is_success:
            raise CommandFailed(
                f"{path}: {answer.status_code} {answer.text[:300]}", todo="See the log."
            )
        return answer


async def _filled(dsn: str, share: float) -> list[Claims]:
    admin = await asyncpg.connect(dsn)
    try:
        with console.status("Filling") as status:
            return await fill(
                admin, share=share, told=lambda what: status.update(f"Filling: {what}")
            )
    finally:
        await admin.close()


def stage(garden: Garden, *, users: int, share: float) -> Stage:
    """Fill the installation and let the users in."""
    settings = garden.home.settings()
    dsn = database.plan(garden.home, settings).admin_dsn
    assert dsn is not None
    team = asyncio.run(_filled(dsn, share))
    leaders = [one for one in team if one.user_role is not UserRole.AGENT][: users - users // 2]
    agents = [one for one in team if one.user_role is UserRole.AGENT][: users - len(leaders)]
    chosen = leaders + agents
    issuer = TokenIssuer.of(settings)
    return Stage(garden, chosen, [_token(issuer, one) for one in chosen])


def _token(issuer: TokenIssuer, who: Claims) -> str:
    said = {
        "sub": str(who.sub),
        "role": "authenticated",
        "agency_id": str(who.agency_id),
        "user_role": who.user_role.value,
    }
    return issuer.issue(said, ttl_s=_TOKEN_TTL_S).token


def deeds(on: Stage) -> list[Deed]:
    """What the users do, with records and words that there are."""
    leads = on.get("/v1/leads?limit=200&sort=email").json()["items"]
    words = [one["last_name"].lower() for one in leads]
    ids = [one["id"] for one in leads]
    pipeline = on.get("/v1/pipelines").json()["items"][0]["id"]
    query = "/v1/leads?quality_score.gte=60&sort=-quality_score&limit=50"
    return [
        Deed("list, filtered and sorted", _lists(), 100),
        Deed("list, first page", [Ask(query)], 100),
        Deed(f"list, page {DEEP}", [Ask(_deep(on, query))], 100),
        Deed("open: the lead", [Ask(f"/v1/leads/{one}?include=owner") for one in ids], 30),
        Deed("open: its timeline", [Ask(f"/v1/leads/{one}/timeline?limit=50") for one in ids], 30),
        Deed("search, a word", [Ask(f"/v1/search?q={word}") for word in words], 75),
        Deed("search, a prefix", [Ask(f"/v1/search?q={word[:5]}") for word in words], 75),
        Deed(
            "search, a typo", [Ask(f"/v1/search?q={quote(mistyped(word))}") for word in words], 75
        ),
        Deed("save", [_save(one, n) for n, one in enumerate(ids)], 25),
        Deed("board", [Ask(f"/v1/pipelines/{pipeline}/board")], 100),
        Deed("dashboard", [Ask("/v1/dashboard")], 150),
    ]


def mistyped(word: str) -> str:
    """With two letters in its middle swapped."""
    middle = len(word) // 2
    return word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :]


def _lists() -> list[Ask]:
    return [
        Ask(f"/v1/leads?limit=50&{asked}")
        for asked in (
            "status=new&sort=-created_at",
            "status=qualified&sort=-quality_score",
            "quality_score.gte=70&sort=-updated_at",
            "source=web&status.in=new,contacted&sort=-quality_score",
            "city=Baanston&sort=-created_at",
            "custom.industry=retail&sort=-quality_score",
            "sort=-quality_score,email",
            "created_at.gte=2026-01-01T00:00:00Z&status=lost&sort=created_at",
        )
    ]


def _save(lead: str, n: int) -> Ask:
    body = json.dumps({"job_title": f"Buyer {n}", "status": ("contacted", "qualified")[n % 2]})
    return Ask(f"/v1/leads/{lead}", "PATCH", body)


def _deep(on: Stage, query: str) -> str:
    path = query
    for _ in track(range(DEEP), "Paging", console=console):
        cursor = on.get(path).json()["next_cursor"]
        if cursor is None:
            break
        path = f"{query}&cursor={quote(cursor)}"
    return path


def measure(on: Stage, deed: Deed, *, seconds: int) -> Figures:
    """Have every user do it for so long. Raises `CommandFailed` where an answer was an error."""
    lines = [
        f"{ask.method}\t{ask.path}\t{token}\t{ask.body}\n"
        for n, ask in enumerate(list(deed.asks) * len(on.tokens))
        for token in [on.tokens[(n + n // len(deed.asks)) % len(on.tokens)]]
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.writelines(lines)
        file.flush()
        command = [require_wrk(), "--threads=1", f"--connections={len(on.tokens)}"]
        command += [f"--duration={seconds}s", "--timeout=30s", f"--script={_LUA}", on.garden.url]
        done = subprocess.run(
            [*command, "--", file.name], capture_output=True, text=True, check=True
        )
    said = json.loads(done.stdout.splitlines()[-1])
    if said["failed"] or not said["requests"]:
        raise CommandFailed(
            f"{deed.name}: {said['failed']} of {said['requests']} requests failed.",
            todo="Look at the server's log: a speed with failures in it means nothing.",
        )
    return Figures(
        said["requests"] / said["duration_us"] * 1e6,
        said["p50_us"] / 1000,
        said["p95_us"] / 1000,
        said["p99_us"] / 1000,
    )


def show(done: Sequence[Deed], on: Stage, *, share: float, rounds: int) -> None:
    """A row for each deed."""
    sizes = ", ".join(f"{round(count * share):,} {noun}" for noun, count in SIZES.items())
    title = f"{sizes}; {AGENCIES} agencies, {len(on.users)} users at once; {rounds} rounds"
    table = Table(title=title, title_justify="left")
    table.add_column("What")
    for name in ("req/s", "p50 ms", "p95 ms", "lowest-highest p95", "p99 ms", "target p95", ""):
        table.add_column(name, justify="right")
    for deed in done:
        typical = deed.typical
        every = [one.p95_ms for one in deed.rounds]
        table.add_row(
            deed.name,
            f"{typical.requests_per_s:,.0f}",
            f"{typical.p50_ms:.1f}",
            f"{typical.p95_ms:.1f}",
            f"{min(every):.1f}-{max(every):.1f}",
            f"{typical.p99_ms:.1f}",
            f"{deed.target_ms:.0f}",
            "met" if typical.p95_ms < deed.target_ms else "missed",
        )
    console.print(table)


def explain(on: Stage, deed: Deed) -> None:
    """Print the plans behind the first of a deed's requests."""
    ask = deed.asks[0]
    found = asyncio.run(
        plans(on.garden, method=ask.method, path=ask.path, body=ask.body, token=on.tokens[0])
    )
    console.rule(f"{deed.name}: {ask.method} {ask.path}")
    for statement, plan in found:
        console.print(statement, plan, "", sep="\n", markup=False)


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="Per measurement.")] = 5,
    users: Annotated[int, typer.Option(min=2, max=2 * _AGENTS)] = 8,
    share: Annotated[float, typer.Option(min=0.01, help="Of all the rows.")] = 1.0,
) -> None:
    """Measure, and print a table and the plans of what misses its target."""
    with told(), ExitStack() as stack:
        require_wrk()
        with console.status("Bringing an installation up"):
            garden = stack.enter_context(contextmanager(new_garden)())
            garden.ok("up")
        on = stage(garden, users=users, share=share)
        done = deeds(on)
        for deed in done:  # connect, plan, read from disk: not what is measured
            measure(on, deed, seconds=2)
        for _ in track(range(rounds), "Measuring", console=console):
            for deed in done:
                deed.rounds.append(measure(on, deed, seconds=seconds))
        show(done, on, share=share, rounds=rounds)
        missed = [deed for deed in done if deed.typical.p95_ms >= deed.target_ms]
        for deed in missed:
            explain(on, deed)


if __name__ == "__main__":
    typer.run(main)
