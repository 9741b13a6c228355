"""Prompts as versioned files, and the one way lead text gets into them: as data.

A prompt file is `<name>.v<version>.md` with a `# system` and a `# data` part. Whatever a lead or a
colleague typed is put after both as one line of JSON between two fences of random letters made for
this call alone: it cannot contain the fence, nor start a line of its own, nor be longer than the
caps below.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_FILE = re.compile(r"^(?P<name>\w+)\.v(?P<version>\d+)\.md$")
_PARTS = re.compile(r"^# system\n(?P<system>.*)^# data\n(?P<data>.*)\Z", re.MULTILINE | re.DOTALL)
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What JSON leaves as it is: other line breaks, control characters, halves of a surrogate pair."""
TEXT_CAP = 300
LONG_TEXT_CAPS: Mapping[str, int] = {"notes": 1500, "context": 1500}
ITEMS_CAP = 30
KEY_CAP = 60
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of one prompt."""

    name: str
    version: int
    system: str
    data: str
    """What introduces the data; says what it is and that it is nothing else."""

    def messages(
        self, data: Mapping[str, Any], *, schema: Mapping[str, Any] | None = None
    ) -> list[dict[str, str]]:
        """The conversation to send; `schema` is written out for models that only know JSON."""
        fence = f"=== {secrets.token_hex(16)} ==="
        system = self.system
        if schema is not None:
            system += (
                "\n\nAnswer with one JSON object and nothing else. It must match this JSON Schema:\n"
                + json.dumps(schema, separators=(",", ":"))
            )
        body = f"{self.data}\n\n{fence}\n{as_data(data)}\n{fence}"
        return [{"role": "system", "content": system}, {"role": "user", "content": body}]


@cache
def load(name: str) -> Prompt:
    """The newest version of a prompt shipped here."""
    found: dict[int, str] = {}
    for entry in files(__package__ or "gardenos.ai.prompts").iterdir():
        match = _FILE.match(entry.name)
        if match and match["name"] == name:
            found[int(match["version"])] = entry.read_text("utf-8")
    if not found:
        raise LookupError(f"There is no prompt {name!r}.")
    version = max(found)
    parts = _PARTS.match(found[version])
    if parts is None:
        raise ValueError(f"{name}.v{version}.md lacks its `# system` or `# data` part.")
    return Prompt(name, version, parts["system"].strip(), parts["data"].strip())


def as_data(data: Mapping[str, Any]) -> str:
    """One line of JSON, every text in it capped, and no character in it that breaks a line."""
    line = json.dumps(_capped(data, "", 0), ensure_ascii=False, separators=(", ", ": "))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def _capped(value: Any, key: str, depth: int) -> Any:
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        cap = LONG_TEXT_CAPS.get(key, TEXT_CAP)
        return value if len(value) <= cap else f"{value[:cap]} [cut]"
    if isinstance(value, Mapping):
        items = [
            (str(k)[:KEY_CAP], _capped(v, str(k), depth + 1))
            for k, v in list(value.items())[:ITEMS_CAP]
        ]
        return {k: v for k, v in items if v is not None}
    if isinstance(value, list | tuple):
        return [_capped(item, key, depth + 1) for item in value[:ITEMS_CAP]]
    if isinstance(value, bool | int | float) or value is None:
        return value
    return str(value)[:TEXT_CAP]
