"""From a record's cells to a lead's values, or to what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import PydanticCustomError

from gardenos.crm.leads.models import LIMITS, LeadStatus
from gardenos.crm.records.models import MAX_CUSTOM_TEXT_CHARS
from gardenos.crm.transfer.columns import FULL_NAME, LEAD_FIELDS, Kind, Plan
from gardenos.crm.transfer.models import RowError
from gardenos.web.text import MAX_EXACT_INTEGER, email_like

_STATUSES: Final = tuple(LeadStatus)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_YES: Final = frozenset({"yes", "y", "true", "t", "1"})
_NO: Final = frozenset({"no", "n", "false", "f", "0"})
FAULTS: Final = {
    "broken-quote": "A quote was opened and not closed. Double the quotes inside a quoted cell.",
    "cell-too-large": "A cell is too large to read.",
    "row-too-long": "The line is too long to read.",
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


def _custom(text: str, kind: Kind) -> str | int | float | bool:
    match kind:
        case "number":
            return _number(text)
        case "boolean":
            return _boolean(text)
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


class RowReader:
    """Turns rows into values by a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._width = len(plan.headers)
        self._fields = tuple(plan.fields.items())
        self._customs: tuple[tuple[str, int, Kind], ...] = tuple(
            (key, i, kind) for key, (i, kind) in plan.custom.items()
        )

    def read(self, row: int, cells: list[str]) -> Sequence[Any] | list[RowError]:
        """The values in the order of `LEAD_FIELDS`, then the custom ones as JSON; or the faults."""
        short = self._width - len(cells)
        if short > 0:
            cells.extend([""] * short)
        elif short < 0 and any(cell.strip() for cell in cells[self._width :]):
            detail = (
                f"has {len(cells)} cells under {self._width} headers; quote a cell that holds "
                "the delimiter"
            )
            return [RowError(row=row, column=None, code="too-many-cells", detail=detail)]
        faults: list[RowError] = []
        values: dict[str, str] = {}
        custom: dict[str, Any] = {}
        for name, places in self._fields:
            try:
                text = " ".join(filter(None, [self._cell(cells[i]) for i in places]))
                if text:
                    self._put(name, text, values, custom)
            except _Bad as bad:
                faults.append(self._fault(row, places[0], bad))
        for key, i, kind in self._customs:
            try:
                text = self._cell(cells[i])
                if text:
                    custom[key] = _custom(text, kind)
            except _Bad as bad:
                faults.append(self._fault(row, i, bad))
        if not faults and not values and not custom:
            return [RowError(row=row, column=None, code="empty-row", detail="holds no value")]
        return faults or [*map(values.get, LEAD_FIELDS), json.dumps(custom, ensure_ascii=False)]

    def _cell(self, cell: str) -> str:
        text = cell.strip()
        if "\x00" in text:
            raise _Bad("nul-character", "contains a NUL character")
        return "" if self._plan.empty and text.casefold() in self._plan.empty else text

    def _put(self, name: str, text: str, values: dict[str, str], custom: dict[str, Any]) -> None:
        if name == FULL_NAME:
            for part_name, part in zip(("first_name", "last_name"), _split_name(text), strict=True):
                if part:
                    values[part_name] = _checked(part_name, part)
        elif name != "status":
            values[name] = _checked(name, text)
        elif text.casefold() in _STATUSES:
            values[name] = text.casefold()
        elif self._plan.lenient_status:
            custom[name] = _custom(text, "text")
        else:
            known = ", ".join(_STATUSES)
            raise _Bad("invalid-status", f"{text[:40]!r} is none of: {known}")

    def _fault(self, row: int, place: int, bad: _Bad) -> RowError:
        column = self._plan.headers[place][:200]
        return RowError(row=row, column=column, code=bad.code, detail=bad.detail)
