"""Where in a text the words stand that found it, as HTML."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_SHOWN: Final = 200
"""Characters of a longer text that are shown."""
_BEFORE: Final = 60


def plain(word: str) -> str:
    """A word in lower case and without accents, much as the database has it."""
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def marked(text: str, words: Sequence[str], begun: str | None) -> str | None:
    """The text, or the part of it around the first word, escaped, with the words in `<mark>`.

    `begun` is what a word may begin with. None where none of them is in the text.
    """
    places = [
        place.span()
        for place in _WORD.finditer(text)
        for word in [plain(place[0])]
        if word in words or (begun is not None and word.startswith(begun))
    ]
    if not places:
        return None
    start, end = _window(text, places[0][0])
    pieces, at = ["…" if start else ""], start
    for first, last in places:
        if first >= end:
            break
        pieces += [html.escape(text[at:first]), "<mark>", html.escape(text[first:last]), "</mark>"]
        at = last
    pieces += [html.escape(text[at : max(at, end)]), "…" if max(at, end) < len(text) else ""]
    return "".join(pieces)


def marked_number(text: str, digits: str) -> str | None:
    """The same of a telephone number that holds these digits, in whatever groups it is written."""
    if digits not in re.sub(r"\D", "", text):
        return None
    return f"<mark>{html.escape(text)}</mark>"


def _window(text: str, first: int) -> tuple[int, int]:
    if len(text) <= _SHOWN:
        return 0, len(text)
    start = 0
    if first > _BEFORE:
        # From a word on, not from the middle of one.
        blank = text.find(" ", first - _BEFORE, first)
        start = blank + 1 if blank >= 0 else first - _BEFORE
    return start, min(len(text), start + _SHOWN)
