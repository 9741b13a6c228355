"""A CSV file as a table: opened once, read in chunks, never whole in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

from gardenos.core.errors import InvalidContent
from gardenos.crm.transfer import columns, encoding
from gardenos.crm.transfer.columns import Plan
from gardenos.crm.transfer.encoding import Encoding
from gardenos.crm.transfer.models import Mapping, RowError
from gardenos.crm.transfer.records import Records, sniff
from gardenos.crm.transfer.rows import FAULTS, RowReader

_SAMPLE_CHARS: Final = 64 * 1024
_NO_TEXT: Final = (
    (b"PK\x03\x04", "a workbook or a zip archive"),  # xlsx, ods, numbers
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
    (b"%PDF-", "a PDF"),
    (b"\x1f\x8b", "compressed"),
)
"""How files begin that people mistake for CSV."""


def _faulty(detail: str) -> InvalidContent:
    return InvalidContent(detail, errors=[{"pointer": "/file", "detail": detail}])


@dataclass(slots=True)
class Chunk:
    """Some rows: the good ones as values with their numbers, and what is wrong with the others."""

    numbers: list[int] = field(default_factory=list[int])
    values: list[Sequence[Any]] = field(default_factory=list[Sequence[Any]])
    rejected: int = 0
    errors: list[RowError] = field(default_factory=list[RowError])

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return len(self.numbers) + self.rejected


@dataclass(slots=True)
class Table:
    """An opened file, its header read and understood."""

    encoding: str
    delimiter: str
    plan: Plan
    _records: Records
    _reader: RowReader
    _text: io.TextIOWrapper
    _read: int = 0

    def next_chunk(self, size: int) -> Chunk:
        """The next rows, at most `size`; none at the end of the file."""
        chunk = Chunk()
        while chunk.rows < size:
            record = next(self._records, None)
            if record is None:
                break
            self._read += 1
            cells, fault = record
            if fault:
                error = RowError(row=self._read, column=None, code=fault, detail=FAULTS[fault])
                chunk.errors.append(error)
                chunk.rejected += 1
                continue
            values = self._reader.read(self._read, cells)
            if isinstance(values, list) and isinstance(values[0], RowError):
                chunk.errors += cast("list[RowError]", values)
                chunk.rejected += 1
            else:
                chunk.numbers.append(self._read)
                chunk.values.append(values)
        return chunk

    def close(self) -> None:
        """Let go of the file, which its owner closes."""
        self._text.detach()


def open_table(file: BinaryIO, mapping: Mapping | None, known: Encoding | None) -> Table:
    """Understand a CSV file: encoding (unless known), delimiter, header, plan.

    Raises `InvalidContent` for a file that is empty, has no rows, or whose columns are unclear.
    """
    _refuse_other_kinds(file)
    found = encoding.as_in(file, known) if known else encoding.detect(file)
    text = io.TextIOWrapper(file, encoding=found.name, errors=found.errors, newline="")
    try:
        return _open(text, found, mapping)
    except BaseException:
        text.detach()
        raise


def _refuse_other_kinds(file: BinaryIO) -> None:
    file.seek(0)
    head = file.read(16)
    for start, what in _NO_TEXT:
        if head.startswith(start):
            raise _faulty(f"The file is {what}, not CSV. Save or export the sheet as CSV first.")


def _open(text: io.TextIOWrapper, found: Encoding, mapping: Mapping | None) -> Table:
    sample = text.read(_SAMPLE_CHARS)
    if not sample.strip("\ufeff\r\n\t ,;|"):
        raise _faulty("The file is empty.")
    delimiter = sniff(
        sample,
        cut=len(sample) == _SAMPLE_CHARS,
        wanted=_wanted(mapping),
        known=columns.is_known,
    )
    text.seek(0)
    records = Records(text, delimiter)
    header, fault = next(records, ([], None))
    if len(header) <= 2 and header[0].lower().startswith("sep="):  # noqa: PLR2004 sep=; is two cells
        header, fault = next(records, ([], None))
    if fault or not header:
        raise _faulty(f"The header cannot be read. {FAULTS.get(fault or '', '')}".strip())
    headers = [cell.replace("\x00", "").strip("\ufeff \t\r\n") for cell in header]
    plan = columns.plan(headers, mapping)
    records.width = len(headers)
    return Table(found.name, delimiter, plan, records, RowReader(plan), text)


def _wanted(mapping: Mapping | None) -> frozenset[str]:
    names: set[str] = set()
    if mapping:
        for field_columns in mapping.fields.values():
            names.update([field_columns] if isinstance(field_columns, str) else field_columns)
        names.update(c if isinstance(c, str) else c.column for c in mapping.custom.values())
    return frozenset(name.casefold() for name in names)
