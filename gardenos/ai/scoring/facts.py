"""What is known of a lead, as scoring and drafting read it: a stored row or raw lead data alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

_TRUE = frozenset({"yes", "true", "1", "y", "t"})
_FALSE = frozenset({"no", "false", "0", "n", "f"})


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """The fields of a lead that agents read; text is stripped, empty text is None."""

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
    status: str | None = None
    notes: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> LeadFacts:
        """The facts in a lead's row or in lead data; keys that are no facts are left aside."""
        custom = record.get("custom")
        return cls(
            **{name: _text(record.get(name)) for name in _TEXT_FIELDS},
            custom=custom if isinstance(custom, Mapping) else {},
        )

    def number(self, *keys: str) -> float | None:
        """The first of these custom values that is a finite number."""
        for key in keys:
            value = self.custom.get(key)
            if isinstance(value, bool) or value is None:
                continue
            try:
                number = float(value)
            except (TypeError, ValueError):
                continue
            if number - number == 0:
                return number
        return None

    def flag(self, *keys: str) -> bool | None:
        """The first of these custom values that says yes or no."""
        for key in keys:
            value = self.custom.get(key)
            if isinstance(value, bool):
                return value
            text = str(value).strip().lower()
            if text in _TRUE:
                return True
            if text in _FALSE:
                return False
        return None

    @property
    def name(self) -> str | None:
        """First and last name as far as known."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or None


_TEXT_FIELDS = tuple(f.name for f in fields(LeadFacts) if f.name != "custom")


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
