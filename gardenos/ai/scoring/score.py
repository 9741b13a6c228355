"""The score: points summed, and the probability that goes with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gardenos.ai.scoring.facts import LeadFacts
from gardenos.ai.scoring.rules import RULES, Reason

NEUTRAL_SCORE = 50
POINTS_PER_LOG_ODDS = 10.0
PRIOR_LOG_ODDS = -0.4
"""Log-odds of a lead with no points either way: 40%, a customary share for inbound enquiries."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the rules make of a lead."""

    quality_score: int
    conversion_probability: float
    reasons: tuple[Reason, ...]
    """The largest contributions first."""
    next_actions: tuple[str, ...]


def score(lead: LeadFacts) -> Score:
    """Score a lead by the rules.

    quality_score = clamp(50 + sum of points, 0, 100);
    conversion_probability = 1 / (1 + exp(-(prior + points / 10))), the logistic function.
    """
    reasons = [reason for rule in RULES.values() if (reason := rule(lead))]
    points = math.fsum(reason.contribution for reason in reasons)
    probability = 1.0 / (1.0 + math.exp(-(PRIOR_LOG_ODDS + points / POINTS_PER_LOG_ODDS)))
    quality = max(0, min(100, round(NEUTRAL_SCORE + points)))
    reasons.sort(key=lambda reason: -abs(reason.contribution))
    return Score(quality, round(probability, 4), tuple(reasons), next_actions(lead, quality))


def next_actions(lead: LeadFacts, quality: int) -> tuple[str, ...]:
    """What to do next, from the score and what is known."""
    muted = lead.flag("do_not_email", "do_not_contact", "unsubscribed") or False
    actions: list[str] = []
    if quality >= 70:  # noqa: PLR2004
        if lead.phone:
            actions.append("Call within the hour")
        if lead.email and not muted:
            actions.append("Send a personal e-mail today")
        actions.append("Offer a meeting this week")
    elif quality >= 40:  # noqa: PLR2004
        if lead.email and not muted:
            actions.append("Send a follow-up e-mail within two days")
        actions.append("Ask what they need and by when")
    else:
        actions.append("Leave to the newsletter" if not muted else "Leave alone for now")
    if not lead.email and not lead.phone:
        actions.append("Find an e-mail address or phone number")
    if not lead.job_title:
        actions.append("Ask what they do")
    return tuple(actions)


def as_json(reasons: tuple[Reason, ...]) -> list[dict[str, Any]]:
    """Reasons as JSON objects."""
    return [
        {"feature": r.feature, "value": r.value, "contribution": r.contribution, "text": r.text}
        for r in reasons
    ]
