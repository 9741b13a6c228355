"""`gardenos top`: what the agents are doing, once or again every second."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Column
from rich.text import Text

from gardenos.cli.screen import console, table
from gardenos.core.errors import GardenOSError, Unauthenticated
from gardenos.sdk import Agent, GardenOS, LaneHead, Pool, Queues, Status
from gardenos.sdk.results import Depth

_SHOWN_REASONS = 3
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Seen:
    """What the installation said at one moment."""

    at: datetime
    status: Status
    queues: Queues
    agents: Sequence[Agent]


def run(open_client: Callable[[], GardenOS], *, once: bool, every_s: float = 1.0) -> None:
    """Show the agents; again every `every_s` seconds on a terminal, until Ctrl-C."""
    client = open_client()
    try:
        if once or not console.is_terminal:
            console.print(draw(look(client)))
            return
        with (
            Live(console=console, screen=True, auto_refresh=False) as live,
            suppress(KeyboardInterrupt),
        ):
            shown: RenderableType = ""
            while True:
                try:
                    shown = draw(look(client))
                    live.update(shown, refresh=True)
                except Unauthenticated:
                    # The token lives for an hour, and whoever watches may do so for longer.
                    client.close()
                    client = open_client()
                except GardenOSError as error:
                    live.update(Group(shown, Text(error.detail, style="red")), refresh=True)
                time.sleep(every_s)
    finally:
        client.close()


def look(client: GardenOS) -> Seen:
    """Ask for all there is to see."""
    status = client.status()
    agents = () if status.orchestrator == "unavailable" else client.orchestrator.agents().items
    return Seen(datetime.now(UTC), status, client.orchestrator.queues(), agents)


def draw(seen: Seen) -> RenderableType:
    """What was seen, as a table with a line for each agent type."""
    shown = table(
        Column("Agents", no_wrap=True),
        Column("Running", justify="right"),
        Column("In flight", justify="right"),
        Column("Ready", justify="right"),
        Column("Oldest", justify="right"),
        Column("Runs/s", justify="right"),
        Column("p95", justify="right"),
        Column("Errors", justify="right"),
        "Why the heads wait",
        title=_headline(seen),
    )
    by_type: defaultdict[str, list[Agent]] = defaultdict(list)
    for agent in seen.agents:
        by_type[agent.agent_type].append(agent)
    for name in sorted(seen.status.agents.keys() | seen.queues.depth.keys()):
        pool = seen.status.agents.get(name, Pool())
        depth = seen.queues.depth.get(name, Depth())
        lanes = [lane for lane in seen.queues.lanes if lane.agent_type == name]
        shown.add_row(
            escape(name),
            _replicas(pool),
            "" if pool.in_flight is None else str(pool.in_flight),
            f"{depth.ready:,}",
            _age(depth.oldest_ready_s),
            *_rates(by_type[name]),
            _reasons(lanes),
        )
    return shown


def _headline(seen: Seen) -> str:
    state = {
        "dispatching": "[green]dispatching[/]",
        "standing-by": "[yellow]standing by[/]",
    }.get(seen.status.orchestrator, "[red]away: the database says what waits, nobody why[/]")
    return f"{seen.at:%H:%M:%S} UTC, the orchestrator is {state}"


def _replicas(pool: Pool) -> str:
    if pool.replicas is None:
        return ""
    asked = "" if pool.override is None else f", {pool.override} asked for"
    return f"{pool.replicas} of {pool.max_replicas}{asked}"


def _rates(agents: Sequence[Agent]) -> tuple[str, str, str]:
    """Runs per second, the slowest agent's 95th percentile, and failures."""
    if not agents:
        return "", "", ""
    slowest = max((agent.latency_s.get("p95") or 0.0 for agent in agents), default=0.0)
    errors = sum(agent.errors for agent in agents)
    return (
        f"{sum(agent.throughput_per_s for agent in agents):,.1f}",
        f"{slowest * 1000:,.0f} ms" if slowest else "",
        f"[red]{errors:,}[/]" if errors else "0",
    )


def _reasons(lanes: Sequence[LaneHead]) -> str:
    """Each reason once, that of the most urgent head first."""
    reasons = dict.fromkeys(
        lane.why for lane in sorted(lanes, key=lambda lane: lane.priority) if lane.why
    )
    return "\n".join(escape(reason) for reason in list(reasons)[:_SHOWN_REASONS])


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"
