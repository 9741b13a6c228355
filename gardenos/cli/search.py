"""`gardenos search`: what is found, as a table."""

from __future__ import annotations

import html
import re

from rich.markup import escape

from gardenos.cli.screen import console, table
from gardenos.sdk import GardenOS, Hit

_MARK = re.compile(r"(</?mark>)")


def show(client: GardenOS, words: str, *, kinds: list[str], limit: int) -> None:
    """Search and print what is found, the best first."""
    found = client.search(words, types=kinds, limit=limit)  # pyright: ignore[reportArgumentType] the server refuses others
    if found.corrected:
        console.print(
            f"Nothing has {escape(words)!r}. Found by {escape(', '.join(found.corrected))}:"
        )
    if not found.items:
        console.print(f"Nothing is found by {escape(words)!r}.")
        return
    shown = table("Kind", "What", "Where", "Id")
    for hit in found.items:
        shown.add_row(hit.entity, escape(hit.title), _places(hit), f"[dim]{hit.id}[/]")
    console.print(shown)
    if found.truncated:
        console.print("[dim]There is more; say more words.[/]")


def _places(hit: Hit) -> str:
    return "\n".join(f"[dim]{escape(name)}[/] {_shown(text)}" for name, text in hit.matches.items())


def _shown(text: str) -> str:
    styles = {"<mark>": "[bold]", "</mark>": "[/bold]"}
    return "".join(styles.get(part) or escape(html.unescape(part)) for part in _MARK.split(text))
