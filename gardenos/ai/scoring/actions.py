"""What to do next with a lead, from its quality and from what its record lacks."""

from __future__ import annotations

from gardenos.ai.scoring.email import EmailKind, kind_of
from gardenos.ai.scoring.facts import LeadFacts
from gardenos.ai.scoring.features import NO_CALL, NO_EMAIL
from gardenos.ai.scoring.weights import COLD_DAYS

HOT, WARM = 75, 45
"""Quality from which a lead is worth a person's time today, and from which it is worth a letter."""
_MOST = 4


def next_actions(facts: LeadFacts, quality: int) -> list[str]:
    """Up to four sentences, the most urgent first; never against what the lead asked for."""
    email_works = facts.email is not None and kind_of(facts.email) is not EmailKind.BROKEN
    may_write = email_works and not facts.flag(*NO_EMAIL)
    may_call = facts.phone is not None and not facts.flag(*NO_CALL)
    found = [_approach(quality, may_write=may_write, may_call=may_call)]
    if facts.email and not email_works:
        found.append("Correct the e-mail address: it cannot work as written.")
    if not facts.email and not facts.phone:
        found.append("Find an e-mail address or phone number.")
    if facts.age_days is not None and facts.age_days > COLD_DAYS:
        found.append("Ask whether the interest still stands before offering anything.")
    if quality >= WARM:
        if not facts.job_title:
            found.append("Ask what they do.")
        if not facts.company:
            found.append("Ask which company they are with.")
    return found[:_MOST]


def _approach(quality: int, *, may_write: bool, may_call: bool) -> str:
    if not may_write and not may_call:
        return "Do not contact them yet: no channel is both known and allowed."
    if quality >= HOT:
        return "Call today." if may_call else "Write a personal e-mail today."
    if quality >= WARM:
        return "Send a follow-up this week." if may_write else "Call this week."
    return "Keep them in the newsletter." if may_write else "Call when there is time to spare."
