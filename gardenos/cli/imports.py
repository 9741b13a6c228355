"""`gardenos leads import` and `gardenos imports`: files into the installation, with bars and tables."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console, table, to_type
from gardenos.sdk import GardenOS, Import
from gardenos.sdk.call import model, post
from gardenos.sdk.imports import Sending, form

_SHOWN_ERRORS = 10
_PATIENCE_S = 600.0
"""A large file is stored before it is answered."""


class Upload(io.BufferedIOBase):
    """A file that tells a progress bar how far it has been read."""

    def __init__(self, path: Path, progress: Progress, bar: Any) -> None:
        self._file = path.open("rb")
        self._progress = progress
        self._bar = bar

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(size)
        self._progress.update(self._bar, completed=self._file.tell())
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        """Httpx learns the length from it, and so sends no chunks."""
        return self._file.fileno()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()


def require_file(path: Path) -> None:
    """Raise `CommandFailed` unless there is a file to read, before anything else is begun."""
    if path.is_dir():
        raise CommandFailed(f"{path} is a folder.", todo="Name a file.")
    if not path.is_file():
        raise CommandFailed(f"There is no file {path}.", todo="Check the path.")
    path.open("rb").close()


def read_mapping(path: Path) -> dict[str, Any]:
    """A mapping file. Raises `CommandFailed` where it is no JSON object."""
    require_file(path)
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except ValueError as error:
        raise CommandFailed(
            f"{path} is no mapping: {error}.", todo="docs/quickstart.md shows one."
        ) from None
    if not isinstance(found, dict):
        raise CommandFailed(f"{path} is no mapping.", todo="It must be one JSON object.")
    return found


def import_file(
    client: GardenOS, path: Path, mapping: Mapping[str, Any] | None, said: Sending
) -> Import:
    """Stream a file to the API, with a bar, and follow its rows; what became of them."""
    require_file(path)
    sent = _send(client, path, mapping, said)
    return sent if sent.rests else follow(client, sent)


def follow(client: GardenOS, an_import: Import) -> Import:
    """A bar of rows until an import does nothing more by itself; what it came to."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    reverts = an_import.state == "reverting"
    with Progress(*columns, console=console, transient=True) as progress:
        total = an_import.imported + an_import.updated if reverts else an_import.rows_total
        bar = progress.add_task("Taking rows back" if reverts else "Carrying rows out", total=total)
        for found in client.imports.follow(an_import):
            done = found.removed + found.restored + found.kept if reverts else found.rows_read
            progress.update(bar, completed=done)
            an_import = found
    # A stream ends after ten minutes at the latest.
    return an_import if an_import.rests else follow(client, an_import)


def _send(client: GardenOS, path: Path, mapping: Mapping[str, Any] | None, said: Sending) -> Import:
    bar_columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*bar_columns, console=console, transient=True) as progress:
        bar = progress.add_task(f"Sending {escape(path.name)}", total=path.stat().st_size)
        with Upload(path, progress, bar) as file:
            call = post(
                "/v1/imports",
                model(Import),
                data=form(mapping, said),
                files={"file": (path.name, file, "application/octet-stream")},
                patience_s=_PATIENCE_S,
            )
            return client.driver.run(call)


def show(done: Import) -> None:
    """The counts and the first rows that were not taken."""
    counts = {
        "Rows read": done.rows_read,
        "Imported": done.imported,
        "Updated": done.updated,
        "Duplicates": done.duplicates,
        "Rejected": done.rejected,
        "To be scored": done.tasks_enqueued,
    }
    shown = table(
        *(Column(name, justify="right") for name in counts),
        title=escape(f"Import of {done.filename or 'the file'}"),
    )
    shown.add_row(*(f"{count:,}" for count in counts.values()))
    console.print(shown)
    if done.state == "staged":
        console.print(_tried(done))
    if done.state == "stopped":
        console.print(
            f"[yellow]It stopped.[/] {to_type(f'`gardenos imports start {done.id}` goes on.')}"
        )
    if not done.errors:
        if done.rejected:
            command = f"`gardenos imports rejected {done.id} -o rejected.csv`"
            console.print(f"{to_type(command)} says what is wrong with the others.")
        return
    faults = table(
        Column("Row", justify="right"),
        "Column",
        "What is wrong",
        title="Rows that were not taken; row 1 is the one below the header",
    )
    for fault in sorted(done.errors, key=lambda fault: fault.row)[:_SHOWN_ERRORS]:
        faults.add_row(str(fault.row), escape(fault.column or ""), escape(fault.detail))
    console.print(faults)
    more = done.rejected + done.duplicates - min(len(done.errors), _SHOWN_ERRORS)
    if more > 0:
        console.print(f"[dim]and {more} more[/]")


def _tried(done: Import) -> str:
    tried = done.tried
    said = (
        ""
        if tried is None
        else (
            f"Of the first {tried.rows:,} rows, {tried.imported:,} would be imported, {tried.updated:,} "
            f"change a lead, {tried.duplicates:,} be duplicates and {tried.rejected:,} be rejected. "
        )
    )
    return said + to_type(f"`gardenos imports start {done.id}` imports them all.")


def show_all(found: Iterable[Import]) -> None:
    """Imports as a table."""
    numbers = ("Rows", "Imported", "Updated", "Duplicates", "Rejected")
    listed = table(
        "Import", "File", "State", *(Column(name, justify="right") for name in numbers), "Sent"
    )
    for one in found:
        counts = (one.rows_total, one.imported, one.updated, one.duplicates, one.rejected)
        listed.add_row(
            str(one.id),
            escape(one.filename or ""),
            one.state,
            *("" if count is None else f"{count:,}" for count in counts),
            f"{one.created_at:%Y-%m-%d %H:%M}" if one.created_at else "",
        )
    console.print(listed if listed.row_count else "Nothing was imported yet.")


def show_reverted(done: Import) -> None:
    """What a revert took back, and what it left."""
    counts = {"Removed": done.removed, "Restored": done.restored, "Kept": done.kept}
    shown = table(
        *(Column(name, justify="right") for name in counts),
        title=escape(f"Revert of {done.filename or 'the file'}"),
    )
    shown.add_row(*(f"{count:,}" for count in counts.values()))
    console.print(shown)
    if done.kept:
        console.print("[dim]Kept are the leads that others have worked on since.[/]")
