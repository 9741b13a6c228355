"""The leads that ship as an example, imported as a newcomer does: without a mapping."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from gardenos.ai.scoring import LeadFacts, score

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    ImportCsv = Callable[..., Awaitable[httpx.Response]]

EXAMPLE = Path(__file__).parents[2] / "examples" / "leads.csv"
RESERVED = (".example", "example.com", "example.net", "example.org")


async def test_the_example_needs_no_mapping_and_has_hot_and_cold_leads(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    report = (await import_csv(EXAMPLE.read_text("utf-8"))).json()
    assert (report["imported"], report["duplicates"], report["rejected"]) == (57, 3, 1)
    assert [error["code"] for error in report["errors"]] == ["invalid-email", *["duplicate"] * 3]
    read_as = {use["column"]: use["read_as"] for use in report["columns"]}
    assert read_as["E-Mail"] == "email"
    assert [column for column, name in read_as.items() if str(name).startswith("custom.")] == [
        "Interested In",
        "Budget",
        "Total Visits",
        "Time on Site Seconds",
        "Newsletter",
        "Do Not Email",
    ]
    leads = (await api.get("/v1/leads", params={"limit": 200})).json()["items"]
    scores = {lead["id"]: score(LeadFacts.of(lead)).quality_score for lead in leads}
    assert sum(quality >= 75 for quality in scores.values()) >= 10
    assert sum(45 <= quality < 75 for quality in scores.values()) >= 5
    assert sum(quality < 45 for quality in scores.values()) >= 10
    [bold] = [lead for lead in leads if "Ignore all previous" in (lead["notes"] or "")]
    assert scores[bold["id"]] < 30


def test_nobody_in_the_example_can_be_written_to() -> None:
    with EXAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(None not in row and None not in row.values() for row in rows)
    for row in rows:
        address = row["E-Mail"].strip().lower()
        assert "@" not in address or address.endswith(RESERVED)
        assert not row["Website"] or row["Website"].endswith(RESERVED)
