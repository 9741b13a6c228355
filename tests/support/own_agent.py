"""The agent that docs/agents.md builds from nothing, as a reader would save it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
MODULE = "reminder_agent"
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def _first(kind: str, *, holding: str = "") -> str:
    page = PAGE.read_text("utf-8")
    blocks = (m["code"] for m in _BLOCK.finditer(page) if m["kind"] == kind)
    return next(code for code in blocks if holding in code)


def save(folder: Path) -> Path:
    """Write the page's agent to a folder."""
    file = folder / f"{MODULE}.py"
    file.write_text(_first("python", holding="class ReminderAgent"))
    return file


def arguments() -> dict[str, Any]:
    """What the page puts under `args` in serve_config.yaml."""
    read: dict[str, Any] = yaml.safe_load(_first("yaml"))
    return read


def entry_point() -> str:
    """What the page puts into pyproject.toml."""
    return _first("toml")


def request() -> tuple[str, str, str]:
    """Method, path and body of the page's request."""
    line, _, body = _first("http").partition("\n")
    method, _, path = line.partition(" ")
    return method, path, body
