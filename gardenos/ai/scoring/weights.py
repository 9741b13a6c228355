"""Every number the score is made of, in one table, each with the reason it has its size and sign.

A weight is in log-odds: +0.7 about doubles the odds of conversion, -0.7 about halves them. The
weights are judgements about leads in general, in coarse steps, and no regression's output. One set
of real leads was used to check them and to place the neutral points (how long a visit is neither
short nor long, how many answers are usual): `tests/unit/ai/test_real_leads.py` prints the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gardenos.ai.scoring.job import Job
from gardenos.ai.scoring.source import Origin, SourceKind


@dataclass(frozen=True, slots=True)
class Weight:
    """What one fact adds, and the sentence that says why to whoever reads the score."""

    log_odds: float
    text: str


SOURCE: Mapping[SourceKind, Weight] = {
    SourceKind.REFERRAL: Weight(1.2, "Was recommended by somebody: trust comes along."),
    SourceKind.PARTNER: Weight(0.8, "Came through a partner, who has picked them out already."),
    SourceKind.EVENT: Weight(0.3, "Met at an event: gave time before giving an address."),
    SourceKind.FORM: Weight(0.3, "Filled in a form: asked to be contacted."),
    SourceKind.EMAIL: Weight(0.0, "Answered a mailing: knows you, without having searched."),
    SourceKind.SEARCH: Weight(0.1, "Searched for what you offer."),
    SourceKind.DIRECT: Weight(-0.1, "Came straight to the site: knows the name, intent unknown."),
    SourceKind.CHAT: Weight(-0.3, "Opened a chat: often one question and no purchase."),
    SourceKind.ADS: Weight(-0.2, "Clicked an advertisement: curiosity costs one click."),
    SourceKind.SOCIAL: Weight(-0.4, "Came from social media: was doing something else."),
    SourceKind.LINK: Weight(-0.4, "Followed a link on another site: was doing something else."),
    SourceKind.LIST: Weight(-0.9, "Comes from a list: never asked to hear from you."),
    SourceKind.OTHER: Weight(0.0, ""),
}

ORIGIN: Mapping[Origin, Weight] = {
    Origin.BY_HAND: Weight(1.5, "Was entered by a colleague by hand: somebody spoke to them."),
    Origin.BULK: Weight(-0.5, "Arrived in a bulk upload: nobody has looked at it yet."),
    Origin.OTHER: Weight(0.0, ""),
}

JOB: Mapping[Job, Weight] = {
    Job.SENIOR: Weight(1.4, "Decides, or works closely with whoever does."),
    Job.WORKING: Weight(1.2, "Works: has a need at hand and money or a budget for it."),
    Job.STUDENT: Weight(-0.4, "Studies: interest is real, money is short."),
    Job.NOT_WORKING: Weight(-0.2, "Is without work at the moment: money is short."),
    Job.UNKNOWN: Weight(0.0, ""),
}

# How long they stayed is the best sign of interest a site can see. Every doubling counts the same
# (the tenth minute says less than the first); eight minutes are neither short nor long.
TIME_PER_DOUBLING = 1.2
TIME_UNIT_S = 300.0
TIME_NEUTRAL = 1.65
TIME_MOST = 2.4

# Coming back is a decision, so visits beyond the third add a little; past the tenth it may be a bot,
# a competitor or the same tab, and nothing is added.
PER_VISIT = 0.05
VISITS_NEUTRAL = 3.0
VISITS_MOST = 10.0

# Pages in a visit mostly repeat what time says; only very many in one visit (searching without
# finding) count a little against.
MANY_PAGES = 8.0
MANY_PAGES_WEIGHT = Weight(
    -0.15, "Leafed through very many pages per visit: may not have found it."
)

# Every question answered is a step taken towards you. Three of six known is the usual form.
# Custom values count as two at most, or a form with twenty fields would outweigh everything else.
PER_ANSWER = 0.45
ANSWERS_NEUTRAL = 3
ANSWERS_MOST = 6
CUSTOM_ANSWERS_MOST = 2

PHONE = Weight(0.25, "Left a phone number: a call reaches them.")
COMPANY_EMAIL = Weight(0.35, "Writes from a company's own domain: a business, and the right one.")
FREEMAIL = Weight(0.0, "")
DISPOSABLE_EMAIL = Weight(-1.5, "Gave a throw-away address: does not want an answer.")
BROKEN_EMAIL = Weight(-0.5, "The e-mail address cannot work as written.")
UNREACHABLE = Weight(-0.1, "Neither e-mail nor phone is known: nobody can reach them yet.")
NO_EMAIL_WISHED = Weight(-1.0, "Asked not to get e-mail: has turned away once.")
NO_CALL_WISHED = Weight(-0.4, "Asked not to be called.")
OPTED_IN = Weight(0.3, "Agreed to hear from you.")

NAMED = Weight(0.05, "Gave a full name.")
NOTES = Weight(0.1, "The record carries notes: there has been something to write down.")

# Interest cools: half of what is bought is bought within weeks.
FRESH_DAYS = 30.0
COLD_DAYS = 180.0
COOLING = Weight(-0.3, "Came in over a month ago.")
COLD = Weight(-0.8, "Came in over half a year ago.")
