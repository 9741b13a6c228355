"""The score: evidence summed in log-odds and kept within bounds, read as quality and as probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gardenos.ai.scoring.actions import next_actions
from gardenos.ai.scoring.facts import LeadFacts
from gardenos.ai.scoring.features import Reason, contributions

BASE_RATE = 0.3
"""The prior: how often a lead converts of whom nothing speaks either way.

An agency that knows its own rate passes it instead; it moves every probability and no score.
"""
MOST_EVIDENCE = 4.0
"""In log-odds: what all the facts together come to at most, for or against.

Facts repeat one another (who stays long also answers more), so a sum of many says less than it
seems to. With the base rate above, this ceiling is a probability of 96%: as many of the real leads
with the most to say for them converted, see `tests/unit/ai/test_real_leads.py`.
"""
LEAST_LIKELY, MOST_LIKELY = 0.01, 0.97
"""Whatever the base rate: nobody is certain to buy, and nobody certain not to."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the facts add up to.

    The weights of the facts, summed, are the raw evidence; it is bent below `MOST_EVIDENCE`, and
    each fact's `contribution` is its share of what is left:

        evidence = MOST_EVIDENCE * tanh(raw / MOST_EVIDENCE) = sum of contributions
        probability = sigmoid(logit(base_rate) + evidence), within LEAST_LIKELY and MOST_LIKELY
        quality_score = 50 + 50 * evidence / MOST_EVIDENCE

    So both numbers can be worked out again from the reasons. 50 is a lead about whom nothing
    speaks either way.
    """

    quality_score: int
    conversion_probability: float
    reasons: Sequence[Reason]
    """The heaviest first."""
    next_actions: Sequence[str]


def score(facts: LeadFacts, *, base_rate: float = BASE_RATE) -> Score:
    """Score one lead. Pure: the same facts give the same score, whatever their texts say."""
    reasons = sorted(_bounded(list(contributions(facts))), key=_weight, reverse=True)
    evidence = sum(reason.contribution for reason in reasons)
    likely = _sigmoid(_logit(base_rate) + evidence)
    quality = round(50 + 50 * evidence / MOST_EVIDENCE)
    return Score(
        quality_score=quality,
        conversion_probability=round(min(max(likely, LEAST_LIKELY), MOST_LIKELY), 4),
        reasons=reasons,
        next_actions=next_actions(facts, quality),
    )


def _bounded(reasons: Sequence[Reason]) -> Sequence[Reason]:
    """The reasons with what each adds to evidence that is kept within bounds."""
    raw = sum(reason.contribution for reason in reasons)
    if not raw:
        return reasons
    share = MOST_EVIDENCE * math.tanh(raw / MOST_EVIDENCE) / raw
    return [
        reason._replace(contribution=round(reason.contribution * share, 3)) for reason in reasons
    ]


def _weight(reason: Reason) -> float:
    return abs(reason.contribution)


def _sigmoid(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
