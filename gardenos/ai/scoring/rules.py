"""The points: what each fact about a lead is worth, and why. One function per kind of fact.

Points are deci-log-odds: ten points multiply the odds of a conversion by e. They state what sales
practice holds for leads in general; `docs/agents.md` says how well they rank real ones.
Free text (`notes`) earns no points whatever it says: a lead must not be able to talk its score up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gardenos.ai.scoring.facts import LeadFacts


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact's share of the score."""

    feature: str
    value: str
    contribution: float
    """Points; above zero speaks for the lead."""
    text: str


Rule = Callable[[LeadFacts], Reason | None]

_SOURCES: Final[tuple[tuple[re.Pattern[str], float, str], ...]] = tuple(
    (re.compile(pattern), points, text)
    for pattern, points, text in (
        (r"referr?al site", -3, "A link on another site brings visitors with little intent"),
        (
            r"refer|recommend|word.of.mouth|existing customer|alumni|partner",
            17,
            "Somebody vouched for us: referred leads convert best",
        ),
        (r"purchased|bought|cold|scrap", -12, "Bought and cold contacts never asked for us"),
        (r"event|webinar|fair|conference|demo|trial", 7, "Took time for an event or a demo"),
        (r"chat|messag", -2, "A chat is quickly opened and quickly left"),
        (r"facebook|instagram|tiktok|social|twitter|youtube", -4, "Social clicks are cheap"),
        (r"\bads?\b|advert|campaign|banner|ppc|paid", -3, "An advertisement found them"),
        (r"organic|google|bing|search", 2, "Was looking for what we offer"),
        (r"direct|website|web ?form", 1, "Came to us directly"),
        (r"import|list|api", -3, "Came by a list, not by asking"),
    )
)
_ORIGINS: Final[tuple[tuple[re.Pattern[str], float, str], ...]] = tuple(
    (re.compile(pattern), points, text)
    for pattern, points, text in (
        (r"add form|contact form|request|callback", 12, "Filled in a form to be contacted"),
        (r"import|list", -4, "Came by a list, not by asking"),
    )
)
_UNEMPLOYED = re.compile(r"unemploy|jobless|between jobs|seeking", re.IGNORECASE)
_STUDENT = re.compile(r"student|pupil|intern\b|trainee", re.IGNORECASE)
_DECIDER = re.compile(
    r"\b(ceo|cto|cfo|coo|cmo|chief|founder|owner|president|partner|director|head|vp|vice president|"
    r"managing|principal|proprietor|business ?man|business ?woman)\b",
    re.IGNORECASE,
)
_WORKING = re.compile(
    r"professional|manager|engineer|consultant|lead\b|officer|executive|specialist|analyst|"
    r"architect|teacher|nurse|doctor|lawyer|accountant|developer|designer|self.employed|employ",
    re.IGNORECASE,
)
_FREEMAIL = frozenset(
    {
        "gmail.com",
        "yahoo.com",
        "hotmail.com",
        "outlook.com",
        "icloud.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "mail.ru",
        "yandex.ru",
        "qq.com",
        "163.com",
        "proton.me",
        "protonmail.com",
        "live.com",
        "msn.com",
    }
)
_TIME_ON_SITE: Final[tuple[tuple[float, float, str], ...]] = (
    (60, -9, "left the site within a minute"),
    (300, -9, "spent under five minutes on the site"),
    (600, -6, "spent under ten minutes on the site"),
    (1000, 12, "spent over ten minutes on the site"),
    (1500, 15, "spent over a quarter of an hour on the site"),
    (float("inf"), 17, "spent over 25 minutes on the site"),
)


def _match(
    feature: str,
    value: str,
    table: tuple[tuple[re.Pattern[str], float, str], ...],
) -> Reason | None:
    lowered = value.lower()
    for pattern, points, text in table:
        if pattern.search(lowered):
            return Reason(feature, value, points, text)
    return None


def source(lead: LeadFacts) -> Reason | None:
    """Where the lead came from."""
    return _match("source", lead.source, _SOURCES) if lead.source else None


def origin(lead: LeadFacts) -> Reason | None:
    """How the lead was captured: a form filled in on purpose outweighs a list."""
    value = lead.custom.get("lead_origin") or lead.custom.get("origin")
    return _match("lead_origin", value, _ORIGINS) if isinstance(value, str) else None


def occupation(lead: LeadFacts) -> Reason | None:
    """What the lead does, from the job title."""
    title = lead.job_title
    if title is None:
        return Reason("job_title", "", -10, "Did not say what they do: a thin profile")
    if _UNEMPLOYED.search(title):
        return Reason("job_title", title, 1, "Looking for a change, with little to spend")
    if _STUDENT.search(title):
        return Reason("job_title", title, -2, "Students rarely decide alone")
    if _DECIDER.search(title):
        return Reason("job_title", title, 14, "Can decide and pay")
    if _WORKING.search(title):
        return Reason("job_title", title, 18 if "professional" in title.lower() else 9, "Works")
    return Reason("job_title", title, 3, "Said what they do")


def time_on_site(lead: LeadFacts) -> Reason | None:
    """How long the lead read our pages; zero means it was never on them, which says nothing."""
    seconds = lead.number("time_on_site_seconds", "time_on_site")
    if seconds is None or seconds <= 0:
        return None
    for below, points, text in _TIME_ON_SITE:
        if seconds < below:
            return Reason("time_on_site_seconds", f"{seconds:g}", points, f"They {text}")
    return None


def visits(lead: LeadFacts) -> Reason | None:
    """Coming back shows interest; a single visit was a look."""
    count = lead.number("total_visits", "visits")
    if count is None or count <= 0:
        return None
    if count < 2:  # noqa: PLR2004
        return Reason("total_visits", f"{count:g}", -3, "Visited once")
    if count >= 5:  # noqa: PLR2004
        return Reason("total_visits", f"{count:g}", 3, "Keeps coming back")
    return None


def consent(lead: LeadFacts) -> Reason | None:
    """Who does not want to hear from us seldom buys."""
    if lead.flag("do_not_email", "do_not_contact", "unsubscribed"):
        return Reason("do_not_email", "yes", -13, "Asked not to be e-mailed")
    return None


def email(lead: LeadFacts) -> Reason | None:
    """An address at a company domain shows a business behind the person."""
    if lead.email is None:
        return None
    domain = lead.email.rpartition("@")[2].lower()
    if domain in _FREEMAIL:
        return Reason("email", domain, 1, "Left a private e-mail address")
    return Reason("email", domain, 4, "Left a business e-mail address")


def phone(lead: LeadFacts) -> Reason | None:
    """A phone number is given to be called."""
    return Reason("phone", "given", 3, "Left a phone number") if lead.phone else None


def company(lead: LeadFacts) -> Reason | None:
    """A named company can be looked up and sold to."""
    return Reason("company", lead.company, 3, "Named their company") if lead.company else None


def interest(lead: LeadFacts) -> Reason | None:
    """Which product or field the lead asked about; silence is a thin profile."""
    for key in ("specialization", "product", "interest", "service"):
        if key in lead.custom:
            value = lead.custom[key]
            if value:
                return Reason(key, str(value), 2, "Said what they are interested in")
    return None


def place(lead: LeadFacts) -> Reason | None:
    """Where the lead is; without it, one more gap in the profile."""
    if lead.city or lead.country:
        return None
    return Reason("city", "", -2, "Did not say where they are")


RULES: Final[Mapping[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        source,
        origin,
        occupation,
        time_on_site,
        visits,
        consent,
        email,
        phone,
        company,
        interest,
        place,
    )
}
