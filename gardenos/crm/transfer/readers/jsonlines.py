"""JSON Lines: an object for each row, whose names are the header."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TextIO, cast

from gardenos.crm.transfer.readers.limits import faulty
from gardenos.crm.transfer.records import MAX_LINE_CHARS, Record, plain

MOST_NAMES: Final = 500
_CUSTOM: Final = "custom"


def is_like(text: TextIO) -> bool:
    """Whether the first line is a JSON object; the text is rewound."""
    line = text.readline(MAX_LINE_CHARS).lstrip("\ufeff").strip()
    text.seek(0)
    return line.startswith("{") and isinstance(_parsed(line), dict)


def opened(text: TextIO) -> tuple[list[str], Iterator[Record]]:
    """All names there are, which one reading finds, and the rows. Raises `InvalidContent`."""
    names: dict[str, None] = {}
    for record in _objects(text):
        if isinstance(record, dict):
            names |= dict.fromkeys(_flat(record))
        if len(names) > MOST_NAMES:
            raise faulty(f"The objects of the file have over {MOST_NAMES} different names.")
    text.seek(0)
    return [plain(name) for name in names], _rows(text, list(names))


def _rows(text: TextIO, names: list[str]) -> Iterator[Record]:
    for record in _objects(text):
        if isinstance(record, str):
            yield [], record
        else:
            flat = _flat(record)
            yield [flat.get(name, "") for name in names], None


def _objects(text: TextIO) -> Iterator[dict[str, Any] | str]:
    """Each line as an object, or the code of what is wrong with it; blank lines are left out."""
    while line := text.readline(MAX_LINE_CHARS):
        if len(line) >= MAX_LINE_CHARS and not line.endswith("\n"):
            while (rest := text.readline(MAX_LINE_CHARS)) and not rest.endswith("\n"):
                pass
            yield "row-too-long"
            continue
        if not line.strip("\ufeff \t\r\n"):
            continue
        found = _parsed(line.lstrip("\ufeff"))
        yield cast("dict[str, Any]", found) if isinstance(found, dict) else "no-object"


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _flat(record: dict[str, Any]) -> dict[str, str]:
    """Texts by name; what is under `custom` is `custom.<key>`."""
    found: dict[str, str] = {}
    for name, value in record.items():
        if name == _CUSTOM and isinstance(value, dict):
            custom = cast("dict[str, Any]", value)
            found |= {f"{_CUSTOM}.{key}": _text(one) for key, one in custom.items()}
        else:
            found[name] = _text(value)
    return found


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            # Half a character, which an escape can say, is none.
            return value.encode("utf-8", "replace").decode()
        case list():
            items = cast("list[Any]", value)
            if all(isinstance(one, str | int | float) for one in items):
                return ", ".join(_text(one) for one in items)
            return json.dumps(items)
        case _:
            return json.dumps(value)
