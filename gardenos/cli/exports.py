"""`gardenos export`: a list into a file, as it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.markup import escape
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console
from gardenos.sdk import GardenOS, problems

NOUNS = ("leads", "contacts", "companies", "deals", "tasks", "activities")
_PATIENCE_S = 1800.0


def conditions(said: list[str]) -> dict[str, str]:
    """Filters as they are typed, `status=new`. Raises `CommandFailed`."""
    found: dict[str, str] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals:
            raise CommandFailed(f"{one!r} is no filter.", todo="Write it as in status=new.")
        found[name] = value
    return found


def write(client: GardenOS, noun: str, params: Mapping[str, Any], output: Path) -> None:
    """Write a file, which stands there under its name only once it is whole."""
    if noun not in NOUNS:
        raise CommandFailed(f"There is no list {noun}.", todo=f"There are {', '.join(NOUNS)}.")
    part = output.with_name(f"{output.name}.part")
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task(f"Exporting {noun}", total=None)

            def told(taken: int) -> None:
                progress.update(bar, completed=taken)

            _fetch(client, noun, params, part, told)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    console.print(f"Wrote {escape(str(output))}, {output.stat().st_size:,} bytes.")


def _fetch(
    client: GardenOS, noun: str, params: Mapping[str, Any], part: Path, told: Callable[[int], None]
) -> None:
    web = client.driver.client
    try:
        with (
            part.open("wb") as file,
            web.stream("GET", f"/v1/exports/{noun}", params=params, timeout=_PATIENCE_S) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise problems.from_response(answer)
            for piece in answer.iter_bytes():
                file.write(piece)
                told(file.tell())
    except httpx.TransportError as error:
        raise CommandFailed(
            f"The export broke off ({type(error).__name__}); nothing was written.",
            todo="Run it again; `gardenos status` says whether everything is up.",
        ) from None
