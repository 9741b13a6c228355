"""`gardenos leads`: files into the installation, leads out of it."""

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
from gardenos.sdk import GardenOS, Import, Lead
from gardenos.sdk.call import model, post

_SHOWN_ERRORS = 10
_PATIENCE_S = 600.0
"""A large file is stored before it is answered."""
_POLL_S = 0.3


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
    client: GardenOS, path: Path, mapping: Mapping[str, Any] | None, *, score: bool
) -> Import:
    """Stream a CSV file to the API, with a bar; what became of its rows."""
    require_file(path)
    fields: dict[str, str] = {"score": "true"} if score else {}
    if mapping is not None:
        fields["mapping"] = json.dumps(mapping)
    bar_columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*bar_columns, console=console, transient=True) as progress:
        bar = progress.add_task(f"Importing {escape(path.name)}", total=path.stat().st_size)
        with Upload(path, progress, bar) as file:
            call = post(
                "/v1/imports",
                model(Import),
                data=fields,
                files={"file": (path.name, file, "text/csv")},
                patience_s=_PATIENCE_S,
            )
            return client.driver.run(call)


def show_import(done: Import) -> None:
    """The counts and the first rows that were not taken."""
    counts = {
        "Rows read": done.rows_read,
        "Imported": done.imported,
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
    if not done.errors:
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


def count_scored(client: GardenOS) -> int:
    """How many leads of the agency have a score."""
    return client.leads.page({"quality_score.gte": 0}, limit=1, total=True).total or 0


def wait_for_scores(client: GardenOS, count: int, *, scored_before: int) -> None:
    """A bar until no analysis is waiting or running any more; says how many gave up."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("Scoring", total=count)
        while True:
            busy = _busy(client)
            done = min(count, count_scored(client) - scored_before)
            progress.update(bar, completed=max(0, done))
            if not busy:
                break
            client.driver.run(_pause())
    if done < count:
        console.print(
            f"[yellow]{count - done} of {count} leads have no score.[/] "
            + to_type("`gardenos tasks list --state dead` says why.")
        )


def _busy(client: GardenOS) -> bool:
    for state in ("queued", "running"):
        # One is enough: only whether there is any is asked.
        if next(client.tasks.list(state=state, agent_type="lead_analysis", page_size=1), None):
            return True
    return False


def _pause() -> Any:
    from gardenos.sdk.call import Pause

    def steps() -> Any:
        yield Pause(_POLL_S)

    return steps()


def name_of(lead: Lead) -> str:
    """How a person would call a lead."""
    name = " ".join(filter(None, (lead.get("first_name"), lead.get("last_name"))))
    others = (lead.get(field) for field in ("company", "email", "external_id"))
    return name or next(filter(None, others), str(lead.id))


def show_leads(found: Iterable[Lead]) -> None:
    """Leads as a table."""
    listed = table(*score_columns(), "Lead", "Source", Column("Status", no_wrap=True))
    for lead in found:
        listed.add_row(
            *score_of(lead),
            card(lead, lead.get("email")),
            escape(lead.get("source") or ""),
            lead.get("status", ""),
        )
    console.print(listed if listed.row_count else "No leads match.")


def score_columns() -> tuple[Column, Column]:
    """The columns of what `score_of` gives."""
    return (
        Column("Score", justify="right", style="bold", no_wrap=True),
        Column("Probability", justify="right", no_wrap=True),
    )


def score_of(lead: Lead) -> tuple[str, str]:
    """How good a lead is and how likely it converts; both empty until it is scored."""
    quality = lead.get("quality_score")
    return "" if quality is None else str(quality), percent(lead.get("conversion_probability"))


def card(lead: Lead, *more: str | None) -> str:
    """A lead in a cell: its name, its company, and what else, each on a line of its own."""
    name = name_of(lead)
    below = [line for line in (lead.get("company"), *more) if line and line != name]
    return "\n".join([escape(name), *(f"[dim]{escape(line)}[/]" for line in below)])


def percent(probability: float | None) -> str:
    """A probability for people: certain, or out of the question, only where it is."""
    if probability is None:
        return ""
    rounded = f"{probability:.0%}"
    if rounded == "0%" and probability > 0:
        return "<1%"
    if rounded == "100%" and probability < 1:
        return ">99%"
    return rounded
