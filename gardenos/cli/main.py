"""`gardenos`: the commands and their options. What they do stands in a module per noun."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gardenos.cli import backup, import_commands, lab, task_commands
from gardenos.cli.import_commands import MatchBy
from gardenos.cli.problems import told
from gardenos.cli.screen import console, program, to_type

if TYPE_CHECKING:
    from gardenos.cli.home import Home
    from gardenos.cli.lifecycle import Outcome
    from gardenos.sdk import GardenOS

commands = typer.Typer(
    name="gardenos",
    help="The CRM platform that agencies run themselves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
leads_commands = typer.Typer(no_args_is_help=True, help="Take leads in and look at them.")
commands.add_typer(leads_commands, name="leads")
commands.add_typer(import_commands.commands, name="imports")
commands.add_typer(task_commands.commands, name="tasks")
commands.add_typer(backup.backup_commands, name="backup")
commands.command()(backup.restore)
commands.add_typer(lab.commands, name="lab")

_TOP_DEADLINE_S = 5.0
"""A screen that is drawn every second says rather soon that nothing answers."""
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
Limit = Annotated[int, typer.Option(help="How many at most.", min=1, max=200)]


def main() -> None:
    """The entry point: every failure becomes a sentence and an exit code."""
    with told():
        commands(prog_name=program())


@commands.command()
def up(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Take sixty leads in and score them.")
    ] = False,
    email: Annotated[
        str, typer.Option(help="The administrator's e-mail, where there is no account yet.")
    ] = "admin@gardenos.localhost",
    database: Annotated[
        str | None, typer.Option(help="lab (see `lab up`) or embedded; kept from then on.")
    ] = None,
) -> None:
    """Bring GardenOS up and leave it running; start again what does not run."""
    from gardenos.cli import lifecycle

    home = _home()
    outcome = lifecycle.up(home, email=email, use=database)
    _show_outcome(outcome)
    if demo:
        from gardenos.cli import demo as demonstration

        with _client(home) as client:
            demonstration.run(home, client)
    _show_next(demo=demo)


@commands.command()
def down() -> None:
    """Stop what `up` started; data and secrets stay."""
    from gardenos.cli import lifecycle

    stopped = lifecycle.down(_home())
    if not stopped:
        console.print("GardenOS does not run; there is nothing to stop.")


@commands.command()
def status() -> None:
    """Show what runs, and where. Exit code 1 unless all of it does."""
    from gardenos.cli import status as state

    home = _home()
    settings = home.settings()
    found = state.parts(home, settings)
    state.show(found, settings)
    if not all(part.runs for part in found):
        console.print(
            to_type("`gardenos up` starts what does not run; `gardenos doctor` says more.")
        )
        raise typer.Exit(1)


@commands.command()
def logs(
    component: Annotated[
        str | None,
        typer.Argument(help="gardenos, postgres, ray, workers, serve, haproxy, dashboard or lab."),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Per file.")] = 20,
) -> None:
    """Show what GardenOS logs."""
    from gardenos.cli import logs as log_files

    home = _home()
    if follow:
        log_files.follow(home, component, lines=lines)
    else:
        log_files.show(home, component, lines=lines)


@commands.command(context_settings=_PASS_ON)
def test(context: typer.Context) -> None:
    """Run the test suite. Arguments are pytest's."""
    from gardenos.cli import quality

    raise typer.Exit(quality.test(context.args))


@commands.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; all by default.")] = None,
) -> None:
    """Check style, types, import contracts and documentation."""
    from gardenos.cli import quality

    if not quality.check(names or []):
        raise typer.Exit(1)


@commands.command(context_settings=_PASS_ON)
def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Which; without it they are listed.")] = None,
) -> None:
    """Run a benchmark. Further arguments are the benchmark's."""
    from gardenos.cli import quality

    if name is None:
        quality.list_benchmarks()
    else:
        raise typer.Exit(quality.bench(name, context.args))


@commands.command()
def chaos(
    *,
    minutes: Annotated[float, typer.Option(min=0.2, help="For how long to break things.")] = 10.0,
    seed: Annotated[int | None, typer.Option(help="Repeats an earlier run's faults.")] = None,
) -> None:
    """Break an installation of its own under load, and see that nothing is lost."""
    from gardenos.cli import quality

    raise typer.Exit(quality.chaos(minutes=minutes, seed=seed))


@commands.command()
def migrate() -> None:
    """Bring the database's schema to this version's."""
    from gardenos.cli import database
    from gardenos.cli.problems import CommandFailed

    home = _home()
    settings = home.settings()
    chosen = database.plan(home, settings)
    if chosen.embedded and chosen.embedded.pid() is None:
        raise CommandFailed(
            "The embedded PostgreSQL does not run.", todo="Run `gardenos up`, which migrates too."
        )
    if chosen.admin_dsn is None:
        raise CommandFailed(
            "GARDENOS_ADMIN_DATABASE_URL is not set.",
            todo="Set it to a login that may create roles and schemas.",
        )
    applied = database.bring_up_to_date(
        chosen, lambda m: console.print(f"{m.number:04d} {m.name.replace('_', ' ')}")
    )
    console.print(f"The schema is up to date; {len(applied)} applied now.")


@commands.command()
def openapi() -> None:
    """Print the API's OpenAPI document; needs no running server."""
    import json

    from gardenos.serve.api import create_api

    typer.echo(json.dumps(create_api().openapi(), indent=2, ensure_ascii=False))


@leads_commands.command("import")
def import_leads(
    file: Annotated[
        Path, typer.Argument(help="CSV, an Excel workbook or JSON Lines, also gzipped.")
    ],
    *,
    mapping: Annotated[
        Path | None, typer.Option("--map", help="A JSON file: which column is which field.")
    ] = None,
    score: Annotated[bool, typer.Option("--score", help="Have every lead scored.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Let rows change the leads that they are.")
    ] = False,
    match_by: Annotated[
        MatchBy, typer.Option(help="By what a row is a lead already.")
    ] = MatchBy.either,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try the first rows, and keep the file for later.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Import a file that was imported before.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the leads are scored.")] = True,
) -> None:
    """Take the leads of a file in."""
    from gardenos.cli import imports, leads

    imports.require_file(file)
    chosen = imports.read_mapping(mapping) if mapping else None
    with _client(_home()) as client:
        scored_before = leads.count_scored(client) if score else 0
        done = imports.import_file(
            client,
            file,
            chosen,
            {
                "score": score,
                "on_duplicate": "update" if update else "skip",
                "match_by": match_by.value,
                "dry_run": dry_run,
                "again": again,
            },
        )
        imports.show(done)
        if score and wait and done.tasks_enqueued:
            leads.wait_for_scores(client, done.tasks_enqueued, scored_before=scored_before)


@leads_commands.command("list")
def list_leads(*, limit: Limit = 20, sort: str = "-quality_score", q: str | None = None) -> None:
    """Show leads, the best first."""
    from gardenos.cli import leads

    with _client(_home()) as client:
        page = client.leads.page(limit=limit, sort=sort, q=q or None)
        leads.show_leads(page.items)


@commands.command()
def export(
    noun: Annotated[
        str, typer.Argument(help="leads, contacts, companies, deals, tasks or activities.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    where: Annotated[
        list[str] | None, typer.Option(help="A filter of the list, as in status=new.")
    ] = None,
    view: Annotated[str | None, typer.Option(help="A saved view, by its id.")] = None,
    sort: Annotated[str | None, typer.Option(help="As the list has it: -created_at.")] = None,
) -> None:
    """Write a list to a file: .csv, .jsonl or .xlsx, the first two also with .gz behind."""
    from gardenos.cli import exports

    name = output.name.removesuffix(".gz")
    kind = Path(name).suffix.removeprefix(".") or "csv"
    said = {"format": kind, "gzip": str(output.name.endswith(".gz")).lower()}
    said |= {key: text for key, text in (("view", view), ("sort", sort)) if text}
    with _client(_home()) as client:
        exports.write(client, noun, exports.conditions(where or []) | said, output)


@commands.command()
def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once, for scripts.")] = False,
) -> None:
    """Watch the agents: what they do, what waits and why. Ctrl-C ends it."""
    from gardenos.cli import operator
    from gardenos.cli import top as screen

    home = _home()
    screen.run(lambda: operator.client(home, deadline_s=_TOP_DEADLINE_S), once=once)


@commands.command()
def search(
    words: Annotated[list[str], typer.Argument(help="Words; the last may be only begun.")],
    *,
    kind: Annotated[
        list[str] | None,
        typer.Option("--in", help="leads, contacts, companies, deals, activities."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
) -> None:
    """Find leads, contacts, companies, deals and activities by words."""
    from gardenos.cli import search as screen

    with _client(_home()) as client:
        screen.show(client, " ".join(words), kinds=kind or [], limit=limit)


@commands.command()
def scale(
    agent_type: Annotated[str, typer.Argument(help="lead_analysis or follow_up.")],
    replicas: Annotated[int, typer.Argument(min=0, help="How many agents.")],
    *,
    ttl_s: Annotated[
        float | None,
        typer.Option("--for", min=0, help="Seconds; then the backlog decides again. 0: at once."),
    ] = None,
) -> None:
    """Ask for a number of agents of a type."""
    with _client(_home()) as client:
        asked = client.orchestrator.scale_agents(agent_type, replicas, ttl_s=ttl_s)
    if ttl_s == 0:
        console.print(f"{asked.agent_type}: the backlog decides again.")
        return
    until = f" until {asked.expires_at.astimezone(UTC):%H:%M:%S} UTC" if asked.expires_at else ""
    console.print(f"{asked.agent_type}: {asked.replicas} asked for{until}.")


@commands.command()
def token(
    *,
    email: Annotated[
        str | None, typer.Option(help="Whose; the operator's account by default.")
    ] = None,
    ttl_s: Annotated[int, typer.Option("--ttl", min=30, max=604_800, help="Seconds.")] = 3600,
) -> None:
    """Print an access token, for programs and curl."""
    from gardenos.cli import operator

    home = _home()
    typer.echo(operator.token(home, home.settings(), email=email, ttl_s=ttl_s))


@commands.command()
def doctor() -> None:
    """Find what is wrong and say what to do. Exit code 1 where something is."""
    from gardenos.cli import doctor as examination
    from gardenos.cli.preflight import Verdict

    home = _home()
    findings = examination.examine(home, home.settings())
    examination.show(findings)
    if any(finding.verdict is Verdict.BAD for finding in findings):
        raise typer.Exit(1)


def _home() -> Home:
    """The installation that the environment names."""
    from gardenos.cli.home import Home

    return Home.default()


def _client(home: Home) -> GardenOS:
    """A client of the running installation, as its operator."""
    from gardenos.cli import operator

    return operator.client(home)


def _show_outcome(outcome: Outcome) -> None:
    from gardenos.cli import status as state

    if outcome.was_running and not outcome.healed:
        console.print("GardenOS was up already.")
    elif outcome.was_running:
        console.print(f"GardenOS was up already; started again: {', '.join(outcome.healed)}.")
    else:
        console.print("[bold]GardenOS is up.[/]")
    console.print()
    for name, url in state.urls(outcome.settings):
        console.print(f"  {name:<18} {url}")
    if outcome.welcome:
        console.print(f"  {'Administrator':<18} {outcome.welcome.email}")
        console.print(f"  {'Password':<18} [bold]{outcome.welcome.password}[/]  (shown only now)")
    console.print()


def _show_next(*, demo: bool) -> None:
    first = (
        ("leads list", "all leads, the best first")
        if demo
        else ("up --demo", "sixty leads, scored, the best with a message")
    )
    console.print("Next:")
    for command, what in (
        first,
        ("leads import FILE --score", "your own leads"),
        ("status", "what runs; `down` stops it"),
    ):
        console.print(f"  [bold]{program()} {command:<25}[/]  {what}")
