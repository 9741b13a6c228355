"""Follow-ups by rule: letters from templates that say only what the record and the occasion say."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gardenos.ai.scoring import LeadFacts
from gardenos.ai.scoring.features import NO_CALL, NO_EMAIL
from gardenos.ai.scoring.source import SourceKind, kind_of

SUBJECT_LENGTH = 70
_NAME_LENGTH = 40
_NAME_WORDS = 4
_COMPANY_LENGTH = 80
_OCCASION_LENGTH = 200
_IN_NAMES = frozenset(" -'’.·\u200c\u200d")  # noqa: RUF001 the apostrophe people type
_LINK = re.compile(r"https?:|www\.|[<>{}\[\]|\\]|@", re.IGNORECASE)
_OPENINGS = {
    SourceKind.REFERRAL: "You were recommended to {us}, so I am getting in touch.",
    SourceKind.PARTNER: "One of our partners brought us together, so I am getting in touch.",
    SourceKind.EVENT: "Thank you for your interest in {us} at the event.",
    SourceKind.FORM: "Thank you for writing to {us}.",
    SourceKind.CHAT: "Thank you for chatting with {us}.",
    SourceKind.LIST: "I would like to introduce {us} to you.",
    SourceKind.OTHER: "This is a short message from {us}.",
}
_OPENING = "Thank you for your interest in {us}."
"""For those who came by themselves, whichever way."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A subject line and a text without signature."""

    subject: str
    body: str


def draft(facts: LeadFacts, *, agency: str | None, occasion: str) -> Letter:
    """A letter to the lead about the occasion; where that is empty, about getting to know them."""
    us = agency or "us"
    about = one_line(occasion, _OCCASION_LENGTH).rstrip(".!?,;: ")
    company = _plain(facts.company, _COMPANY_LENGTH)
    name = name_of(facts.first_name)
    kind = kind_of(facts.source) if facts.source else SourceKind.OTHER
    paragraphs = [f"Hello {name}," if name else "Hello,"]
    paragraphs.append(_OPENINGS.get(kind, _OPENING).format(us=us))
    if about:
        paragraphs[-1] += f" I am writing about the following: {about}."
    for_whom = f"what {company} needs" if company else "what you are looking for"
    paragraphs.append(
        f"I would like to understand {for_whom} and tell you plainly whether we can help with it."
    )
    paragraphs.append(_question(facts))
    subject = about or (f"{agency} and {company}" if agency and company else "Getting in touch")
    return Letter(one_line(subject, SUBJECT_LENGTH), "\n\n".join(paragraphs))


def whole(subject: str, body: str, *, agency: str | None) -> str:
    """The message as it would be sent, signed in the agency's name."""
    signature = f"Kind regards,\n{agency}" if agency else "Kind regards"
    return f"Subject: {subject}\n\n{body}\n\n{signature}"


def name_of(first_name: str | None) -> str | None:
    """A name to greet by, in any script; None for what is no name, such as a sentence or a link.

    Latin names in all capitals or none get the usual ones; other scripts stay as they are.
    """
    name = _plain(first_name, _NAME_LENGTH)
    if name is None or len(name.split()) > _NAME_WORDS:
        return None
    if not all(char in _IN_NAMES or unicodedata.category(char)[0] in "LM" for char in name):
        return None
    if not any(unicodedata.category(char).startswith("L") for char in name):
        return None
    return name.title() if name.isupper() or name.islower() else name


def lines(text: str) -> str:
    """The text as it would look on paper: nothing in it that moves, hides or reverses other text."""
    return "\n".join(_printable(line).rstrip() for line in text.splitlines()).strip()


def one_line(text: str, longest: int) -> str:
    """The text on one line, cut at a word where it is longer."""
    line = " ".join(_printable(text).split())
    if len(line) <= longest:
        return line
    cut = line[: longest - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"


def _plain(text: str | None, longest: int) -> str | None:
    """A short text on one line; None where it is too long, a link or markup."""
    if text is None or len(text) > longest or _LINK.search(text):
        return None
    return " ".join(_printable(text).split()) or None


def _printable(text: str) -> str:
    # Control characters could break a header; direction marks could turn the line around.
    return "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text
        if unicodedata.category(c) != "Cf" or c in _IN_NAMES
    )


def _question(facts: LeadFacts) -> str:
    if facts.phone and not facts.flag(*NO_CALL):
        if facts.flag(*NO_EMAIL):
            return "Would a short call this week suit you?"
        return "Would a short call this week suit you, or do you prefer an answer by e-mail?"
    return "What would you like to know first?"
