"""What records are found by, and how alike two of them are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from gardenos.core.phones import COUNTRIES, e164

Values = Mapping[str, Any]
MAX_KEY_CHARS: Final = 300
_WORDS: Final = re.compile(r"[^\W_]+")
_LEGAL: Final = frozenset(
    {
        *("gmbh", "mbh", "ag", "kg", "ohg", "ug", "co", "company", "corp", "corporation", "inc"),
        *("incorporated", "llc", "llp", "ltd", "limited", "plc", "pty", "se", "sa", "sas", "sarl"),
        *("srl", "spa", "bv", "nv", "ab", "oy", "as", "aps", "the"),
    }
)
"""Words of a company's name that say nothing of which one it is."""
_ALIKE: Final = str.maketrans("cqzvyj", "kksfii")
"""Initials that sound alike, which are taken for one."""
_SAME_PERSON: Final = 0.6
_SAME_COMPANY: Final = 0.75
_OTHER_PERSON: Final = 0.4
"""Below it, two with one telephone number are colleagues."""
_STRONGEST: Final = 0.99


def plain(text: str) -> list[str]:
    """The words of a name without what people write differently: capitals, accents, punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _WORDS.findall(bare.casefold().replace("ß", "ss"))


def company_words(name: object) -> list[str]:
    """Those of a company, without its legal form where anything else is left."""
    words = plain(str(name)) if name else []
    return [word for word in words if word not in _LEGAL] or words


def person_words(values: Values) -> list[str]:
    """Those of a person's names, in one order whichever stands where."""
    said = (values.get("first_name"), values.get("last_name"))
    return sorted(word for name in said if name for word in plain(str(name)))


def _numbers(words: Sequence[str]) -> list[str]:
    """Numbers in a name are no spelling: branch 12 is not branch 13."""
    return sorted(word for word in words if any(c.isdigit() for c in word))


def _alike(one: Sequence[str], other: Sequence[str]) -> float:
    """How alike two names are, from 0 to 1: by the runs of letters that they share."""
    if not one or not other or _numbers(one) != _numbers(other):
        return 0.0
    return SequenceMatcher(None, " ".join(one), " ".join(other), autojunk=False).ratio()


def _initial(words: Sequence[str]) -> str:
    return min(word[0].translate(_ALIKE) for word in words)


def _lead_name(values: Values) -> str | None:
    company, person = "".join(company_words(values.get("company"))), person_words(values)
    return f"{company[:5]}/{_initial(person)}" if company and person else None


def _contact_name(values: Values) -> str | None:
    company, person = values.get("company_id"), person_words(values)
    return f"{company}/{_initial(person)}" if company and person else None


def _company_name(values: Values) -> str | None:
    return "".join(company_words(values.get("name")))[:4] or None


def _leads_alike(one: Values, other: Values) -> float:
    person = _alike(person_words(one), person_words(other))
    company = _alike(company_words(one.get("company")), company_words(other.get("company")))
    alike = person >= _SAME_PERSON and company >= _SAME_PERSON
    return 0.8 * (0.6 * person + 0.4 * company) if alike else 0.0


def _contacts_alike(one: Values, other: Values) -> float:
    person = _alike(person_words(one), person_words(other))
    same = one.get("company_id") == other.get("company_id")
    return 0.8 * person if same and person >= _SAME_PERSON else 0.0


def _companies_alike(one: Values, other: Values) -> float:
    alike = _alike(company_words(one.get("name")), company_words(other.get("name")))
    return 0.8 * alike if alike >= _SAME_COMPANY else 0.0


@dataclass(frozen=True, slots=True)
class Kind:
    """How records of a noun are told apart."""

    noun: str
    singular: str
    compared: tuple[str, ...]
    """The fields that this looks at."""
    phones: tuple[str, ...]
    name: Callable[[Values], str | None]
    alike: Callable[[Values, Values], float]

    def keys(self, values: Values, country: str | None) -> list[str]:
        """What a record is found by. `country` is where its numbers are dialled unless it says."""
        found: list[str] = []
        if values.get("email"):
            found.append(f"email:{str(values['email']).lower()}")
        if values.get("domain"):
            found.append(f"domain:{str(values['domain']).lower()}")
        said = str(values.get("country") or "").strip().upper()
        dialled = said if said in COUNTRIES else country
        for field in self.phones:
            number = e164(str(values[field]), dialled) if values.get(field) else None
            if number:
                found.append(f"phone:{number}")
        name = self.name(values)
        if name:
            found.append(f"name:{name}")
        return list(dict.fromkeys(key[:MAX_KEY_CHARS] for key in found))

    def score(
        self, one: Values, other: Values, shared: Sequence[str], *, fuzzy: bool
    ) -> tuple[float, list[str]] | None:
        """How surely two records that share keys are one, and by what; None where they are not.

        An e-mail or a domain counts 0.95, a telephone number 0.85 unless the names are those of
        different people, names up to 0.8. Each further reason adds 0.02.
        """
        found: dict[str, float] = {}
        for key in shared:
            reason = key.partition(":")[0]
            if reason in ("email", "domain"):
                found[reason] = 0.95
            elif reason == "phone" and not self._are_colleagues(one, other):
                found[reason] = 0.85
            elif reason == "name" and fuzzy and (alike := self.alike(one, other)):
                found[reason] = alike
        if not found:
            return None
        strongest = max(found.values()) + 0.02 * (len(found) - 1)
        return round(min(strongest, _STRONGEST), 2), sorted(found)

    def _are_colleagues(self, one: Values, other: Values) -> bool:
        mine, theirs = person_words(one), person_words(other)
        return bool(mine and theirs) and _alike(mine, theirs) < _OTHER_PERSON

    def title(self, values: Values) -> str:
        """What a record is called where it stands among others."""
        names = " ".join(str(values[n]) for n in ("first_name", "last_name") if values.get(n))
        others = ("name", "company", "email", "domain", "phone", "mobile")
        return names or next((str(values[n]) for n in others if values.get(n)), "")


LEADS: Final = Kind(
    "leads",
    "lead",
    ("first_name", "last_name", "company", "email", "phone", "country"),
    ("phone",),
    _lead_name,
    _leads_alike,
)
CONTACTS: Final = Kind(
    "contacts",
    "contact",
    ("first_name", "last_name", "company_id", "email", "phone", "mobile", "country"),
    ("phone", "mobile"),
    _contact_name,
    _contacts_alike,
)
COMPANIES: Final = Kind(
    "companies",
    "company",
    ("name", "domain", "phone", "country"),
    ("phone",),
    _company_name,
    _companies_alike,
)
KINDS: Final = {kind.noun: kind for kind in (LEADS, CONTACTS, COMPANIES)}
