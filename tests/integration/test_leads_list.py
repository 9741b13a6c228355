from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from gardenos.crm.leads.entity import LEADS
from gardenos.crm.records import service
from gardenos.crm.records.query import Sort, parse

if TYPE_CHECKING:
    import httpx
    from asyncpg import Record

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

SORTS = [
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "quality_score",
    "-quality_score",
]


async def fill(admin: AdminConnection, claims: Claims, leads: int) -> None:
    """Leads with scores that repeat, some without, changed at moments that repeat too."""
    await admin.execute(
        "INSERT INTO leads (agency_id, external_id, email, source, status, quality_score,"
        " conversion_probability, scored_at, updated_at, created_at)"
        " SELECT $1, 'x' || n, 'P' || n || '@Example.com', 'web',"
        "        (ARRAY['new', 'contacted', 'qualified'])[1 + n % 3], s,"
        "        CASE WHEN s IS NOT NULL THEN 0.5 END, CASE WHEN s IS NOT NULL THEN now() END,"
        "        $3::timestamptz + n % 7 * interval '1 hour',"
        "        $3::timestamptz + n * interval '1 minute'"
        "   FROM generate_series(1, $2::integer) n,"
        "        LATERAL (SELECT CASE WHEN n % 4 <> 0 THEN n * 37 % 11 END AS s) AS scores",
        claims.agency_id,
        leads,
        datetime(2026, 1, 1, tzinfo=UTC),
    )


async def pages(api: httpx.AsyncClient, **params: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list, by following the Link headers."""
    found: list[list[dict[str, Any]]] = []
    answer = await api.get("/v1/leads", params=params)
    while True:
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        link = answer.headers.get("link")
        assert (link is None) == (answer.json()["next_cursor"] is None)
        if link is None:
            return found
        target, rel = link.split("; ")
        assert rel == 'rel="next"'
        answer = await api.get(target.strip("<>"))


def rank(lead: dict[str, Any], sort: str) -> tuple[Any, str]:
    name = sort.lstrip("-")
    return (-1 if lead[name] is None else lead[name], lead["id"])


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 7, 200])
async def test_pages_partition_the_list_in_order(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, sort: str, limit: int
) -> None:
    await fill(admin, owner, 45)
    found = await pages(api, sort=sort, limit=limit)
    assert all(len(page) == limit for page in found[:-1])
    items = [lead for page in found for lead in page]
    assert len({lead["id"] for lead in items}) == len(items) == 45
    keys = [rank(lead, sort) for lead in items]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "-quality_score"])
async def test_pages_show_every_old_lead_once_while_new_ones_come(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, sort: str
) -> None:
    await fill(admin, owner, 60)
    old = {row["id"] for row in await admin.fetch("SELECT id::text FROM leads")}
    reading = asyncio.Event()

    async def insert() -> int:
        made = 0
        await reading.wait()
        while not done.is_set():
            assert (await api.post("/v1/leads", json={})).status_code == 201
            made += 1
        return made

    done = asyncio.Event()
    seen: list[str] = []
    params: dict[str, Any] = {"sort": sort, "limit": 4}
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(insert())
        # Ascending, new leads keep coming at the end: enough once every old one was shown.
        while not old <= set(seen):
            page = (await api.get("/v1/leads", params=params)).json()
            seen += [lead["id"] for lead in page["items"]]
            params["cursor"] = page["next_cursor"]
            reading.set()
        done.set()
    assert writer.result() > 0
    assert len(seen) == len(set(seen))


async def test_filters_narrow_the_list(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, outsider: httpx.AsyncClient
) -> None:
    await fill(admin, owner, 40)
    await outsider.post("/v1/leads", json={"email": "p7@example.com"})
    await api.post(
        "/v1/leads", json={"first_name": "Zoë", "last_name": "100% O'Neil_", "company": "Ünal"}
    )

    async def total(**params: Any) -> int:
        page = (await api.get("/v1/leads", params={"total": "true", "limit": 1, **params})).json()
        return page["total"]

    assert await total() == 41
    assert await total(status="contacted") == 14
    assert await total(source="web") == 40
    assert await total(source="we") == 0
    assert await total(email="p7@EXAMPLE.com") == 1
    assert await total(q="zoë 100% o'neil_") == 1
    assert await total(q="ünal") == 1
    assert await total(q="%") == 1
    assert await total(q="X13") == 1
    assert await total(**{"quality_score.gte": 5}) == await admin.fetchval(
        "SELECT count(*) FROM leads WHERE quality_score >= 5"
    )
    assert await total(**{"quality_score.gte": 3, "quality_score.lte": 3}) == await admin.fetchval(
        "SELECT count(*) FROM leads WHERE quality_score = 3"
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    window = {
        "created_at.gte": (start + timedelta(minutes=10)).isoformat(),
        "created_at.lt": (start + timedelta(minutes=20)).isoformat(),
    }
    assert await total(**window) == 10
    assert await total(**window, status="new") == 3
    assert (await api.get("/v1/leads")).json()["total"] is None


async def test_deleted_leads_are_listed_only_when_asked_for(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    await fill(admin, owner, 20)
    await admin.execute("UPDATE leads SET deleted_at = now() WHERE external_id LIKE 'x1%'")
    for asked, expected in [("false", 9), ("true", 20)]:
        params = {"include_deleted": asked, "limit": 3, "total": "true", "status": "new"}
        every = await pages(api, include_deleted=asked, limit=3)
        assert sum(map(len, every)) == expected
        new = await pages(api, **params)
        answer = (await api.get("/v1/leads", params=params)).json()
        assert answer["total"] == sum(map(len, new)) < expected


async def test_the_next_page_keeps_every_parameter(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    await fill(admin, owner, 9)
    asked = {
        "q": "p&q=ä +%25",
        "limit": "2",
        "sort": "-updated_at",
        "total": "true",
        "created_at.gte": "2025-12-31T22:00:00-02:00",
    }
    await admin.execute("UPDATE leads SET first_name = 'P&Q=Ä +%25'")
    first = await api.get("/v1/leads", params=asked)
    second = await api.get(first.headers["link"].split(">")[0].lstrip("<"))
    sent = dict(second.request.url.params)
    assert sent == asked | {"cursor": first.json()["next_cursor"]}
    assert second.json()["total"] == first.json()["total"] == 9
    ids = {lead["id"] for page in (first, second) for lead in page.json()["items"]}
    assert len(ids) == 4


EXPECTED_INDEX: dict[str, str] = {
    "sort=-created_at": "leads_created_idx",
    "sort=created_at": "leads_created_idx",
    "sort=-created_at&status=contacted": "leads_status_idx",
    "sort=-created_at&email=p77@example.com": "leads_email_idx",
    "sort=-updated_at": "leads_updated_idx",
    "sort=updated_at": "leads_updated_idx",
    "sort=-quality_score": "leads_score_idx",
    "sort=quality_score": "leads_score_idx",
}


def literal(value: Any) -> str:
    if isinstance(value, list):
        return f"'{{{','.join(map(str, value))}}}'"
    return str(value) if isinstance(value, (int, bool)) else f"'{value}'"


@pytest.fixture
async def middle(admin: AdminConnection, owner: Claims, stranger: Claims) -> Record:
    """A row in the middle of many, among those of two agencies."""
    await fill(admin, owner, 6000)
    await fill(admin, stranger, 3000)
    await admin.execute("VACUUM ANALYZE leads")
    row = await admin.fetchrow("SELECT * FROM leads WHERE external_id = 'x3001' LIMIT 1")
    assert row is not None
    return row


async def test_the_common_lists_use_their_index_also_when_repeated(
    db: Database, owner: Claims, middle: Record
) -> None:
    for asked, index in EXPECTED_INDEX.items():
        query = parse(LEADS, parse_qsl(asked))
        [sort] = query.sort
        assert isinstance(sort, Sort)
        key = [middle[sort.field.sort_column or sort.field.name], middle["id"]]
        for after in (None, key):
            statement, arguments = service.listing(LEADS, query, after)
            call = f"EXECUTE listing ({', '.join(literal(value) for value in arguments)})"
            async with db.session(owner) as session:
                await session.execute(f"PREPARE listing AS {statement}")
                for _ in range(8):  # PostgreSQL may keep one plan for all after five runs
                    await session.execute(call)
                rows = await session.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {call}")
                await session.execute("DEALLOCATE listing")
            plan = "\n".join([asked, *(row[0] for row in rows)])
            assert index in plan, plan
            assert "Seq Scan on leads" not in plan, plan
            assert "Rows Removed" not in plan.partition("InitPlan")[0], plan
