"""A file as a table, whatever it is: opened once, read in chunks, never whole in memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from gardenos.crm.transfer import chunk, columns, encoding
from gardenos.crm.transfer.chunk import Cells, Faulty
from gardenos.crm.transfer.encoding import Encoding
from gardenos.crm.transfer.models import Format, Mapping
from gardenos.crm.transfer.readers import jsonlines, workbook
from gardenos.crm.transfer.readers.limits import GZIP, LIMITS, ZIP, Limits, faulty, unpacked
from gardenos.crm.transfer.records import Record, Records, plain, sniff
from gardenos.crm.transfer.rows import FAULTS

_SAMPLE_CHARS: Final = 64 * 1024
_NO_TEXT: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
    (b"%PDF-", "a PDF"),
)
"""How files begin that nobody reads as a table."""


@dataclass(slots=True)
class Table:
    """An opened file, its header read. Its rows are read once, from first to last."""

    format: Format
    headers: list[str]
    records: Iterator[Record]
    close: Callable[[], object]
    """Lets go of the file, which its owner closes."""
    encoding: str | None = None
    delimiter: str | None = None
    ended: bool = False

    def take(self, most: int = chunk.ROWS, most_chars: int = chunk.CHARS) -> list[Cells]:
        """The next rows, at most `most` of about `most_chars` characters; none at the end."""
        rows: list[Cells] = []
        chars = 0
        while len(rows) < most and chars < most_chars:
            record = next(self.records, None)
            if record is None:
                self.ended = True
                break
            cells, fault = record
            chars += sum(map(len, cells))
            rows.append(Faulty(fault, cells) if fault else cells)
        return rows


def open_table(
    file: BinaryIO, mapping: Mapping | None, known: Encoding | None, limits: Limits = LIMITS
) -> Table:
    """Understand a file: what it is, and its header; of CSV the encoding (unless known) and delimiter.

    Raises `InvalidContent` for a file that is empty, or cannot be read, or unpacks to more than
    `limits` allow.
    """
    file.seek(0)
    head = file.read(1024)
    file.seek(0)
    if head.startswith(GZIP):
        whole = unpacked(file, limits)
        try:
            table = open_table(whole, mapping, known, limits)
        except BaseException:
            whole.close()
            raise
        inner = table.close
        table.close = lambda: (inner(), whole.close())
        return table
    if head.startswith(ZIP):
        headers, records, close = workbook.opened(file, limits)
        return Table(Format.XLSX, headers, records, close)
    _refuse_other_kinds(head)
    found = encoding.as_in(file, known) if known else encoding.detect(file)
    text = io.TextIOWrapper(file, encoding=found.name, errors=found.errors, newline="")
    try:
        if jsonlines.is_like(text):
            headers, records = jsonlines.opened(text)
            return Table(Format.JSONL, headers, records, text.detach, found.name)
        return _open_csv(text, found, mapping)
    except BaseException:
        text.detach()
        raise


def _refuse_other_kinds(head: bytes) -> None:
    for start, what in _NO_TEXT:
        if head.startswith(start):
            raise faulty(f"The file is {what}. Save or export it as CSV or XLSX first.")


def _open_csv(text: io.TextIOWrapper, found: Encoding, mapping: Mapping | None) -> Table:
    sample = text.read(_SAMPLE_CHARS)
    if not sample.strip("\ufeff\r\n\t ,;|"):
        raise faulty("The file is empty.")
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
        raise faulty(f"The header cannot be read. {FAULTS.get(fault or '', '')}".strip())
    headers = [plain(cell) for cell in header]
    records.width = len(headers)
    return Table(Format.CSV, headers, records, text.detach, found.name, delimiter)


def _wanted(mapping: Mapping | None) -> frozenset[str]:
    names: set[str] = set()
    if mapping:
        for field_columns in mapping.fields.values():
            names.update([field_columns] if isinstance(field_columns, str) else field_columns)
        names.update(c if isinstance(c, str) else c.column for c in mapping.custom.values())
        names.update(filter(None, (mapping.owner, mapping.tags)))
    return frozenset(name.casefold() for name in names)
