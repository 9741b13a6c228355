"""`gardenos lab`: a highly available PostgreSQL on this machine, to try and to break."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gardenos.cli.screen import console, program, to_type

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from gardenos.cli.home import Home
    from gardenos.lab.cluster import Lab
    from gardenos.lab.watch import Member

commands = typer.Typer(
    no_args_is_help=True, help="A highly available PostgreSQL on this machine, to break."
)
_HOWS = "kill9, stop (SIGSTOP), postgres (its postmaster), patroni, partition."


@commands.command()
def up(
    *,
    port: Annotated[
        int | None,
        typer.Option(min=1024, max=65_500, help="The first of its ports; kept from then on."),
    ] = None,
) -> None:
    """Bring the lab up; start again what does not run, mend what was broken."""
    from gardenos.cli.screen import step
    from gardenos.lab.bring_up import bring_up

    home = _home()
    home.make()
    lab = _lab(home, port=port)
    with home.locked("lab up"):
        started = bring_up(lab, step)
    if started:
        console.print(f"[bold]The lab is up.[/] Started: {', '.join(started)}.")
    else:
        console.print("The lab was up already.")
    console.print()
    _show(lab)
    console.print("\nNext:")
    for command, what in (
        ("up --database lab", "GardenOS on it"),
        ("lab kill pg1 --how kill9", "break something, and watch `lab status`"),
        ("lab down", "stop it; its data stay"),
    ):
        console.print(f"  [bold]{program()} {command:<25}[/]  {what}")


@commands.command()
def status() -> None:
    """Show who leads, who follows, and whom the ways lead to. Exit code 1 unless all is well."""
    from gardenos.lab import watch

    lab = _existing(_home())
    _show(lab)
    if not watch.all_well(watch.members(lab.layout)):
        console.print(to_type("`gardenos lab up` starts what does not run and mends what is cut."))
        raise typer.Exit(1)


@commands.command()
def switchover(
    *, to: Annotated[str | None, typer.Option(help="Who shall lead: pg1, pg2 or pg3.")] = None
) -> None:
    """Have another member lead, without losing anything."""
    from gardenos.cli.screen import step
    from gardenos.lab import faults

    lab = _existing(_home())
    with step("Switching over") as say:
        say(f"{faults.switch_over(lab, to=to)} leads now")


@commands.command()
def kill(
    name: Annotated[str, typer.Argument(help="pg1-3, etcd1-3, haproxy1-2 or sidecar1-3.")],
    *,
    how: Annotated[str, typer.Option(help=_HOWS)] = "kill9",
) -> None:
    """Break a part of the lab; `lab up` repairs it."""
    from gardenos.cli.problems import CommandFailed
    from gardenos.lab import faults
    from gardenos.lab.faults import How

    if how not in set(How):
        raise CommandFailed(f"There is no `--how {how}`.", todo=f"There are: {_HOWS}")
    faults.break_part(_existing(_home()), name, How(how))
    console.print(f"{name}: {how}.")


@commands.command()
def down() -> None:
    """Stop the lab; its data stay."""
    from gardenos.cli import database
    from gardenos.cli.screen import step

    home = _home()
    lab = _lab(home)
    if not lab.exists:
        console.print("There is no lab here; there is nothing to stop.")
        return
    with home.locked("lab down"), step("Stopping the lab") as say:
        stopped = lab.down()
        say("The lab is stopped" if stopped else "The lab did not run; there was nothing to stop")
    if home.running() and database.is_labs(home, home.settings()):
        console.print(
            to_type("GardenOS runs on it, and answers 503 until `gardenos lab up` brings it back.")
        )


def _home() -> Home:
    from gardenos.cli.home import Home

    return Home.default()


def folder(home: Home) -> Path:
    """Where the lab of an installation is kept."""
    from gardenos.db.embedded import reachable

    return reachable(home.folder / "lab")


def is_at(home: Home, servers: str) -> bool:
    """Whether these servers of a connection string are the lab of an installation."""
    from gardenos.lab import state
    from gardenos.lab.layout import Layout

    where = folder(home)
    known = state.read(where / "run")
    return known is not None and servers == Layout(where, known.base_port).ways_in


def _lab(home: Home, *, port: int | None = None) -> Lab:
    from gardenos.cli.problems import CommandFailed
    from gardenos.lab.cluster import Lab
    from gardenos.lab.layout import BASE_PORT

    lab = Lab.at(folder(home), base_port=port or BASE_PORT)
    if port is not None and port != lab.layout.base:
        raise CommandFailed(
            f"This lab has its ports from {lab.layout.base} on.",
            todo=f"Leave `--port` out, or remove {lab.layout.folder} to make another lab.",
        )
    return lab


def _existing(home: Home) -> Lab:
    from gardenos.cli.problems import CommandFailed

    lab = _lab(home)
    if not lab.exists:
        raise CommandFailed("There is no lab here.", todo="Run `gardenos lab up`, which makes one.")
    return lab


def _show(lab: Lab) -> None:
    from gardenos.lab import watch

    console.print(_members_table(lab, watch.members(lab.layout)))
    console.print(_ways_table(lab))


def _members_table(lab: Lab, found: list[Member]) -> Table:
    from rich.table import Column

    from gardenos.cli.screen import table

    right = "right"
    made = table(
        "Member",
        "Role",
        "State",
        Column("TL", justify=right),
        Column("Lag", justify=right),
        "Runs",
        "Address",
    )
    for one in found:
        number = int(one.name[-1])
        made.add_row(
            one.name,
            f"[bold]{one.role}[/]" if one.leads else one.role.replace("_", " "),
            _coloured(one.state, good=one.well),
            _shown(one.timeline),
            _shown(one.lag),
            _running(lab, one.name),
            str(lab.layout.postgres_door(number)),
        )
    return made


def _ways_table(lab: Lab) -> Table:
    from gardenos.cli.screen import table
    from gardenos.lab import watch
    from gardenos.lab.layout import PROXIES, PROXY_NUMBERS

    made = table("Way", "Address", "Leads to")
    for name, number in zip(PROXIES, PROXY_NUMBERS, strict=True):
        up = watch.servers(lab.layout, number)
        for backend, address in (
            ("postgres-primary", lab.layout.write(number)),
            ("postgres-replicas", lab.layout.read(number)),
        ):
            goals = _coloured("does not answer", good=False)
            if up is not None:
                goals = ", ".join(up.get(backend, [])) or _coloured("nobody", good=False)
            made.add_row(f"{name}, {backend.removeprefix('postgres-')}", str(address), goals)
    for service in (watch.PRIMARY_SERVICE, watch.REPLICAS_SERVICE):
        found = watch.slice_of(lab.layout, service, to_api=lab.state.to_api)
        ready = [one for one in found.endpoints if one.ready] if found else []
        goals = ", ".join(one.member or one.address for one in ready)
        term = f" (by {found.holder}, term {found.term})" if found else ""
        made.add_row(f"slice {service}", "", (goals or _coloured("nobody", good=False)) + term)
    healthy = [name for name, good in watch.etcd_health(lab.layout).items() if good]
    made.add_row("etcd", "", f"{', '.join(healthy) or _coloured('nobody', good=False)} healthy")
    return made


def _coloured(text: str, *, good: bool) -> str:
    return f"[green]{text}[/]" if good else f"[red]{text}[/]"


def _running(lab: Lab, node: str) -> str:
    """Which of a node's two programs run: one may die without the other."""
    patroni, postgres = lab.process(node), lab.postmaster(node)
    if patroni and postgres:
        return "both"
    alone = "Patroni only" if patroni else "PostgreSQL only" if postgres else "nothing"
    return _coloured(alone, good=False)


def _shown(figure: int | None) -> str:
    return "" if figure is None else str(figure)
