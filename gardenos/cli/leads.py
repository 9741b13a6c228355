"""`gardenos leads`: leads out of the installation, and how far their scoring is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from gardenos.cli.screen import console, table, to_type
from gardenos.sdk import GardenOS, Lead

_SHOWN_ERRORS = 10
_PATIENCE_S = 600.0
"""A large file is stored before it is answered."""
_POLL_S = 0.3


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
