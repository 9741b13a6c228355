"""Excel workbooks: the rows of the first sheet, one after another."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any, BinaryIO, Final

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from gardenos.crm.transfer.readers.limits import Limits, faulty
from gardenos.crm.transfer.records import Record, plain

_STRINGS: Final = "xl/sharedStrings.xml"
_EXACT: Final = 10**15
_MOST_STRINGS: Final = 128 << 20
"""All texts of a workbook are held at once."""
_UNREADABLE: Final = (
    *(InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError),
    *(AttributeError, IndexError, EOFError, SyntaxError, OSError, NotImplementedError),
)
"""What a workbook raises that is none; `SyntaxError` is that of XML."""


def opened(
    file: BinaryIO, limits: Limits
) -> tuple[list[str], Iterator[Record], Callable[[], object]]:
    """The header, the rows below it, and what to call when done. Raises `InvalidContent`."""
    try:
        _check(file, limits)
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except _UNREADABLE as error:
        raise faulty(
            f"The file is no workbook that can be read ({type(error).__name__})."
        ) from None
    rows = _rows(book)
    try:
        header = next(rows, None)
    except BaseException:
        book.close()
        raise
    if header is None:
        book.close()
        raise faulty("The first sheet of the workbook is empty.")
    cells, fault = header
    if fault:
        book.close()
        raise faulty("The first row of the workbook cannot be read.")
    return [plain(cell) for cell in cells], rows, book.close


def _check(file: BinaryIO, limits: Limits) -> None:
    packed = file.seek(0, 2)
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if not any(entry.filename == "xl/workbook.xml" for entry in entries):
            raise faulty(
                "The file is a zip archive and no workbook. Send the table in it by itself."
            )
        limits.check(packed, sum(entry.file_size for entry in entries))
        strings = sum(entry.file_size for entry in entries if entry.filename == _STRINGS)
    if strings > _MOST_STRINGS:
        raise faulty(
            f"The workbook holds {strings // (1 << 20):,} MiB of different texts. Save the sheet as CSV."
        )
    file.seek(0)


def _rows(book: Any) -> Iterator[Record]:
    """Blank rows are left out."""
    sheet = book.worksheets[0] if book.worksheets else None
    if sheet is None:
        return
    # What a file says of its size is not always so, and not needed.
    sheet.reset_dimensions()
    rows = iter(sheet.iter_rows(values_only=True))
    while True:
        try:
            values = next(rows, None)
        except _UNREADABLE:
            yield [], "broken-workbook"
            return
        if values is None:
            return
        cells = [_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells, None


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < _EXACT:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)
