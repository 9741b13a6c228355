"""The commands. Each imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

import asyncio
import sys

import typer
from rich.console import Console

from gardenos.core.errors import GardenOSError

app = typer.Typer(
    name="gardenos",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The self-hosted, AI-native CRM platform that agencies run themselves.",
)
console = Console()
_PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.callback()
def root() -> None:
    """Commands of GardenOS; `COMMAND --help` says more of one."""


@app.command()
def check() -> None:
    """Lint, types, layers, schema snapshot and docs: what CI checks."""
    from gardenos.cli import checks

    raise typer.Exit(1 if checks.check(console) else 0)


@app.command(context_settings=_PASS_THROUGH)
def test(context: typer.Context) -> None:
    """Run the test suite; further arguments go to pytest."""
    from gardenos.cli import checks

    raise typer.Exit(checks.test(context.args))


@app.command()
def migrate() -> None:
    """Bring the database of GARDENOS_ADMIN_DATABASE_URL to this version's schema."""
    from gardenos.core.config import Settings
    from gardenos.db import migrate as migrations

    settings = Settings.load()
    if settings.admin_database_url is None:
        raise GardenOSError(
            "There is no database to migrate. Set GARDENOS_ADMIN_DATABASE_URL to a login that may "
            "create roles and schemas."
        )
    url = settings.admin_database_url.get_secret_value()
    with console.status("Migrating ..."):
        applied = asyncio.run(migrations.migrate(url))
    for migration in applied:
        console.print(f"applied {migration.number:04d} {migration.name}")
    console.print("The schema is up to date.")


def main() -> None:
    """Run a command; a failure a person can meet is one sentence, not a traceback."""
    try:
        app()
    except GardenOSError as error:
        Console(stderr=True).print(f"[red]gardenos:[/] {error.detail}")
        sys.exit(1)
