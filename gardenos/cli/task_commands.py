"""`gardenos tasks ...`: the commands, each of which loads what it needs when it runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gardenos.cli.screen import console

if TYPE_CHECKING:
    from gardenos.sdk import GardenOS
    from gardenos.sdk.dispatch import Whose
    from gardenos.sdk.tasks import TaskFilter

commands = typer.Typer(no_args_is_help=True, help="Look at the agents' tasks, and steer them.")
schedule_commands = typer.Typer(no_args_is_help=True, help="Tasks that recur.")
commands.add_typer(schedule_commands, name="schedules")

Limit = Annotated[int, typer.Option(help="How many at most.", min=1, max=200)]
Many = Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)]
TaskId = Annotated[str | None, typer.Argument(help="One task; without it, those that match.")]
Type = Annotated[str | None, typer.Option("--type", help="Of this agent type.")]
Agency = Annotated[
    str | None, typer.Option(help="Of the agency with this id, instead of the operator's own.")
]
EveryAgency = Annotated[bool, typer.Option("--every-agency", help="Of every agency.")]
Priority = Annotated[int | None, typer.Option(min=1, max=9, help="Of this priority.")]
Before = Annotated[
    datetime | None, typer.Option(help="Enqueued before this time, in UTC.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All of them, however many there are.")]
ScheduleName = Annotated[str, typer.Argument(help="Its name, or its id.")]


def _client() -> GardenOS:
    from gardenos.cli import operator
    from gardenos.cli.home import Home

    return operator.client(Home.default())


@commands.command("list")
def list_tasks(
    *,
    state: Annotated[
        str | None, typer.Option(help="queued, running, succeeded, dead or cancelled.")
    ] = None,
    agent_type: Type = None,
    agency: Agency = None,
    limit: Limit = 20,
) -> None:
    """Show tasks, the newest first."""
    from gardenos.cli import tasks

    with _client() as client:
        tasks.show_all(client, state=state, agent_type=agent_type, agency=agency, limit=limit)


@commands.command("dead")
def list_dead(*, agent_type: Type = None, agency: Agency = None, limit: Limit = 20) -> None:
    """Show the dead letters: tasks that were given up, and why."""
    from gardenos.cli import tasks

    with _client() as client:
        tasks.show_all(client, state="dead", agent_type=agent_type, agency=agency, limit=limit)


@commands.command("show")
def show_task(
    task_id: Annotated[str, typer.Argument(help="The task's id.")],
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until it has ended.")
    ] = False,
) -> None:
    """Show a task, whole."""
    from gardenos.cli import tasks

    with _client() as client:
        if follow:
            tasks.follow(client, task_id)
        tasks.show(client.tasks.get(task_id))


@commands.command("cancel")
def cancel(
    task_id: TaskId = None,
    *,
    state: Annotated[str | None, typer.Option(help="queued or running.")] = None,
    agent_type: Type = None,
    priority: Priority = None,
    before: Before = None,
    every: All = False,
    agency: Agency = None,
    every_agency: EveryAgency = False,
    limit: Many = 1000,
) -> None:
    """Cancel a task, or all that match: queued ones end at once, running ones within seconds."""
    from gardenos.cli import tasks

    which: TaskFilter = {
        **_which(task_id, agent_type, priority, before, every=every),
        **_whose(agency, every_agency=every_agency),
    }
    with _client() as client:
        if task_id:
            tasks.cancel(client, task_id)
        else:
            tasks.cancel_all(client, which, state=state, limit=limit)


@commands.command("replay")
def replay(
    task_id: TaskId = None,
    *,
    agent_type: Type = None,
    priority: Priority = None,
    before: Before = None,
    every: All = False,
    agency: Agency = None,
    every_agency: EveryAgency = False,
    limit: Many = 1000,
) -> None:
    """Queue a dead task again with fresh retries, or all dead ones that match."""
    from gardenos.cli import tasks

    which: TaskFilter = {
        **_which(task_id, agent_type, priority, before, every=every),
        **_whose(agency, every_agency=every_agency),
    }
    with _client() as client:
        if task_id:
            tasks.replay(client, task_id)
        else:
            tasks.replay_all(client, which, limit=limit)


@commands.command("pause")
def pause(
    *,
    agent_type: Type = None,
    reason: Annotated[str, typer.Option(help="Why, for whoever wonders.")] = "",
    agency: Agency = None,
    every_agency: EveryAgency = False,
) -> None:
    """Have no more tasks dispatched: of an agency, of an agent type, or both. What runs ends."""
    with _client() as client:
        client.pauses.pause(agent_type, reason=reason, **_whose(agency, every_agency=every_agency))
    console.print("Paused. `tasks resume` with the same options lets it go on.")


@commands.command("resume")
def resume(
    *, agent_type: Type = None, agency: Agency = None, every_agency: EveryAgency = False
) -> None:
    """Have tasks dispatched again that were paused."""
    with _client() as client:
        client.pauses.resume(agent_type, **_whose(agency, every_agency=every_agency))
    console.print("Goes on.")


@commands.command("pauses")
def list_pauses() -> None:
    """Show what is paused."""
    from gardenos.cli import tasks

    with _client() as client:
        tasks.show_pauses(client.pauses.list().items)


@commands.command("verify")
def verify() -> None:
    """Prove the queue's invariants on this database. Exit code 1 where one does not hold."""
    from gardenos.cli import tasks
    from gardenos.cli.home import Home

    if not tasks.verify(Home.default()):
        raise typer.Exit(1)


@schedule_commands.command("list")
def list_schedules() -> None:
    """Show what recurs, and when next."""
    from gardenos.cli import schedules

    with _client() as client:
        schedules.show_all(client)


@schedule_commands.command("add")
def add_schedule(
    name: Annotated[str, typer.Argument(help="A name, to find it by.")],
    agent_type: Annotated[str, typer.Argument(help="As `tasks list` shows it.")],
    cron: Annotated[str, typer.Argument(help="As in '0 7 * * mon-fri'.")],
    payload: Annotated[str, typer.Argument(help="What the agent takes, as JSON.")] = "{}",
    *,
    time_zone: Annotated[str, typer.Option(help="As in Europe/Berlin.")] = "UTC",
    priority: Annotated[int, typer.Option(min=1, max=9)] = 5,
) -> None:
    """Have a task enqueued at every time that a cron line names."""
    from gardenos.cli import schedules

    read = schedules.read_payload(payload)
    with _client() as client:
        made = client.schedules.create(
            name=name,
            agent_type=agent_type,
            cron=cron,
            payload=read,
            time_zone=time_zone,
            priority=priority,
        )
    schedules.show(made)


@schedule_commands.command("on")
def switch_on(name: ScheduleName) -> None:
    """Let a schedule fire again."""
    _switch(name, enabled=True)


@schedule_commands.command("off")
def switch_off(name: ScheduleName) -> None:
    """Let a schedule fire no more, and keep it."""
    _switch(name, enabled=False)


@schedule_commands.command("remove")
def remove_schedule(name: ScheduleName) -> None:
    """Delete a schedule. Tasks it made stay."""
    from gardenos.cli import schedules

    with _client() as client:
        found = schedules.named(client, name)
        client.schedules.delete(found)
    console.print(f"{found.name} is gone.")


def _switch(name: str, *, enabled: bool) -> None:
    from gardenos.cli import schedules

    with _client() as client:
        schedules.show(client.schedules.change(schedules.named(client, name), enabled=enabled))


def _which(
    task_id: str | None,
    agent_type: str | None,
    priority: int | None,
    before: datetime | None,
    *,
    every: bool,
) -> TaskFilter:
    from datetime import UTC

    from gardenos.cli.problems import CommandFailed
    from gardenos.sdk.tasks import TaskFilter

    given: dict[str, Any] = {
        "agent_type": agent_type,
        "priority": priority,
        "created_before": before and before.replace(tzinfo=UTC),
        "all": every or None,
    }
    which = {name: value for name, value in given.items() if value is not None}
    if task_id and which:
        raise CommandFailed(
            "A task's id and a filter are one too many.", todo="Give either of them."
        )
    return TaskFilter(**which)


def _whose(agency: str | None, *, every_agency: bool) -> Whose:
    from gardenos.sdk.dispatch import Whose

    whose = Whose()
    if agency is not None:
        whose["agency_id"] = agency
    if every_agency:
        whose["every_agency"] = True
    return whose
