"""What is known of a lead, as scoring and drafting read it: cleaned, bounded, the same from anywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

Scalar: TypeAlias = str | int | float | bool

_NOTHING = frozenset(
    (
        "",
        "-",
        "--",
        "?",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "select",
        "unknown",
        "tbd",
        "undefined",
    )
)
"""What forms and exports write where nobody answered."""
_YES = frozenset(("yes", "y", "true", "1", "on"))
_NO = frozenset(("no", "n", "false", "0", "off"))
_KEY = re.compile(r"[^a-z0-9]+")
_TEXTS = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "company",
    "job_title",
    "website",
    "city",
    "country",
    "source",
    "notes",
)
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """One lead. A text is None where nothing usable is known; custom keys are snake_case."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    company: str | None = None
    job_title: str | None = None
    website: str | None = None
    city: str | None = None
    country: str | None = None
    source: str | None = None
    notes: str | None = None
    custom: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    age_days: float | None = None
    """Since the lead came in; None where that is not known."""
    deleted: bool = False

    @classmethod
    def of(cls, lead: Mapping[str, Any], *, now: datetime | None = None) -> LeadFacts:
        """Read a lead's row or its raw fields; keys that are no field of a lead are ignored."""
        texts = {name: clean(lead.get(name)) for name in _TEXTS}
        custom = lead.get("custom")
        created = lead.get("created_at")
        return cls(
            **texts,
            custom=_clean_custom(custom) if isinstance(custom, Mapping) else {},
            age_days=_age(created, now) if isinstance(created, datetime) else None,
            deleted=lead.get("deleted_at") is not None,
        )

    def number(self, *keys: str) -> float | None:
        """The first of these custom values that is a finite number, as sent or as text."""
        for key in keys:
            value = self.custom.get(key)
            if value is None or isinstance(value, bool):
                continue
            try:
                found = float(value)
            except (ValueError, OverflowError):
                continue
            if math.isfinite(found):
                return found
        return None

    def flag(self, *keys: str) -> bool | None:
        """The first of these custom values that says yes or no."""
        for key in keys:
            value = self.custom.get(key)
            if value in (True, False):  # 1 and 0, too, in whatever type a file's reader chose
                return bool(value)
            if value is not None:
                word = str(value).strip().lower()
                if word in _YES:
                    return True
                if word in _NO:
                    return False
        return None

    def text(self, *keys: str) -> str | None:
        """The first of these custom values that is a text."""
        for key in keys:
            value = self.custom.get(key)
            if isinstance(value, str):
                return value
        return None


def clean(value: object) -> str | None:
    """A text without surrounding space, or None where it says nothing."""
    if not isinstance(value, str):
        return None
    value = value.strip()
    return None if value.lower() in _NOTHING else value


def says_yes_or_no(value: str) -> bool:
    """Whether a text is a bare yes or no, which is a flag rather than an answer."""
    word = value.lower()
    return word in _YES or word in _NO


def _clean_custom(custom: Mapping[Any, Any]) -> Mapping[str, Scalar]:
    found: dict[str, Scalar] = {}
    for key, value in custom.items():
        if isinstance(value, str):
            text = clean(value)
            if text is None:
                continue
            value = text  # noqa: PLW2901 the cleaned one
        elif not isinstance(value, int | float):
            continue
        name = str(key)
        if not (name.isidentifier() and name.islower()):
            name = _KEY.sub("_", name.lower()).strip("_") or name
        found[name] = value
    return found


def _age(created: datetime, now: datetime | None) -> float:
    seconds = ((now or datetime.now(UTC)) - created).total_seconds()
    return max(0.0, seconds / _SECONDS_PER_DAY)
