"""`gardenos tasks`."""

from __future__ import annotations

from datetime import UTC
from itertools import islice
from typing import cast, get_args

from rich.markup import escape

from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console, table
from gardenos.sdk import GardenOS
from gardenos.sdk.results import TaskState

_COLOURS = {"succeeded": "green", "dead": "red", "running": "cyan", "cancelled": "dim"}


def show(client: GardenOS, *, state: str | None, agent_type: str | None, limit: int) -> None:
    """The newest tasks as a table."""
    states = get_args(TaskState)
    if state is not None and state not in states:
        raise CommandFailed(f"There is no state {state}.", todo=f"There are: {', '.join(states)}.")
    shown = table("Task", "State", "Retries", "Created (UTC)")
    listed = client.tasks.list(
        state=cast("TaskState | None", state), agent_type=agent_type, page_size=limit
    )
    for task in islice(listed, limit):
        colour = _COLOURS.get(task.state, "default")
        why = str((task.error or {}).get("detail", ""))
        lines = [str(task.id), f"{escape(task.agent_type)}, priority {task.priority}"]
        if why:
            lines.append(f"[red]{escape(why)}[/]")
        shown.add_row(
            "\n".join(lines),
            f"[{colour}]{task.state}[/]",
            f"{task.attempt} of {task.max_retries}",
            # On two lines, as the first column is: in 80 columns an id still stands on one.
            f"{task.created_at.astimezone(UTC):%Y-%m-%d\n%H:%M:%S}",
        )
    console.print(shown if shown.row_count else "No tasks match.")
