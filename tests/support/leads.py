"""Many leads: the real file where it is, and as many made up for machines that do not have it."""

from __future__ import annotations

import csv
import itertools
import os
from pathlib import Path
from uuid import UUID

ROWS = 9_236
_SOURCES = ("Google", "Direct Traffic", "Olark Chat", "Reference", "Select", "")
_OCCUPATIONS = ("Unemployed", "Working Professional", "Student", "")
_CITIES = ("Mumbai", "Thane & Outskirts", "Select", "")


def real_leads_file() -> Path:
    """Where the file of real leads is, or would be."""
    named = os.environ.get("GARDENOS_X_EDUCATION_CSV")
    beside = Path(__file__).parents[3] / "shared" / "data" / "x-education-leads.csv"
    return Path(named) if named else beside


def write_leads(file: Path, *, mapping_columns: set[str]) -> None:
    """A CSV with the columns a mapping names; those unknown here stay empty."""
    columns = sorted({"Prospect ID", *mapping_columns})
    varied = {
        "Lead Source": itertools.cycle(_SOURCES),
        "What is your current occupation": itertools.cycle(_OCCUPATIONS),
        "City": itertools.cycle(_CITIES),
        "TotalVisits": itertools.cycle(str(n) for n in range(11)),
        "Total Time Spent on Website": itertools.cycle(str(n * 37) for n in range(53)),
        "Do Not Email": itertools.cycle(("No", "No", "No", "Yes")),
    }
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, columns, restval="")
        writer.writeheader()
        for number in range(ROWS):
            values = {name: next(cycle) for name, cycle in varied.items() if name in columns}
            writer.writerow({"Prospect ID": str(UUID(int=number + 1)), **values})
