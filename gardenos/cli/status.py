"""`gardenos status`: what runs, since when, where."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil
from rich.markup import escape

from gardenos.cli import cluster, database, processes
from gardenos.cli.home import Home
from gardenos.cli.screen import console, near, table, to_type
from gardenos.core.config import Settings

_AT_WORK = frozenset({"HEALTHY", "UPSCALING", "DOWNSCALING"})
"""What Serve says of a deployment that has replicas to send requests to."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an installation."""

    name: str
    runs: bool
    where: str
    said: str = ""


def parts(home: Home, settings: Settings) -> list[Part]:
    """Every part, in the order in which they depend on each other."""
    return [_database(home, settings), _ray(home, settings), *_deployments(home, settings)]


def urls(settings: Settings) -> list[tuple[str, str]]:
    """The addresses to open, by what is there."""
    local = f"http://127.0.0.1:{settings.http_port}"
    return [
        ("API", settings.public_url or local),
        ("API documentation", f"{local}/docs"),
        ("Ray dashboard", f"http://127.0.0.1:{settings.dashboard_port}"),
    ]


def show(found: list[Part], settings: Settings) -> None:
    """The parts as a table, and the addresses if they run."""
    shown = table("Part", "State", "Where", "Details")
    for part in found:
        state = "[green]runs[/]" if part.runs else "[red]does not run[/]"
        shown.add_row(part.name, state, escape(part.where), escape(part.said))
    console.print(shown)
    if all(part.runs for part in found):
        for name, url in urls(settings):
            console.print(f"{name:<18} {url}")


def _database(home: Home, settings: Settings) -> Part:
    if database.is_external(home, settings):
        url = settings.database_url or settings.admin_database_url
        dsn = url.get_secret_value() if url else ""
        labs = database.is_labs(home, settings)
        said = to_type("`gardenos lab status` says more") if labs else "not ours to stop"
        return Part("PostgreSQL", database.answers(dsn), database.address(dsn), said)
    pid = home.postgres.pid()
    said = f"process {pid}{_since(pid)}" if pid else ""
    return Part("PostgreSQL", pid is not None, near(home.postgres.folder), said)


def _ray(home: Home, settings: Settings) -> Part:
    running = home.running()
    if running is None:
        left = processes.marked(home.folder)
        said = f"{len(left)} processes are left of one that was killed" if left else ""
        return Part("Ray", runs=False, where=f"port {settings.ray_port}", said=said)
    process = running.ray.process()
    family = processes.family(process) if process else []
    memory = 0
    for member in family:
        with contextlib.suppress(psutil.Error):
            memory += member.memory_info().rss - member.memory_info().shared
    said = (
        f"process {running.ray.pid}{_since(running.ray.pid)}, "
        f"{len(family)} processes, {memory / 2**20:,.0f} MiB"
    )
    return Part("Ray", runs=True, where=f"port {running.ray_port}", said=said)


def _deployments(home: Home, settings: Settings) -> list[Part]:
    found = cluster.deployments(home, settings) if home.running() else {}
    listed: list[Part] = []
    for name, deployment in sorted(found.items()):
        replicas = deployment.get("replicas", [])
        runs = sum(replica.get("state") == "RUNNING" for replica in replicas)
        healthy = deployment.get("status") in _AT_WORK and runs > 0
        listed.append(
            Part(name, healthy, f"{runs} replica{'s' * (runs != 1)}", deployment.get("message", ""))
        )
    missing = cluster.why_not_ready(settings) if home.running() else ""
    where = f"port {settings.http_port}"
    return [*listed, Part("API", missing is None, where, missing or "")]


def _since(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        began = datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC)
        return f", for {_span(datetime.now(UTC) - began)}"
    return ""


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
