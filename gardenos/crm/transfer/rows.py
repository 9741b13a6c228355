"""From a record's cells to a lead's values, or to what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic_core import PydanticCustomError

from gardenos.crm.leads.models import LIMITS, LeadStatus
from gardenos.crm.records.models import MAX_CUSTOM_TEXT_CHARS
from gardenos.crm.transfer.columns import FULL_NAME, Kind, Plan
from gardenos.crm.transfer.formulas import undefused
from gardenos.crm.transfer.models import RowError
from gardenos.web.text import MAX_EXACT_INTEGER, email_like

_STATUSES: Final = tuple(LeadStatus)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_YES: Final = frozenset({"yes", "y", "true", "t", "1"})
_NO: Final = frozenset({"no", "n", "false", "f", "0"})
_DATES: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
"""Written so that there is one way to read them."""
_NUMERIC: Final = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", re.ASCII)
_TIME_OF_DAY: Final = re.compile(r"[T ]\d{1,2}:\d{2}.*", re.DOTALL)
_MONTHS: Final = 12
_TAG_CHARS: Final = 50
_TAG_MARKS: Final = re.compile(r"[,;|]")
FAULTS: Final = {
    "broken-quote": "A quote was opened and not closed. Double the quotes inside a quoted cell.",
    "cell-too-large": "A cell is too large to read.",
    "row-too-long": "The line is too long to read.",
    "no-object": "The line is no JSON object.",
    "broken-workbook": "The workbook is broken from here on: what follows was not read.",
    "erased": "This row was erased with a person.",
}


class _Bad(Exception):
    """A cell that cannot be taken."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail)


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise _Bad("not-a-number", f"{text[:40]!r} is not a number, such as 1234.5")
    number = float(text)
    if abs(number) > MAX_EXACT_INTEGER:
        raise _Bad("not-a-number", f"{text[:40]!r} is out of range")
    return int(number) if number.is_integer() else number


def _boolean(text: str) -> bool:
    word = text.casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise _Bad("not-a-boolean", f"{text[:40]!r} is neither yes nor no")


def _date(text: str, kind: Kind) -> str:
    """A day as ISO 8601 has it; a time of day behind it is left out."""
    day = _TIME_OF_DAY.sub("", text)
    if found := _NUMERIC.fullmatch(day):
        first, second, year = map(int, found.groups())
        if kind == "date" and first <= _MONTHS and second <= _MONTHS and first != second:
            raise _Bad(
                "ambiguous-date",
                f"{text[:40]!r} may be two days; say in the mapping whether dates are `day-first` or "
                "`month-first`",
            )
        month_first = kind == "month-first" or (kind == "date" and second > _MONTHS)
        month, number = (first, second) if month_first else (second, first)
        day = f"{year:04}-{month:02}-{number:02}"
    for pattern in _DATES:
        try:
            # A day has no time zone.
            return datetime.strptime(day, pattern).date().isoformat()  # noqa: DTZ007
        except ValueError:
            continue
    raise _Bad("not-a-date", f"{text[:40]!r} is not a day, such as 2026-11-24")


def _custom(text: str, kind: Kind) -> str | int | float | bool:
    match kind:
        case "number":
            return _number(text)
        case "boolean":
            return _boolean(text)
        case "date" | "day-first" | "month-first":
            return _date(text, kind)
        case "text":
            if len(text) > MAX_CUSTOM_TEXT_CHARS:
                raise _Bad("too-long", f"is longer than {MAX_CUSTOM_TEXT_CHARS:,} characters")
            return text


def _checked(name: str, text: str) -> str:
    limit = LIMITS.get(name)
    if limit and len(text) > limit:
        raise _Bad("too-long", f"is longer than the {limit:,} characters of {name}")
    if name == "email":
        try:
            return email_like(text)
        except PydanticCustomError as error:
            raise _Bad("invalid-email", f"{text[:80]!r} {error.message()}") from None
    return text


def _split_name(text: str) -> tuple[str, str | None]:
    last, comma, first = text.partition(",")
    if comma and first.strip():
        return first.strip(), last.strip() or None
    first, _, last = text.partition(" ")
    return first, last.strip() or None


@dataclass(slots=True)
class Row:
    """What a row says of a lead."""

    number: int
    fields: dict[str, str]
    """By the names of `LEAD_FIELDS`, those that hold something."""
    custom: dict[str, Any]
    owner: str | None = None
    tags: list[str] = field(default_factory=list[str])


class RowReader:
    """Turns rows into values by a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._width = len(plan.headers)
        self._fields = tuple(plan.fields.items())
        self._customs: tuple[tuple[str, int, Kind], ...] = tuple(
            (key, i, kind) for key, (i, kind) in plan.custom.items()
        )

    def read(self, row: int, cells: list[str]) -> Row | list[RowError]:
        """What the row says, or everything that is wrong with it."""
        short = self._width - len(cells)
        if short > 0:
            cells = [*cells, *[""] * short]
        elif short < 0 and any(cell.strip() for cell in cells[self._width :]):
            detail = (
                f"has {len(cells)} cells under {self._width} headers; quote a cell that holds "
                "the delimiter"
            )
            return [RowError(row=row, column=None, code="too-many-cells", detail=detail)]
        faults: list[RowError] = []
        found = Row(row, {}, {})
        for name, places in self._fields:
            try:
                text = " ".join(filter(None, [self._cell(cells[i]) for i in places]))
                if text:
                    self._put(name, text, found)
            except _Bad as bad:
                faults.append(self._fault(row, places[0], bad))
        for key, i, kind in self._customs:
            try:
                text = self._cell(cells[i])
                if text:
                    found.custom[key] = _custom(text, kind)
            except _Bad as bad:
                faults.append(self._fault(row, i, bad))
        self._put_others(found, cells, faults)
        if not faults and not found.fields and not found.custom:
            return [RowError(row=row, column=None, code="empty-row", detail="holds no value")]
        return faults or found

    def _cell(self, cell: str) -> str:
        text = undefused(cell.strip())
        if "\x00" in text:
            raise _Bad("nul-character", "contains a NUL character")
        return "" if self.plan.empty and text.casefold() in self.plan.empty else text

    def _put(self, name: str, text: str, found: Row) -> None:
        if name == FULL_NAME:
            for part_name, part in zip(("first_name", "last_name"), _split_name(text), strict=True):
                if part:
                    found.fields[part_name] = _checked(part_name, part)
        elif name != "status":
            found.fields[name] = _checked(name, text)
        elif text.casefold() in _STATUSES:
            found.fields[name] = text.casefold()
        elif self.plan.lenient_status:
            found.custom[name] = _custom(text, "text")
        else:
            known = ", ".join(_STATUSES)
            raise _Bad("invalid-status", f"{text[:40]!r} is none of: {known}")

    def _put_others(self, found: Row, cells: list[str], faults: list[RowError]) -> None:
        for name, i in (("owner", self.plan.owner), ("tags", self.plan.tags)):
            if i is None:
                continue
            try:
                text = self._cell(cells[i])
                if name == "owner":
                    found.owner = text or None
                else:
                    found.tags = _tags(text)
            except _Bad as bad:
                faults.append(self._fault(found.number, i, bad))

    def _fault(self, row: int, place: int, bad: _Bad) -> RowError:
        column = self.plan.headers[place][:200]
        return RowError(row=row, column=column, code=bad.code, detail=bad.detail)


def _tags(text: str) -> list[str]:
    """Its tags, each once in whatever capitals."""
    names = {name.strip().lower(): name.strip() for name in reversed(_TAG_MARKS.split(text))}
    for name in names.values():
        if len(name) > _TAG_CHARS:
            raise _Bad("too-long", f"{name[:40]!r} is longer than the {_TAG_CHARS} of a tag")
    return [name for name in reversed(names.values()) if name]
