"""Searching, in the caller's session and under its claims."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from asyncpg import Record as Row

from gardenos.core.errors import InvalidRequest
from gardenos.crm.search.highlight import marked, marked_number, plain
from gardenos.crm.search.models import MAX_WORDS, Found, Hit, Kind, SearchQuery
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.search")
_LOOKED_AT: Final = 200
"""Records of a kind that are ranked at most: of a word that is everywhere, more tell nobody anything."""
_WORD: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"[-+0-9 ()/.]+")
_LEAST_DIGITS: Final = 5
_REFERENCES: Final = ("lead_id", "contact_id", "company_id", "deal_id")
_NOT_TEXT: Final = frozenset({*_REFERENCES, "kind", "occurred_at", "status", "custom"})


async def search(session: TenantSession, query: SearchQuery) -> Found:
    """The best of what has the words. Raises `InvalidRequest` for a query without a word."""
    kinds = _kinds(query.types)
    words = _WORD.findall(query.q)
    if not words:
        raise _refused("q", "holds no letter and no digit")
    if len(words) > MAX_WORDS:
        raise _refused("q", f"holds more than {MAX_WORDS} words")
    rows = await session.fetch(
        QUERIES["search"], query.q, kinds, _LOOKED_AT, 2 * query.limit, query.limit
    )
    if not rows:
        return Found(items=[], truncated=False, corrected=None)
    first = rows[0]
    return Found(
        items=[_hit(row, query.q) for row in rows],
        truncated=first["readable"] > len(rows)
        or first["total"] > 3 * query.limit
        or any(row["cut"] for row in rows),
        corrected=list(first["meant"]) if first["corrected"] else None,
    )


def _refused(name: str, detail: str) -> InvalidRequest:
    return InvalidRequest(errors=[{"pointer": name, "detail": detail}])


def _kinds(types: str | None) -> list[str]:
    if types is None:
        return [kind.value for kind in Kind]
    asked = [one.strip() for one in types.split(",")]
    for one in asked:
        if one not in set(Kind):
            raise _refused("types", f"{one[:40]!r} is none of {', '.join(Kind)}")
    return list(dict.fromkeys(asked))


def _hit(row: Row, q: str) -> Hit:
    record: Mapping[str, Any] = row["record"]
    return Hit(
        entity=row["entity"],
        id=row["id"],
        title=_title(record),
        score=round(row["rank"], 4),
        matches=dict(_matches(record, row["meant"], q)),
        **{name: record.get(name) for name in _REFERENCES},
    )


def _title(record: Mapping[str, Any]) -> str:
    name = " ".join(filter(None, (record.get("first_name"), record.get("last_name"))))
    others = ("name", "subject", "email", "company", "phone", "mobile", "external_id", "kind")
    return name or next((str(record[one]) for one in others if record.get(one)), "")


def _matches(record: Mapping[str, Any], meant: Sequence[str], q: str) -> Iterator[tuple[str, str]]:
    digits = re.sub(r"\D", "", q)
    if _NUMBER.fullmatch(q) and len(digits) >= _LEAST_DIGITS:
        for name in ("phone", "mobile"):
            found = marked_number(record.get(name) or "", digits.removeprefix("00"))
            if found is not None:
                yield name, found
        return
    words = [plain(word) for word in meant]
    for name, text in _texts(record):
        found = marked(text, words, words[-1])
        if found is not None:
            yield name, found


def _texts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if name not in _NOT_TEXT and isinstance(value, str):
            yield name, value
    for key, value in (record.get("custom") or {}).items():
        if isinstance(value, str):
            yield f"custom.{key}", value
