"""CSV records out of lines, in bounded memory, and past whatever is broken in them."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TextIO

MAX_LINE_CHARS: Final = 1_000_000
MAX_RECORD_CHARS: Final = 100_000
"""How much an open quote may take in before it counts as broken; below csv's own cell limit."""
MAX_RECORD_LINES: Final = 1_000
DELIMITERS: Final = (",", ";", "\t", "|")

Record = tuple[list[str], str | None]
"""The cells, and the code of what is wrong with the record."""


@dataclass(slots=True)
class _Lines(Iterator[str]):
    """Hands lines to csv.reader and remembers those of the current record, to take them back."""

    file: TextIO
    waiting: deque[str | None] = field(default_factory=deque[str | None])
    """Lines given back; None stands for one that was too long to keep."""
    taken: list[str] = field(default_factory=list[str])
    chars: int = 0
    cut: bool = False
    """The record wanted more lines than there are, or than one may have."""
    too_long: bool = False

    def begin(self) -> None:
        self.taken.clear()
        self.chars = 0
        self.cut = self.too_long = False

    def give_back(self) -> None:
        """All but the first line of the record are lines again."""
        self.waiting.extendleft(reversed(self.taken[1:]))

    def _read(self) -> str | None:
        if self.waiting:
            return self.waiting.popleft()
        line = self.file.readline(MAX_LINE_CHARS)
        if len(line) < MAX_LINE_CHARS or line.endswith(("\n", "\r")):
            return line
        while (rest := self.file.readline(MAX_LINE_CHARS)) and not rest.endswith(("\n", "\r")):
            pass
        return None

    def __next__(self) -> str:
        line = self._read()
        if self.taken and (
            not line
            or len(self.taken) >= MAX_RECORD_LINES
            or self.chars + len(line) > MAX_RECORD_CHARS
        ):
            if line != "":
                self.waiting.appendleft(line)
            self.cut = True
            raise StopIteration
        if line is None:
            self.too_long = True
            line = "\n"
        if not line:
            raise StopIteration
        self.taken.append(line)
        self.chars += len(line)
        return line


def plain(header: str) -> str:
    """A cell of the header without what nobody sees."""
    return header.replace("\x00", "").strip("\ufeff \t\r\n")


class Records(Iterator[Record]):
    """The records of a CSV file, blank lines left out.

    A quote that is opened and never closed would take the rest of the file into one cell. It is
    broken if the lines it took in do not make a record as wide as the header: then only its first
    line is lost to it, and the others are read anew.
    """

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self._lines = _Lines(file)
        self._delimiter = delimiter
        self._reader = csv.reader(self._lines, delimiter=delimiter, skipinitialspace=True)
        self.width: int | None = None
        """How many cells the header has, once known."""

    def __next__(self) -> Record:
        while True:
            self._lines.begin()
            try:
                cells = next(self._reader)
            except csv.Error:
                self._lines.give_back()
                return [], "cell-too-large"
            if self._lines.too_long:
                return [], "row-too-long"
            if not cells:
                continue
            if self._is_broken(cells):
                self._lines.give_back()
                return self._plainly(self._lines.taken[0]), "broken-quote"
            return cells, None

    def _is_broken(self, cells: list[str]) -> bool:
        lines = self._lines
        if lines.cut:
            return True
        if len(lines.taken) == 1 or self.width is None or len(cells) == self.width:
            return False
        if len(cells) > self.width:
            return True
        return any(line.count(self._delimiter) >= self.width - 1 for line in lines.taken[1:])

    def _plainly(self, line: str) -> list[str]:
        return [cell.strip('" \r\n') for cell in line.split(self._delimiter)]


def sniff(sample: str, *, cut: bool, wanted: frozenset[str], known: Callable[[str], bool]) -> str:
    """The delimiter of a CSV file, from its beginning.

    Every candidate reads the sample. The one wins whose header has most of the `wanted` columns,
    then most columns that are `known`, then whose records are most alike in width, and widest.
    `cut` says that the sample ends inside the file.
    """
    first = sample.lstrip().splitlines()[:1]
    if first and first[0].lower().startswith("sep=") and first[0][4:].rstrip("\r") in DELIMITERS:
        return first[0][4:]
    return max(DELIMITERS, key=lambda mark: _fitness(sample, mark, cut, wanted, known))


def _fitness(
    sample: str, delimiter: str, cut: bool, wanted: frozenset[str], known: Callable[[str], bool]
) -> tuple[int, int, float, int]:
    records = [cells for cells, _ in Records(io.StringIO(sample, newline=""), delimiter)]
    header, *rows = records or [[]]
    found = wanted & {plain(name).casefold() for name in header}
    if cut and len(rows) > 1:
        rows.pop()
    alike = sum(len(cells) == len(header) for cells in rows) / len(rows) if rows else 1.0
    width = len(header)
    return len(found), sum(map(known, header)), alike if width > 1 else 0.0, width
