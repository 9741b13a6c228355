"""A run: an installation under load, broken by plan, drained, and judged.

python -m tests.chaos.run --minutes 10 --seed 42
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import asyncpg
import typer
from rich.console import Console

from gardenos.cli import cluster, database
from gardenos.cli.problems import told
from gardenos.db.pool import open_database
from tests.chaos import report as reports
from tests.chaos import zombies
from tests.chaos.faults import AGENTS, Saboteur
from tests.chaos.judge import Verdict, judge
from tests.chaos.ledger import Ledger, read
from tests.chaos.load import Client, pause
from tests.chaos.model import Model, running_model
from tests.chaos.plan import plan
from tests.chaos.report import Report, Struck
from tests.chaos.slow import SlowAgent
from tests.support.garden import Garden, new_garden
from tests.support.waiting import until

Say: TypeAlias = Callable[[str], None]
LEASE_S = 3.0
_AGENCIES, _PER_S = 3, 4.0
_ANSWER_WITHIN_S, _DRAIN_WITHIN_S = 60.0, 240.0
_OPEN = "SELECT count(*) AS open FROM agent_tasks WHERE state IN ('queued', 'running')"


@contextmanager
def installation(model: Model) -> Generator[Garden]:
    """One that is up: two agents of each type, short leases; `follow_up` asks a model."""
    settings = {
        "GARDENOS_TASK_LEASE_S": f"{LEASE_S:g}",
        "GARDENOS_LLM_PROVIDER": "rules",
        "GARDENOS_LLM_BASE_URL": model.url,
        "GARDENOS_LLM_API_KEY": secrets.token_hex(16),
        "GARDENOS_LLM_TIMEOUT_S": "2",
        "GARDENOS_ACCESS_TOKEN_TTL_S": "604800",
        # Replicas import the slow agent from the checkout.
        "PYTHONPATH": str(cluster.ROOT),
    }
    with contextmanager(new_garden)() as plain:
        garden = replace(plain, ports=plain.ports | settings)
        garden.ok("up")
        _deploy_agents(garden)
        yield garden


def _deploy_agents(garden: Garden) -> None:
    """What `serve deploy` does with a changed serve_config.yaml."""
    settings = garden.home.settings()
    config = cluster.config(settings)
    agents = config["applications"][0]["args"]["agents"]
    agents[SlowAgent.agent_type] = {"class": f"{SlowAgent.__module__}:{SlowAgent.__name__}"}
    for pool in agents.values():
        pool |= {"min_replicas": 2, "max_replicas": 4, "target_tasks": 100, "down_after_s": 10}
    agents["follow_up"]["llm_provider"] = "openai"
    with cluster.client(garden.home, settings) as dashboard:
        dashboard.put("/api/serve/applications/", json=config, timeout=60).raise_for_status()
    for name in AGENTS:
        until(lambda name=name: garden.replica_pids(name), lambda n: len(n) >= 2, within_s=120)
    until(lambda: cluster.why_not_ready(settings), lambda why: why is None, within_s=120)


def run(*, seed: int, minutes: float, folder: Path, say: Say) -> Report:
    """Everything, from nothing to the verdict. The ledger stays in `folder`."""
    with ExitStack() as stack:
        say("Brings an installation up")
        model = stack.enter_context(running_model(seed))
        garden = stack.enter_context(installation(model))
        saboteur = Saboteur(garden, model, lease_s=LEASE_S)
        stack.callback(saboteur.restore)
        # A ledger of its own: what another run was promised stands in another database.
        promises = folder / f"ledger-{seed}-{secrets.token_hex(4)}.jsonl"
        ledger = Ledger(promises)
        stack.callback(ledger.close)
        clients = [
            Client(garden.url, ledger, seed=seed + number, per_s=_PER_S)
            for number in range(_AGENCIES)
        ]
        for client in clients:
            stack.enter_context(client)
        struck = _break(saboteur, clients, seed=seed, minutes=minutes, say=say)
        drained_s = _settle_down(garden, saboteur, clients, say)
        say("Judges")
        verdict = asyncio.run(_judge(garden, promises))
        return Report(
            seed=seed,
            minutes=minutes,
            struck=struck,
            verdict=verdict,
            repeated=sum(client.repeated for client in clients),
            unanswered=sum(len(client.unanswered) for client in clients),
            zombies=zombies.count(garden),
            drained_s=drained_s,
            failures=[repr(client.failure) for client in clients if client.failure],
        )


def _break(
    saboteur: Saboteur, clients: Sequence[Client], *, seed: int, minutes: float, say: Say
) -> Sequence[Struck]:
    struck: list[Struck] = []
    began = time.monotonic()
    for fault in plan(seed, minutes):
        pause(fault.at_s, began)
        # Late where the one before took long to do: what is late is done at once, in order.
        struck.append(Struck(time.monotonic() - began, fault.kind, saboteur.strike(fault)))
        accepted = sum(client.accepted for client in clients)
        say(f"{struck[-1].at_s:6.1f} s  {fault.kind}: {struck[-1].what} ({accepted:,} accepted)")
    pause(minutes * 60, began)
    return struck


def _settle_down(garden: Garden, saboteur: Saboteur, clients: Sequence[Client], say: Say) -> float:
    """End faults and load, and wait until nothing is open; how long that took."""
    say("Lets everything drain")
    began = time.monotonic()
    saboteur.restore()
    garden.ok("up")
    for client in clients:
        client.finish(within_s=_ANSWER_WITHIN_S)
    try:
        until(lambda: garden.query(_OPEN)[0]["open"], lambda n: n == 0, within_s=_DRAIN_WITHIN_S)
    except AssertionError as error:
        say(f"Does not drain: {error}")
    return time.monotonic() - began


async def _judge(garden: Garden, ledger: Path) -> Verdict:
    chosen = database.plan(garden.home, garden.home.settings())
    assert chosen.admin_dsn is not None
    admin: asyncpg.Connection[Any] = await asyncpg.connect(chosen.admin_dsn)
    opened = await open_database(chosen.app_dsn, min_size=1, name="chaos-judge")
    try:
        return await judge(opened, admin, read(ledger), lease_s=LEASE_S)
    finally:
        await opened.pool.close()
        await admin.close()


def main(
    minutes: Annotated[float, typer.Option(min=0.2, help="Of faults.")] = 10.0,
    seed: Annotated[int | None, typer.Option(help="Of the plan; drawn where not given.")] = None,
    folder: Annotated[Path, typer.Option(help="Where the ledger is kept.")] = Path("/tmp"),  # noqa: S108
) -> None:
    """Break an installation of its own, and say what became of the work."""
    console = Console(highlight=False, soft_wrap=True)
    with told():
        chosen = secrets.randbelow(1_000_000) if seed is None else seed
        console.print(f"Seed {chosen}, {minutes:g} min of faults")
        found = run(seed=chosen, minutes=minutes, folder=folder, say=console.print)
        reports.show(console, found)
        if not found.holds:
            sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
