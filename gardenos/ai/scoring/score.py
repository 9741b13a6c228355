"""The score: contributions summed in log-odds, read once as quality and once as probability."""

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


@dataclass(frozen=True, slots=True)
class Score:
    """What the facts add up to.

    `quality_score` is the evidence alone on a scale of 0 to 100, where 50 is a lead about whom
    nothing speaks either way; `conversion_probability` is the same evidence on top of the base rate:

        probability = sigmoid(logit(base_rate) + sum of contributions)
    """

    quality_score: int
    conversion_probability: float
    reasons: Sequence[Reason]
    """The heaviest first; their contributions and the base rate's logit give the probability."""
    next_actions: Sequence[str]


def score(facts: LeadFacts, *, base_rate: float = BASE_RATE) -> Score:
    """Score one lead. Pure: the same facts give the same score, whatever their texts say."""
    reasons = sorted(contributions(facts), key=_weight, reverse=True)
    evidence = sum(reason.contribution for reason in reasons)
    quality = round(100 * _sigmoid(evidence))
    return Score(
        quality_score=quality,
        conversion_probability=round(_sigmoid(_logit(base_rate) + evidence), 4),
        reasons=reasons,
        next_actions=next_actions(facts, quality),
    )


def _weight(reason: Reason) -> float:
    return abs(reason.contribution)


def _sigmoid(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
