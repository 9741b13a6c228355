"""Rows of a file as they wait in the database: JSON, a list of cells for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

ROWS = 1_000
CHARS = 2_000_000


@dataclass(frozen=True, slots=True)
class Faulty:
    """A row that cannot be read, as far as it can."""

    code: str
    cells: list[str]


Cells: TypeAlias = list[str] | Faulty | None
"""A row; None stands for one that was erased with a person."""


def encode(rows: Sequence[Cells]) -> bytes:
    """Rows as bytes: a cell may hold half a character, and a NUL."""
    return json.dumps(rows, default=_plain, separators=(",", ":")).encode()


def _plain(row: Any) -> dict[str, Any]:
    return {"fault": row.code, "cells": row.cells}


def decode(data: bytes) -> list[Cells]:
    """The rows that `encode` made bytes."""
    return [
        Faulty(row["fault"], row["cells"]) if isinstance(row, dict) else row
        for row in json.loads(data)
    ]
