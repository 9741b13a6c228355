"""9,237 real leads through the mapping that ships as an example: none lost, none twice."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from gardenos.testing.postgres import AdminConnection

    ImportCsv = Callable[..., Awaitable[httpx.Response]]

MAPPING = Path(__file__).parents[2] / "examples" / "x-education-mapping.json"
FIELDS = ("external_id", "source", "job_title", "city", "country")


def wanted(row: dict[str, str], mapping: dict[str, Any]) -> dict[str, Any]:
    """What the lead made of a row must say."""
    empty = {"", *(text.lower() for text in mapping["empty"])}

    def cell(column: str) -> str | None:
        text = row[column].strip()
        return None if text.lower() in empty else text

    custom: dict[str, Any] = {}
    for key, spec in mapping["custom"].items():
        column, kind = (spec, "text") if isinstance(spec, str) else (spec["column"], spec["type"])
        text = cell(column)
        if text is not None and kind == "number":
            custom[key] = float(text)
        elif text is not None:
            custom[key] = text == "Yes" if kind == "boolean" else text
    return {name: cell(column) for name, column in mapping["fields"].items()} | {"custom": custom}


def read(path: Path) -> tuple[bytes, list[dict[str, str]]]:
    content = path.read_bytes()
    return content, list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.real_leads
async def test_every_real_lead_is_stored_once_as_it_is_in_the_file(
    real_leads: Path, import_csv: ImportCsv, admin: AdminConnection
) -> None:
    content, rows = read(real_leads)
    mapping = json.loads(MAPPING.read_text("utf-8"))
    answer = await import_csv(content, mapping=mapping, score="true")
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert (report["rows_read"], report["imported"]) == (len(rows), len(rows))
    assert (report["duplicates"], report["rejected"], report["errors"]) == (0, 0, [])
    assert report["tasks_enqueued"] == len(rows)

    stored = await admin.fetch(f"SELECT {', '.join(FIELDS)}, custom FROM leads ORDER BY id")  # noqa: S608
    found = [dict(row) | {"custom": json.loads(row["custom"])} for row in stored]
    assert found == [wanted(row, mapping) for row in rows]
    assert await admin.fetchval("SELECT count(DISTINCT payload) FROM agent_tasks") == len(rows)

    again = await import_csv(content, mapping=mapping, score="true", again="true")
    assert (again.json()["imported"], again.json()["duplicates"]) == (0, len(rows))
    assert again.json()["tasks_enqueued"] == 0
    assert await admin.fetchval("SELECT count(*) FROM leads") == len(rows)
    assert await admin.fetchval("SELECT count(*) FROM agent_tasks") == len(rows)
