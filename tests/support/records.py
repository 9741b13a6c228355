"""A few records of every noun, and what is known of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gardenos.crm.activities.entity import ACTIVITIES
from gardenos.crm.companies.entity import COMPANIES
from gardenos.crm.contacts.entity import CONTACTS
from gardenos.crm.deals.entity import DEALS
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.pipelines.entity import PIPELINES
from gardenos.crm.tasks.entity import TASKS

if TYPE_CHECKING:
    import httpx

    from gardenos.crm.records import Entity

ENTITIES: Mapping[str, Entity] = {
    entity.noun: entity
    for entity in (LEADS, CONTACTS, COMPANIES, PIPELINES, DEALS, TASKS, ACTIVITIES)
}
CHANGING = [noun for noun, entity in ENTITIES.items() if entity.changes is not None]
_WORDS = ("amber", "birch", "cedar", "dahlia", "elm")
_number = itertools.count(1)


async def make(api: httpx.AsyncClient, noun: str, **fields: Any) -> dict[str, Any]:
    """A record with what its noun demands, and these fields."""
    sent = dict(fields)
    number = next(_number)
    match noun:
        case "companies" | "deals":
            sent.setdefault("name", f"Name {number}")
        case "pipelines":
            sent.setdefault("name", f"Pipeline {number}")
        case "contacts":
            sent.setdefault("last_name", f"Name {number}")
        case "tasks":
            sent.setdefault("title", f"Call {number}")
        case "activities":
            sent.setdefault("kind", "note")
            if not {"lead_id", "contact_id", "company_id", "deal_id"} & sent.keys():
                sent["lead_id"] = (await make(api, "leads"))["id"]
        case _:
            pass
    answer = await api.post(f"/v1/{noun}", json=sent, headers={"Allow-Duplicate": "true"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def varied(noun: str, n: int) -> dict[str, Any]:
    """Fields of a record whose values repeat, lack here and there, and differ in capitals."""
    word = _WORDS[n % 5]
    text = None if n % 4 == 0 else word.title() if n % 3 == 0 else word
    if noun == "pipelines":
        return {}
    if noun == "activities":
        return {
            "kind": ("call", "note")[n % 2],
            "subject": text,
            "details": {"n": n},
            "duration_s": None if n % 4 == 0 else n % 5 * 60,
            "direction": ("in", "out", None)[n % 3],
            "occurred_at": f"2026-11-{n % 5 + 10}T09:00:00Z",
        }
    custom = {"colour": word, "size": n % 4} if n % 3 else {"colour": n}
    known = _work(noun, n, word) if noun in ("deals", "tasks") else _people(noun, n, word, text)
    return known | {"custom": custom}


def _people(noun: str, n: int, word: str, text: str | None) -> dict[str, Any]:
    match noun:
        case "leads":
            return {
                "email": text and f"{text}@example.com",
                "city": text,
                "company": text,
                "source": word,
                "status": ("new", "lost")[n % 2],
            }
        case "contacts":
            return {
                "last_name": word,
                "first_name": text,
                "email": text and f"{text}@example.com",
                "do_not_contact": n % 2 == 0,
            }
        case _:
            return {
                "name": f"{text or word} {n % 3}",
                "domain": text and f"{text}.example",
                "employees": None if n % 4 == 1 else n % 5 * 10,
            }


def _work(noun: str, n: int, word: str) -> dict[str, Any]:
    match noun:
        case "deals":
            money = {"amount": f"{n % 5 * 10}.50", "currency": ("EUR", "USD")[n % 2]}
            return (money if n % 4 else {}) | {
                "name": f"{word} {n % 3}",
                "expected_close": None if n % 3 == 0 else f"2026-12-{n % 5 + 10}",
            }
        case _:
            return {
                "title": f"{word} {n % 3}",
                "priority": ("low", "high")[n % 2],
                "status": ("open", "done", "cancelled")[n % 3],
                "due_at": None if n % 4 == 0 else f"2026-12-{n % 5 + 10}T09:00:00Z",
            }


async def fill(api: httpx.AsyncClient, noun: str, count: int) -> list[dict[str, Any]]:
    """Records with varied values."""
    lead: dict[str, Any] = {}
    if noun == "activities":
        lead = {"lead_id": (await make(api, "leads"))["id"]}
    return [await make(api, noun, **varied(noun, n), **lead) for n in range(count)]
