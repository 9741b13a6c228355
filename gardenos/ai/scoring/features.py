"""From facts to signed contributions: each function looks at one side of a lead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from gardenos.ai.scoring import email as addresses
from gardenos.ai.scoring import weights as w
from gardenos.ai.scoring.email import EmailKind
from gardenos.ai.scoring.facts import LeadFacts, Scalar, says_yes_or_no
from gardenos.ai.scoring.job import Job, standing
from gardenos.ai.scoring.source import kind_of, origin_of
from gardenos.ai.scoring.weights import Weight

TOTAL_VISITS = ("total_visits", "visits", "totalvisits")
TIME_ON_SITE = ("time_on_site_seconds", "total_time_spent_on_website", "time_on_site")
PAGES = ("pages_per_visit", "page_views_per_visit")
ORIGIN = ("lead_origin", "origin")
NO_EMAIL = ("do_not_email", "email_opt_out", "unsubscribed")
NO_CALL = ("do_not_call", "call_opt_out")
OPT_IN = ("marketing_consent", "newsletter", "opt_in", "email_opt_in")
_NO_ANSWERS = frozenset(
    (*TOTAL_VISITS, *TIME_ON_SITE, *PAGES, *ORIGIN, *NO_EMAIL, *NO_CALL, *OPT_IN)
)
_ANSWER_FIELDS = ("job_title", "company", "city", "country", "website")
_EMAIL_WEIGHTS = {
    EmailKind.COMPANY: w.COMPANY_EMAIL,
    EmailKind.FREE: w.FREEMAIL,
    EmailKind.THROW_AWAY: w.DISPOSABLE_EMAIL,
    EmailKind.BROKEN: w.BROKEN_EMAIL,
}


class Reason(NamedTuple):
    """What one fact says for or against a lead; `contribution` is in log-odds."""

    feature: str
    value: Scalar
    contribution: float
    text: str


def contributions(facts: LeadFacts) -> Iterator[Reason]:
    """Everything known that speaks for or against; what is unknown says nothing by itself."""
    for look in _SIDES:
        yield from look(facts)


def _said(feature: str, value: Scalar, weight: Weight) -> Iterator[Reason]:
    if weight.log_odds:
        yield Reason(feature, value, weight.log_odds, weight.text)


def _origin(facts: LeadFacts) -> Iterator[Reason]:
    if facts.source:
        kind = kind_of(facts.source)
        yield from _said("source", kind.value, w.SOURCE[kind])
    made = facts.text(*ORIGIN)
    if made:
        origin = origin_of(made)
        yield from _said("origin", origin.value, w.ORIGIN[origin])


def _engagement(facts: LeadFacts) -> Iterator[Reason]:
    seconds = facts.number(*TIME_ON_SITE)
    visits = facts.number(*TOTAL_VISITS)
    pages = facts.number(*PAGES)
    if visits is not None and visits > 0:
        past = min(visits, w.VISITS_MOST) - w.VISITS_NEUTRAL
        if past:
            text = f"Visited {visits:g} times." if visits != 1 else "Visited once."
            yield Reason("total_visits", visits, _rounded(past * w.PER_VISIT), text)
    # No visit, no time: the lead came another way, and zero seconds say nothing about it.
    if seconds is not None and (seconds > 0 or (seconds == 0 and (visits or 0) > 0)):
        doublings = math.log2(1 + seconds / w.TIME_UNIT_S)
        weight = min(doublings * w.TIME_PER_DOUBLING - w.TIME_NEUTRAL, w.TIME_MOST)
        yield Reason(
            "time_on_site_seconds",
            seconds,
            _rounded(weight),
            f"Spent {seconds / 60:.0f} min on the site.",
        )
    if pages is not None and pages >= w.MANY_PAGES:
        yield from _said("pages_per_visit", pages, w.MANY_PAGES_WEIGHT)


def _contact(facts: LeadFacts) -> Iterator[Reason]:
    if facts.email:
        kind = addresses.kind_of(facts.email)
        yield from _said("email", kind.value, _EMAIL_WEIGHTS[kind])
    if facts.phone:
        yield from _said("phone", True, w.PHONE)
    if not facts.email and not facts.phone:
        yield from _said("reachable", False, w.UNREACHABLE)
    if facts.flag(*NO_EMAIL):
        yield from _said("do_not_email", True, w.NO_EMAIL_WISHED)
    if facts.flag(*NO_CALL):
        yield from _said("do_not_call", True, w.NO_CALL_WISHED)
    if facts.flag(*OPT_IN):
        yield from _said("marketing_consent", True, w.OPTED_IN)


def _person(facts: LeadFacts) -> Iterator[Reason]:
    if facts.job_title:
        job = standing(facts.job_title)
        if job is not Job.UNKNOWN:
            yield from _said("job", job.value, w.JOB[job])
    if facts.first_name and facts.last_name:
        yield from _said("full_name", True, w.NAMED)


def answers(facts: LeadFacts) -> int:
    """How many questions about themselves the lead has answered, as far as they count."""
    known = sum(getattr(facts, name) is not None for name in _ANSWER_FIELDS)
    own = 0
    for key, value in facts.custom.items():
        if isinstance(value, str) and key not in _NO_ANSWERS and not says_yes_or_no(value):
            own += 1
    return min(known + min(own, w.CUSTOM_ANSWERS_MOST), w.ANSWERS_MOST)


def _completeness(facts: LeadFacts) -> Iterator[Reason]:
    known = answers(facts)
    past = known - w.ANSWERS_NEUTRAL
    if past:
        more = "more" if past > 0 else "less"
        text = f"Told {more} about themselves than most do ({known} of {w.ANSWERS_MOST} answers)."
        yield Reason("answers", known, _rounded(past * w.PER_ANSWER), text)
    if facts.notes:
        yield from _said("notes", len(facts.notes), w.NOTES)


def _recency(facts: LeadFacts) -> Iterator[Reason]:
    age = facts.age_days
    if age is not None and age > w.FRESH_DAYS:
        yield from _said("age_days", round(age), w.COLD if age > w.COLD_DAYS else w.COOLING)


def _rounded(log_odds: float) -> float:
    return round(log_odds, 3)


_SIDES = (_origin, _engagement, _contact, _person, _completeness, _recency)
