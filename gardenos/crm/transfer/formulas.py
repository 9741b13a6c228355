"""Cells that a spreadsheet would calculate: an export marks them, and an import takes the mark away."""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile(r"[=@\t\r]|[+-](?![\d\s()./-]*$)")
"""How such a cell begins; numbers are none, and telephone numbers neither."""
_MARK: Final = "'"


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would take this text for something to calculate."""
    return _FORMULA.match(cell) is not None


def defused(cell: str) -> str:
    """A cell that no spreadsheet calculates: one that looks like a formula gets an apostrophe."""
    return f"{_MARK}{cell}" if is_formula(cell) else cell


def undefused(cell: str) -> str:
    """A cell without the apostrophe that `defused` gave it; blanks around it do not count."""
    rest = cell.removeprefix(_MARK)
    return rest if rest is not cell and rest[:1].strip() and is_formula(rest) else cell
