"""`gardenos imports`: what became of files, what was rejected, and the way back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gardenos.cli.screen import console, to_type

if TYPE_CHECKING:
    from gardenos.sdk import GardenOS

commands = typer.Typer(no_args_is_help=True, help="Look at imports, start them, take them back.")
ImportId = Annotated[str, typer.Argument(help="Of the import, as `imports list` shows it.")]


class MatchBy(StrEnum):
    """By what a row is a lead already."""

    either = "either"
    external_id = "external_id"
    email = "email"


def _client() -> GardenOS:
    from gardenos.cli.home import Home
    from gardenos.cli.operator import client

    return client(Home.default())


@commands.command("list")
def list_imports(*, limit: Annotated[int, typer.Option(min=1, max=200)] = 20) -> None:
    """Show imports, the newest first."""
    from itertools import islice

    from gardenos.cli import imports

    with _client() as client:
        imports.show_all(islice(client.imports.list(page_size=limit), limit))


@commands.command()
def start(
    import_id: ImportId,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Though the file was imported before.")
    ] = False,
) -> None:
    """Begin an import that was tried only, or go on with one that stopped."""
    from gardenos.cli import imports

    with _client() as client:
        begun = client.imports.start(import_id, again=again)
        imports.show(imports.follow(client, begun))


@commands.command()
def revert(import_id: ImportId) -> None:
    """Take an import back, but what others have worked on since."""
    from gardenos.cli import imports

    with _client() as client:
        begun = client.imports.revert(import_id)
        imports.show_reverted(begun if begun.rests else imports.follow(client, begun))


@commands.command()
def rejected(
    import_id: ImportId,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
) -> None:
    """Write the rejected rows to a CSV file, each with what is wrong with it."""
    with _client() as client:
        output.write_bytes(client.imports.rejected(import_id))
    console.print(
        f"Wrote {output}. Correct it, and " + to_type(f"`gardenos leads import {output}`")
    )
