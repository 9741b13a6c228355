"""How fast a file becomes leads through the API, against COPY of the same bytes into the same table.

Brings up an installation of its own and writes a file. `COPY` reads it as the superuser, past every
policy, with the agency's id as the column's default, into the table with its indexes and triggers.
Then the API takes it: over HTTP, with a token, mapped, checked, told from duplicates and carried out by
the task queue, so that it can be taken back. Prints rows per second of both, and the most memory that
the processes of the API's side took.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import asyncpg
import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gardenos.cli import database
from gardenos.cli.problems import CommandFailed, told
from tests.support.garden import Garden, new_garden

console = Console(highlight=False)
COLUMNS: Final = (
    *("external_id", "first_name", "last_name", "email", "phone", "company"),
    *("job_title", "city", "country", "source"),
)
TARGET: Final = 0.5
MEMORY_TARGET_MIB: Final = 300
_FIRST: Final = ("Ada", "Grace", "Zoë", "José", "Mara", "Linus", "Ken", "Barbara", "Edsger", "Tove")
_LAST: Final = (
    "Lovelace",
    "Hopper",
    "Köhler",
    "Núñez",
    "Nord",
    "Berg",
    "Liskov",
    "Moreau",
    "Silva",
)
_CITIES: Final = ("Berlin", "Paris", "Oslo", "Porto", "Kraków", "Wien", "Gent", "Turku")
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of one round."""

    copy_s: float
    sent_s: float
    """Until the API had the rows."""
    done_s: float
    """Until they were leads."""


def write(path: Path, rows: int, first: int) -> int:
    """A file of leads that nobody has; its bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for n in range(first, first + rows):
            name, last = _FIRST[n % 10], _LAST[n % 9]
            city = _CITIES[n % 8]
            file.write(
                f"X-{n},{name},{last},{name.lower()}.{n}@example.com,+4930{n:08},{last} {n % 4999} GmbH,"
                f"Manager,{city},Germany,Trade fair\n"
            )
    return path.stat().st_size


async def copy(dsn: str, path: Path) -> float:
    """Seconds COPY takes to put the file into an agency of its own."""
    admin = await asyncpg.connect(dsn)
    try:
        agency = await admin.fetchval("INSERT INTO agencies (name) VALUES ('COPY') RETURNING id")
        await admin.execute(f"ALTER TABLE leads ALTER agency_id SET DEFAULT '{agency}'")
        began = time.monotonic()
        await admin.copy_to_table(
            "leads", source=path, columns=COLUMNS, format="csv", header=True, timeout=7200
        )
        took = time.monotonic() - began
        await admin.execute("ALTER TABLE leads ALTER agency_id DROP DEFAULT")
        return took
    finally:
        await admin.close()


def through_api(garden: Garden, path: Path, rows: int) -> tuple[float, float, dict[str, Any]]:
    """Seconds until the API had the file, and until its rows were leads; and the import."""
    mapping = json.dumps({"fields": dict(zip(COLUMNS, COLUMNS, strict=True))})
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with garden.client() as client, Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("Importing", total=rows)
        began = time.monotonic()
        with path.open("rb") as file:
            answer = client.post(
                "/v1/imports",
                files={"file": (path.name, file, "text/csv")},
                data={"mapping": mapping},
                timeout=3600,
            )
        if not answer.is_success:
            raise CommandFailed(f"{answer.status_code} {answer.text[:300]}", todo="See the log.")
        sent_s = time.monotonic() - began
        found: dict[str, Any] = answer.json()
        while found["state"] == "running":
            time.sleep(0.2)
            found = _asked(garden, client, found["id"])
            bars.update(bar, completed=found["rows_read"])
        return sent_s, time.monotonic() - began, found


def _asked(garden: Garden, client: httpx.Client, import_id: str) -> dict[str, Any]:
    answer = client.get(f"/v1/imports/{import_id}", timeout=60)
    if answer.status_code == 401:
        client.headers["Authorization"] = f"Bearer {garden.token}"
        answer = client.get(f"/v1/imports/{import_id}", timeout=60)
    answer.raise_for_status()
    return answer.json()


def peaks(garden: Garden) -> dict[str, float]:
    """The most MiB that each process of the API's side has taken since it began."""
    found: dict[str, float] = {}
    for deployment in ("Gateway", "BulkJobAgent"):
        for pid in garden.replica_pids(deployment):
            peak = _PEAK.search(Path(f"/proc/{pid}/status").read_text("utf-8"))
            if peak:
                found[deployment] = max(found.get(deployment, 0.0), int(peak[1]) / 1024)
    return found


def measure(garden: Garden, path: Path, rows: int, number: int) -> Round:
    """One round, with rows of its own."""
    dsn = database.plan(garden.home, garden.home.settings()).admin_dsn
    assert dsn is not None
    size = write(path, rows, number * rows)
    with console.status(f"COPY of {rows:,} rows, {size / 2**20:,.0f} MiB"):
        copy_s = asyncio.run(copy(dsn, path))
    sent_s, done_s, found = through_api(garden, path, rows)
    if (found["state"], found["imported"]) != ("finished", rows):
        raise CommandFailed(f"The import came to {found}.", todo="See the log.")
    return Round(copy_s, sent_s, done_s)


def report(
    rounds: list[Round], rows: int, before: dict[str, float], after: dict[str, float]
) -> None:
    """Rows per second, the ratio, and memory, as tables."""
    title = f"Import of {rows:,} rows; medians of {len(rounds)} rounds"
    shown = Table("", "rows/s", "seconds", "of COPY", "lowest-highest", "target", "", title=title)
    ratios = [one.copy_s / one.done_s for one in rounds]
    copy_s = statistics.median(one.copy_s for one in rounds)
    shown.add_row("COPY, no policies", f"{rows / copy_s:,.0f}", f"{copy_s:.1f}", "", "", "", "")
    done_s = statistics.median(one.done_s for one in rounds)
    ratio = statistics.median(ratios)
    shown.add_row(
        "API, file to leads",
        f"{rows / done_s:,.0f}",
        f"{done_s:.1f}",
        f"{ratio:.2f}",
        f"{min(ratios):.2f}-{max(ratios):.2f}",
        f"{TARGET}",
        "met" if ratio >= TARGET else "missed",
    )
    sent_s = statistics.median(one.sent_s for one in rounds)
    shown.add_row(
        "  of it until it is kept", f"{rows / sent_s:,.0f}", f"{sent_s:.1f}", "", "", "", ""
    )
    console.print(shown)
    memory = Table("Process", "MiB before", "MiB at most", "target", "")
    for name, most in after.items():
        verdict = "met" if most < MEMORY_TARGET_MIB else "missed"
        memory.add_row(
            name, f"{before.get(name, 0):,.0f}", f"{most:,.0f}", f"{MEMORY_TARGET_MIB}", verdict
        )
    console.print(memory)


def main(
    *,
    rows: Annotated[int, typer.Option(min=10_001, help="Of each round.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Import files through the API and by COPY, by turns."""
    with told(), contextmanager(new_garden)() as garden, TemporaryDirectory() as folder:
        with console.status("Bringing an installation up"):
            garden.ok("up")
        before = peaks(garden)
        done = [measure(garden, Path(folder) / f"leads-{n}.csv", rows, n) for n in range(rounds)]
        report(done, rows, before, peaks(garden))


if __name__ == "__main__":
    typer.run(main)
