"""The question whether a new record is there already, and what it is found by from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cachetools import LRUCache

from gardenos.core.errors import PossibleDuplicate
from gardenos.core.ids import AgencyId
from gardenos.crm.likeness import keys
from gardenos.crm.likeness.keys import Kind, Values
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES: Final = sql.load("gardenos.crm.likeness")
_AGENCIES_KNOWN: Final = 10_000
_MOST: Final = 5
_FIELD_OF: Final = {"email": "email", "domain": "domain"}
_last_seen: Final[LRUCache[AgencyId, str | None]] = LRUCache(_AGENCIES_KNOWN)
"""Where agencies dialled when last asked: a guess, which the next answer confirms or corrects."""


def hidden_reasons(kind: Kind, hidden: Sequence[str]) -> set[str]:
    """What a role that does not see these fields must not learn of, either."""
    found = {reason for reason, field in _FIELD_OF.items() if field in hidden}
    if any(field in hidden for field in kind.phones):
        found.add("phone")
    if {"first_name", "last_name", "name", "company", "company_id"} & set(hidden):
        found.add("name")
    return found


@dataclass(frozen=True, slots=True)
class Likeness:
    """What tells the records of a noun apart when they are made."""

    kind: Kind

    async def refuse(self, session: TenantSession, values: Values) -> None:
        """Raise `PossibleDuplicate` for a record that may be there already.

        One round trip, none where there is nothing to ask by; two where the agency's country is
        not the one it was when last asked.
        """
        agency_id = session.claims.agency_id
        guess = _last_seen.get(agency_id)
        asked = self.kind.keys(values, guess)
        if not asked and not any(values.get(field) for field in self.kind.phones):
            return
        rows = await self._ask(session, values, asked)
        country = rows[0]["default_country"] if rows else None
        _last_seen[agency_id] = country
        if country != guess and (better := self.kind.keys(values, country)) != asked:
            rows = await self._ask(session, values, better)
        candidates = self._candidates(values, rows)
        if candidates:
            raise self._refusal(candidates)

    def keep(self, session: TenantSession, record_id: UUID, values: Values) -> None:
        """Have a new record found by what it says, with the commit and in its transaction."""
        found = self.kind.keys(values, _last_seen.get(session.claims.agency_id))
        if found:
            session.execute_last(QUERIES["keep_keys"], self.kind.noun, {str(record_id): found})

    async def _ask(
        self, session: TenantSession, values: Values, asked: Sequence[str]
    ) -> Sequence[Mapping[str, Any]]:
        email = values.get("email")
        return [
            dict(row)
            for row in await session.fetch(
                QUERIES[f"check_{self.kind.noun}"], asked, str(email).lower() if email else None
            )
        ]

    def _candidates(
        self, values: Values, rows: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for row in rows:
            if row["id"] is None:
                continue
            unseen = hidden_reasons(self.kind, row["hidden"])
            shared = [key for key in row["keys"] if key.partition(":")[0] not in unseen]
            scored = self.kind.score(values, row, shared, fuzzy=row["duplicate_check"] == "fuzzy")
            if scored is None:
                continue
            score, reasons = scored
            seen = {name: value for name, value in row.items() if name not in row["hidden"]}
            title = self.kind.title(seen)
            found.append({"id": str(row["id"]), "title": title, "score": score, "reasons": reasons})
        return sorted(found, key=lambda one: (-one["score"], one["id"]))[:_MOST]

    def _refusal(self, candidates: Sequence[Mapping[str, Any]]) -> PossibleDuplicate:
        titles = ", ".join(one["title"] or one["id"] for one in candidates)
        return PossibleDuplicate(
            f"This {self.kind.singular} may be one that is there already: {titles}. Change that "
            "one, or repeat the request with the header `Allow-Duplicate: true` to store another.",
            extra={"candidates": list(candidates)},
        )


LEADS: Final = Likeness(keys.LEADS)
CONTACTS: Final = Likeness(keys.CONTACTS)
COMPANIES: Final = Likeness(keys.COMPANIES)
