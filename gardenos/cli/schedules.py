"""`gardenos tasks schedules`: what the commands ask for and print."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

from rich.markup import escape

from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console, table
from gardenos.sdk import GardenOS, Schedule


def show_all(client: GardenOS) -> None:
    """Every schedule of the operator's agency as a table."""
    shown = table("Name", "Agents", "Times", "Next (UTC)")
    for schedule in client.schedules.list():
        following = schedule.next_runs[0] if schedule.next_runs else None
        shown.add_row(
            escape(schedule.name),
            escape(schedule.agent_type),
            f"{escape(schedule.cron)}\n[dim]{escape(schedule.time_zone)}[/]",
            f"{following:%Y-%m-%d %H:%M}" if following else "[dim]switched off[/]",
        )
    console.print(shown if shown.row_count else "Nothing recurs.")


def show(schedule: Schedule) -> None:
    """A schedule and its next times."""
    if not schedule.next_runs:
        console.print(f"{escape(schedule.name)} is switched off.")
        return
    console.print(f"{escape(schedule.name)} fires next at, in UTC:")
    for at in schedule.next_runs:
        console.print(f"  {_moment(at)}")


def named(client: GardenOS, name: str) -> Schedule:
    """The schedule of this name or id. Raises `CommandFailed`."""
    for schedule in client.schedules.list():
        if name in (schedule.name, str(schedule.id)):
            return schedule
    raise CommandFailed(
        f"There is no schedule {name!r}.", todo="`gardenos tasks schedules list` shows all."
    )


def read_payload(text: str) -> dict[str, Any]:
    """A payload as it was typed. Raises `CommandFailed`."""
    try:
        read = json.loads(text)
    except ValueError as error:
        raise CommandFailed(
            f"The payload is not JSON: {error}.", todo="Quote it whole, as in '{\"a\": 1}'."
        ) from None
    if not isinstance(read, dict):
        raise CommandFailed("The payload is no JSON object.", todo="As in '{\"a\": 1}'.")
    return cast("dict[str, Any]", read)


def _moment(at: datetime) -> str:
    return f"{at:%a %Y-%m-%d %H:%M}"
