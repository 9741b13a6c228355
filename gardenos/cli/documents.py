"""What the documentation must keep: links and anchors that lead somewhere, commands that exist."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^(?P<fence>```+|~~~+)[^\n]*\n.*?^(?P=fence)\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}\s+(?P<text>.+?)\s*#*\s*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_COMMAND = re.compile(
    r"(?:^|[\s`(&|;])(?:\./garden|gardenos)\s+(?P<line>[^`\n|;&#)]+)", re.MULTILINE
)
_OPTION = re.compile(r"--[a-z][a-z-]*")
_WORD = re.compile(r"^[a-z][a-z-]*$")
_PASSES_ON = frozenset({"test", "bench"})
"""Their options are pytest's and the benchmarks'."""


def pages(root: Path) -> list[Path]:
    """The Markdown pages of the checkout."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def complaints(root: Path) -> list[str]:
    """Everything wrong with the pages, one line each."""
    return [
        f"{page.relative_to(root)}: {fault}"
        for page in pages(root)
        for fault in (*lost_links(page), *unknown_commands(page.read_text("utf-8")))
    ]


def lost_links(page: Path) -> Iterator[str]:
    """Links to files that are not there, and to headings that their page does not have."""
    prose = _CODE.sub("", _FENCE.sub("", page.read_text("utf-8")))
    for match in _LINK.finditer(prose):
        target = match["target"]
        if _ELSEWHERE.match(target):
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        if not linked.exists():
            yield f"links to {target}, which is not there"
        elif anchor and linked.suffix == ".md" and anchor not in anchors(linked):
            yield f"links to {target}, a heading that page does not have"


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get, as GitHub makes them."""
    found: set[str] = set()
    for match in _HEADING.finditer(_FENCE.sub("", page.read_text("utf-8"))):
        plain = unicodedata.normalize("NFC", re.sub(r"[`*_]|\]\([^)]*\)|\[", "", match["text"]))
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = 0
        while (anchor := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(anchor)
    return found


def unknown_commands(text: str) -> Iterator[str]:
    """Commands and options the command line does not have, anywhere on the page."""
    for match in _COMMAND.finditer(text):
        line = match["line"].strip()
        words = line.split()
        command: Any = _commands()
        path: list[str] = []
        for word in words:
            children: Mapping[str, Any] = getattr(command, "commands", {})
            if not children or not _WORD.match(word):
                break
            if word not in children:
                # A sentence such as "gardenos is ..." names no command; one in code does.
                if match[0].lstrip("\n")[:1] == "`" or "./garden" in match[0]:
                    yield f"names the command `{' '.join([*path, word])}`, which does not exist"
                break
            command = children[word]
            path.append(word)
        if path and path[0] not in _PASSES_ON:
            known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
            for option in _OPTION.findall(line):
                if option not in known | {"--help"}:
                    yield f"`{' '.join(path)}` has no option {option}"


def _commands() -> Any:
    import typer

    from gardenos.cli.main import commands

    return typer.main.get_command(commands)
