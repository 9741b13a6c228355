"""`gardenos tasks`: what the commands ask for and print."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from rich.markup import escape

from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console, table, to_type
from gardenos.sdk import GardenOS, PausedWork, Task
from gardenos.sdk.results import TaskState

if TYPE_CHECKING:
    from gardenos.cli.home import Home
    from gardenos.orchestrator.verify import Report
    from gardenos.sdk.tasks import TaskFilter

_COLOURS = {"succeeded": "green", "dead": "red", "running": "cyan", "cancelled": "dim"}
_OPEN: tuple[str, ...] = ("queued", "running")


def show_all(
    client: GardenOS, *, state: str | None, agent_type: str | None, agency: str | None, limit: int
) -> None:
    """The newest tasks as a table."""
    _require_state(state, get_args(TaskState))
    shown = table("Task", "State", "Retries", "Created (UTC)")
    listed = client.tasks.list(
        state=cast("TaskState | None", state),
        agent_type=agent_type,
        agency_id=agency,
        page_size=limit,
    )
    for task in islice(listed, limit):
        lines = [str(task.id), f"{escape(task.agent_type)}, priority {task.priority}"]
        why = _why(task)
        if why:
            lines.append(f"[red]{escape(why)}[/]")
        shown.add_row(
            "\n".join(lines),
            _state(task),
            f"{task.attempt} of {task.max_retries}",
            # On two lines, as the first column is: in 80 columns an id still stands on one.
            f"{task.created_at.astimezone(UTC):%Y-%m-%d\n%H:%M:%S}",
        )
    console.print(shown if shown.row_count else "No tasks match.")


def show(task: Task) -> None:
    """All there is to know of a task."""
    shown = table("", "", title=f"Task {task.id}")
    shown.show_header = False
    rows: dict[str, str] = {
        "Agents": f"{escape(task.agent_type)}, priority {task.priority}",
        "State": _state(task),
        "Why": escape(_why(task)),
        "Retries": f"{task.attempt} of {task.max_retries}",
        "Created": _moment(task.created_at),
        "Due": _moment(task.run_at),
        "Started": _moment(task.started_at),
        "Ended": _moment(task.finished_at),
        "Payload": _pretty(task.payload),
        "Result": _pretty(task.result),
    }
    for name, value in rows.items():
        if value:
            shown.add_row(name, value)
    console.print(shown)


def follow(client: GardenOS, task_id: str) -> None:
    """A line for each change of a task, until it has ended."""
    for task in client.tasks.follow(task_id):
        attempt = f", after {task.attempt} failures" if task.attempt else ""
        console.print(f"{datetime.now(UTC):%H:%M:%S}  {_state(task)}{attempt}")


def cancel(client: GardenOS, task_id: str) -> None:
    """Cancel a task and say what that came to."""
    task = client.tasks.cancel(task_id)
    if task.is_terminal:
        console.print(f"The task {task.id} is cancelled.")
    else:
        console.print(f"The task {task.id} runs; it ends as soon as its agent sees the mark.")


def cancel_all(client: GardenOS, which: TaskFilter, *, state: str | None, limit: int) -> None:
    """Cancel the tasks that match and say how many."""
    _require_state(state, _OPEN)
    chosen = cast('Literal["queued", "running"] | None', state)
    which["limit"] = limit
    done = client.tasks.cancel_all(state=chosen, **which)
    running = f", {done.cancelling} running ones are ending" if done.cancelling else ""
    console.print(f"{done.cancelled} queued tasks are cancelled{running}.{_more(more=done.more)}")


def replay(client: GardenOS, task_id: str) -> None:
    """Queue a dead task again."""
    task = client.tasks.replay(task_id)
    console.print(f"The task {task.id} is queued again, with {task.max_retries} retries.")


def replay_all(client: GardenOS, which: TaskFilter, *, limit: int) -> None:
    """Queue the dead tasks that match again and say how many."""
    which["limit"] = limit
    done = client.tasks.replay_all(**which)
    console.print(f"{done.replayed} tasks are queued again.{_more(more=done.more)}")


def show_pauses(pauses: Iterable[PausedWork]) -> None:
    """What is paused, as a table."""
    shown = table("Agency", "Agents", "Reason", "Since (UTC)")
    for paused in pauses:
        shown.add_row(
            str(paused.agency_id) if paused.agency_id else "every one",
            escape(paused.agent_type or "every type"),
            escape(paused.reason),
            _moment(paused.set_at),
        )
    console.print(shown if shown.row_count else "Nothing is paused.")


def verify(home: Home) -> bool:
    """Check the queue's invariants, show each; whether all hold.

    Raises `CommandFailed` where the database does not run.
    """
    report = asyncio.run(_verify(home))
    shown = table("Check", "Holds", "What it says")
    for finding in report.findings:
        holds = "[green]yes[/]" if finding.holds else f"[red]no, {finding.violations} times[/]"
        said = [escape(finding.sentence), *(f"[red]{escape(e)}[/]" for e in finding.examples)]
        shown.add_row(escape(finding.name), holds, "\n".join(said))
    console.print(shown)
    return report.holds


async def _verify(home: Home) -> Report:
    from gardenos.cli import database, operator
    from gardenos.orchestrator import verify as checker

    settings = home.settings()
    chosen = database.plan(home, settings)
    operator.require_database(home, chosen)
    async with operator.opened(chosen) as opened:
        return await checker.run(opened, lease_s=settings.task_lease_s)


def _require_state(state: str | None, states: Iterable[str]) -> None:
    if state is not None and state not in states:
        raise CommandFailed(f"There is no state {state}.", todo=f"There are: {', '.join(states)}.")


def _state(task: Task) -> str:
    colour = _COLOURS.get(task.state, "default")
    ending = ", to be cancelled" if task.cancel_requested_at and not task.is_terminal else ""
    return f"[{colour}]{task.state}{ending}[/]"


def _why(task: Task) -> str:
    return str((task.error or {}).get("detail", ""))


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def _pretty(value: dict[str, Any] | None) -> str:
    return escape(json.dumps(value, indent=2, ensure_ascii=False)) if value else ""


def _more(*, more: bool) -> str:
    return to_type(" There may be more: run it again.") if more else ""
