"""Files that are more than text: read to the last row, and refused where they would fill the disk."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import Workbook

from gardenos.core.errors import InvalidContent
from gardenos.crm.transfer.chunk import Faulty
from gardenos.crm.transfer.models import Format
from gardenos.crm.transfer.readers.limits import Limits
from gardenos.crm.transfer.table import open_table

MIB = 1 << 20


def rows_of(content: bytes, limits: Limits | None = None) -> tuple[Format, list[str], list[Any]]:
    file = io.BytesIO(content)
    table = open_table(file, None, None, limits or Limits())
    rows: list[Any] = []
    while taken := table.take(2):
        rows += taken
    table.close()
    assert not file.closed
    return table.format, table.headers, rows


def workbook(*rows: list[Any]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.create_sheet("Other").append(["email"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_packed_file_is_read_as_what_it_holds() -> None:
    csv = "email,city\n" + "".join(f"p{n}@example.com,Köln\n" for n in range(5))
    kind, headers, rows = rows_of(gzip.compress(csv.encode()))
    assert (kind, headers, len(rows)) == (Format.CSV, ["email", "city"], 5)
    assert rows[4] == ["p4@example.com", "Köln"]
    twice = gzip.compress(gzip.compress(csv.encode()))
    assert rows_of(twice)[2] == rows


def test_a_gigabyte_out_of_a_megabyte_is_refused_early() -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(1024):
            file.write(bytes(MIB))
    content = packed.getvalue()
    assert len(content) < 1.1 * MIB
    with pytest.raises(InvalidContent, match="200 times"):
        rows_of(content)
    with pytest.raises(InvalidContent, match="Send it in parts"):
        rows_of(gzip.compress(b"email\n" + b"a@example.com\n" * 200_000), Limits(unpacked=MIB))


def test_a_packed_file_that_was_cut_off_is_refused() -> None:
    content = gzip.compress(b"email\n" + bytes(range(256)) * 500)
    with pytest.raises(InvalidContent, match="cut off"):
        rows_of(content[: len(content) // 2])


def test_the_first_sheet_of_a_workbook_is_read_as_text() -> None:
    kind, headers, rows = rows_of(
        workbook(
            ["email", "Since", "Visits", "Rate", "Active", None],
            ["a@example.com", date(2026, 11, 24), 12.0, 7.25, True],
            [None, None],
            ["b@example.com", datetime(2026, 11, 24, 9, 30), 3, None, False],  # noqa: DTZ001 as sheets have it
        )
    )
    assert (kind, headers) == (Format.XLSX, ["email", "Since", "Visits", "Rate", "Active"])
    assert rows == [
        ["a@example.com", "2026-11-24", "12", "7.25", "true"],
        ["b@example.com", "2026-11-24T09:30:00", "3", "", "false"],
    ]


def test_an_archive_that_is_no_workbook_and_one_that_swells_are_refused() -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("leads.csv", "email\n")
    with pytest.raises(InvalidContent, match="no workbook"):
        rows_of(other.getvalue())
    swollen = io.BytesIO(workbook(["email"], ["a@example.com"]))
    with zipfile.ZipFile(swollen, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", bytes(100 * MIB))
    with pytest.raises(InvalidContent, match="200 times"):
        rows_of(swollen.getvalue())
    with pytest.raises(InvalidContent, match="is empty"):
        rows_of(workbook())
    broken = workbook(["email"], ["a@example.com"])
    with pytest.raises(InvalidContent, match="no workbook that can be read"):
        rows_of(broken[: len(broken) // 2])


def test_lines_of_json_have_the_names_of_all_for_a_header() -> None:
    lines = [
        json.dumps({"email": "a@example.com", "tags": ["vip", "de"]}),
        "",
        json.dumps({"email": None, "visits": 3, "custom": {"size": 7.5, "ok": True}}),
        "{broken",
        "[1, 2]",
        '{"email": "\\ud800"}',
        '{"email": "' + "x" * 1_100_000 + '"}',
        json.dumps({"email": "z@example.com"}),
    ]
    kind, headers, rows = rows_of("\n".join(lines).encode())
    assert (kind, headers) == (
        Format.JSONL,
        ["email", "tags", "visits", "custom.size", "custom.ok"],
    )
    assert rows == [
        ["a@example.com", "vip, de", "", "", ""],
        ["", "", "3", "7.5", "true"],
        Faulty("no-object", []),
        Faulty("no-object", []),
        ["?", "", "", "", ""],
        Faulty("row-too-long", []),
        ["z@example.com", "", "", "", ""],
    ]


def test_lines_of_json_with_ever_new_names_are_refused() -> None:
    lines = "\n".join(json.dumps({f"name{n}": 1}) for n in range(600))
    with pytest.raises(InvalidContent, match="different names"):
        rows_of(lines.encode())
