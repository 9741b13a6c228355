"""How long `up` takes to the first answered request, against a bare Ray Serve on the same machine.

Everything is installed. `new` makes secrets, a database and its schema; `again` finds them. `bare`
is `ray start --head` and `serve deploy` of one route, in the same environment: what nobody who
uses Ray Serve can do without.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import Annotated

import httpx
import typer
import yaml
from fastapi import FastAPI
from ray import serve
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gardenos.cli import processes
from gardenos.cli.cluster import ROOT
from gardenos.cli.problems import told
from gardenos.serve.environment import prepare_folders, ray_environment, ray_start_command
from tests.support.garden import GARDENOS, Garden, new_garden
from tests.support.waiting import until

console = Console()
api = FastAPI()


@serve.deployment
@serve.ingress(api)
class Bare:
    """One route and nothing behind it."""

    @api.get("/readyz")
    async def read_readiness(self) -> str:
        """Answer."""
        return "ready"


bare = Bare.bind()  # pyright: ignore[reportFunctionMemberAccess] Serve made it a deployment


def answers(garden: Garden) -> bool:
    """Whether a request is answered as it should be."""
    try:
        return httpx.get(f"{garden.url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def seconds(start: Callable[[], None], garden: Garden) -> float:
    """From the start to the first good answer."""
    began = time.perf_counter()
    start()
    until(lambda: answers(garden), bool, within_s=120)
    return time.perf_counter() - began


def bring_up(garden: Garden) -> None:
    """What a person types."""
    garden.ok("up")


def bring_up_bare(garden: Garden) -> None:
    """Ray and Serve by their own commands, started as `up` starts them."""
    settings = garden.home.settings().model_copy(
        update={name.removeprefix("GARDENOS_").lower(): int(n) for name, n in garden.ports.items()}
    )
    garden.home.make()
    prepare_folders(garden.home.folder)
    env = garden.env | ray_environment(settings, garden.home.folder)
    env |= {processes.MARK: processes.mark_of(garden.home.folder), "PYTHONPATH": str(ROOT)}
    config = {
        "proxy_location": "HeadOnly",
        "http_options": {"host": "127.0.0.1", "port": settings.http_port},
        "applications": [
            {"name": "bare", "route_prefix": "/", "import_path": "benchmarks.start_up:bare"}
        ],
    }
    file = garden.home.run / "bare.yaml"
    file.write_text(yaml.safe_dump(config))
    with garden.home.ray_log.open("ab") as log:
        subprocess.Popen(  # ended by its mark
            ray_start_command(settings), env=env, stdout=log, stderr=log, start_new_session=True
        )
    dashboard = env["RAY_DASHBOARD_ADDRESS"]
    until(lambda: _dashboard_answers(dashboard), bool, within_s=60)
    deploy = [GARDENOS.with_name("serve"), "deploy", str(file), "--address", dashboard]
    subprocess.run(deploy, env=env, cwd=ROOT, check=True, capture_output=True)


def _dashboard_answers(dashboard: str) -> bool:
    try:
        httpx.get(f"{dashboard}/api/version", timeout=2)
    except httpx.TransportError:
        return False
    return True


def one_round() -> dict[str, float]:
    """A bare Serve, a new installation, and the same one again; in seconds."""
    took: dict[str, float] = {}
    with ExitStack() as stack:
        garden = stack.enter_context(contextmanager(new_garden)())
        took["bare"] = seconds(lambda: bring_up_bare(garden), garden)
        processes.end(processes.marked(garden.home.folder), grace_s=12)
    with ExitStack() as stack:
        garden = stack.enter_context(contextmanager(new_garden)())
        took["new"] = seconds(lambda: bring_up(garden), garden)
        garden.ok("down")
        took["again"] = seconds(lambda: bring_up(garden), garden)
    return took


def main(rounds: Annotated[int, typer.Option(min=1)] = 3) -> None:
    """Measure, and print a table."""
    with told():
        done = [one_round() for _ in track(range(rounds), "Starting and stopping", console=console)]
        table = Table(title=f"Start to first answer, {rounds} rounds", title_justify="left")
        table.add_column("What")
        for name in ("median s", "lowest-highest", "times bare"):
            table.add_column(name, justify="right")
        for name, what in (
            ("bare", "ray start, serve deploy of one route"),
            ("new", "gardenos up, first time"),
            ("again", "gardenos up, data there"),
        ):
            figures = [took[name] for took in done]
            ratio = statistics.median(took[name] / took["bare"] for took in done)
            spread = f"{min(figures):.1f}-{max(figures):.1f}"
            table.add_row(what, f"{statistics.median(figures):.1f}", spread, f"{ratio:.2f}")
        console.print(table)
        console.print("Target: 20 s.")


if __name__ == "__main__":
    typer.run(main)
