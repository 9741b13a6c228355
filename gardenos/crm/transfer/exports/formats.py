"""Rows as the bytes of a file, piece by piece."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from pydantic_core import to_json

from gardenos.crm.transfer.formulas import defused, is_formula

_GZIP_BITS: Final = 31
"""zlib's word for a gzip header around a window of full size."""
_BLOCK: Final = 256 * 1024
_SHEET_ROWS: Final = 1_048_576
_CELL_CHARS: Final = 32_767
Record = Mapping[str, Any]


class Writer(Protocol):
    """Makes a file of records."""

    media_type: str

    def begin(self) -> bytes:
        """What stands before the first record."""
        ...

    def add(self, records: Sequence[Record]) -> bytes:
        """What some records come to; nothing where the file is only made at the end."""
        ...

    def end(self) -> Iterator[bytes]:
        """The rest."""
        ...


def text(value: Any) -> str:
    """A value as a cell says it: lists between commas, objects as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list():
            items = cast("list[Any]", value)
            return ", ".join(text(one) for one in items)
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            plain = to_json(value).decode()
            return json.loads(plain) if plain.startswith('"') else plain


def cells(record: Record, columns: Sequence[str]) -> list[str]:
    """A record's texts in the order of the columns; `custom.<key>` is one of its own values."""
    custom = record.get("custom") or {}
    return [
        text(
            custom.get(name.removeprefix("custom."))
            if name.startswith("custom.")
            else record.get(name)
        )
        for name in columns
    ]


class Csv:
    """RFC 4180 in UTF-8, with a header."""

    media_type = "text/csv; charset=utf-8"

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns

    def begin(self) -> bytes:
        """The header."""
        return self._lines([list(self._columns)])

    def add(self, records: Sequence[Record]) -> bytes:
        """A line for each record."""
        return self._lines([[*map(defused, cells(one, self._columns))] for one in records])

    def end(self) -> Iterator[bytes]:
        """Nothing more."""
        return iter(())

    def _lines(self, rows: Sequence[Sequence[str]]) -> bytes:
        out = io.StringIO(newline="")
        csv.writer(out).writerows(rows)
        return out.getvalue().encode("utf-8", "replace")


class Jsonl:
    """An object for each line, as the API has it."""

    media_type = "application/jsonl"

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def add(self, records: Sequence[Record]) -> bytes:
        """A line for each record."""
        return b"".join(to_json(one) + b"\n" for one in records)

    def end(self) -> Iterator[bytes]:
        """Nothing more."""
        return iter(())


class Xlsx:
    """A workbook, all texts; another sheet where one is full. It is kept on disk until it is whole."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(
        self, columns: Sequence[str], title: str, *, sheet_rows: int = _SHEET_ROWS
    ) -> None:
        self._columns = columns
        self._title = title
        self._sheet_rows = sheet_rows
        self._book = Workbook(write_only=True)
        self._sheet: Any = None
        self._rows = 0

    def begin(self) -> bytes:
        """A sheet with a header."""
        self._next_sheet()
        return b""

    def add(self, records: Sequence[Record]) -> bytes:
        """A row for each record, in a sheet that has room."""
        for record in records:
            if self._rows == self._sheet_rows:
                self._next_sheet()
            self._append(cells(record, self._columns))
        return b""

    def end(self) -> Iterator[bytes]:
        """The workbook."""
        with tempfile.TemporaryFile(prefix="gardenos-export-") as file:
            self._book.save(file)
            file.seek(0)
            while block := file.read(_BLOCK):
                yield block

    def _next_sheet(self) -> None:
        self._sheet = self._book.create_sheet(self._title)
        self._rows = 0
        self._append(self._columns)

    def _append(self, row: Sequence[str]) -> None:
        self._sheet.append([self._cell(one) for one in row])
        self._rows += 1

    def _cell(self, said: str) -> Any:
        plain = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", said)[:_CELL_CHARS]
        if not is_formula(plain):
            return plain or None
        # As what it is: a text, which nothing calculates.
        cell = WriteOnlyCell(self._sheet, value=plain)
        cell.data_type = "s"
        return cell


class Packed:
    """Another writer's file, as gzip."""

    media_type = "application/gzip"

    def __init__(self, inner: Writer) -> None:
        self._inner = inner
        self._packer = zlib.compressobj(wbits=_GZIP_BITS)

    def begin(self) -> bytes:
        """See `Writer`."""
        return self._packer.compress(self._inner.begin())

    def add(self, records: Sequence[Record]) -> bytes:
        """See `Writer`."""
        return self._packer.compress(self._inner.add(records))

    def end(self) -> Iterator[bytes]:
        """See `Writer`."""
        for piece in self._inner.end():
            yield self._packer.compress(piece)
        yield self._packer.flush()
