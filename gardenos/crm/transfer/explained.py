"""What is wrong with the rows that were not taken, for the report of an import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gardenos.crm.transfer.carry import Work
from gardenos.crm.transfer.chunk import Cells
from gardenos.crm.transfer.models import MatchBy, RowError
from gardenos.crm.transfer.store import Done

MAX_ERRORS: Final = 100


@dataclass(slots=True)
class Explained:
    """The first `MAX_ERRORS`, rejected rows before duplicates."""

    work: Work
    rejected: list[RowError] = field(default_factory=list[RowError])
    known: list[RowError] = field(default_factory=list[RowError])

    @property
    def errors(self) -> list[RowError]:
        """All of them."""
        return [*self.rejected, *self.known][:MAX_ERRORS]

    def add(self, done: Done, first_row: int, rows: Sequence[Cells]) -> None:
        """Say what became of these rows."""
        self.rejected += done.faults[: MAX_ERRORS - len(self.rejected)]
        for number in done.known[: MAX_ERRORS - len(self.known)]:
            cells = rows[number - first_row]
            if isinstance(cells, list):
                self.known.append(self._duplicate(number, cells))

    def _duplicate(self, number: int, cells: list[str]) -> RowError:
        read = self.work.reader.read(number, cells)
        fields = {} if isinstance(read, list) else read.fields
        by_id = fields.get("external_id") and self.work.options.match_by is not MatchBy.EMAIL
        name = "external_id" if by_id else "email"
        value = str(fields.get(name))
        detail = f"A lead or an earlier row has the {name} {value[:100]!r}."
        return RowError(row=number, column=name, code="duplicate", detail=detail)
