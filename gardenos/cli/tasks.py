"""`gardenos tasks`."""

from __future__ import annotations

from itertools import islice
from typing import cast, get_args

from rich.markup import escape
from rich.table import Table

from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console
from gardenos.sdk import GardenOS
from gardenos.sdk.results import TaskState

_COLOURS = {"succeeded": "green", "dead": "red", "running": "cyan", "cancelled": "dim"}


def show(client: GardenOS, *, state: str | None, agent_type: str | None, limit: int) -> None:
    """The newest tasks as a table."""
    states = get_args(TaskState)
    if state is not None and state not in states:
        raise CommandFailed(f"There is no state {state}.", todo=f"There are: {', '.join(states)}.")
    table = Table("Task", "Type", "State", "Priority", "Attempt", "Created", "Error")
    listed = client.tasks.list(
        state=cast("TaskState | None", state), agent_type=agent_type, page_size=limit
    )
    for task in islice(listed, limit):
        colour = _COLOURS.get(task.state, "default")
        why = str((task.error or {}).get("detail", ""))
        table.add_row(
            str(task.id),
            escape(task.agent_type),
            f"[{colour}]{task.state}[/]",
            str(task.priority),
            f"{task.attempt} of {task.max_retries}",
            f"{task.created_at:%Y-%m-%d %H:%M:%S}",
            escape(why),
        )
    console.print(table if table.row_count else "No tasks match.")
