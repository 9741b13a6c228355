"""The dashboard: exact counts of what the caller may read, kept while records come, change and go."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.db.session import Role
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.testing.postgres import make_member
from tests.support.records import make

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn

MASK = (
    "INSERT INTO field_masks (agency_id, role, entity, field, access)"
    " VALUES ($1, 'agent', $2, $3, 'hidden')"
)
REACH = (
    "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
    " VALUES ($1, 'agent', $2, 'read', $3)"
)
COUNTED = """
WITH kept AS (
  SELECT agency_id, entity, owner_id, status, sum(n) AS n
    FROM (SELECT * FROM app.record_counts UNION ALL SELECT * FROM app.record_count_changes) c
   GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
), there AS (
  SELECT agency_id, entity, coalesce(owner_id, created_by) AS owner_id, status, count(*) AS n
    FROM (SELECT agency_id, 'leads' AS entity, owner_id, created_by, status, deleted_at FROM leads
          UNION ALL
          SELECT agency_id, 'contacts', owner_id, created_by, '', deleted_at FROM contacts
          UNION ALL
          SELECT agency_id, 'companies', owner_id, created_by, '', deleted_at FROM companies) r
   WHERE deleted_at IS NULL
   GROUP BY 1, 2, 3, 4
)
SELECT ARRAY(SELECT concat_ws(' ', k.*) FROM kept k ORDER BY 1) AS kept,
       ARRAY(SELECT concat_ws(' ', t.*) FROM there t ORDER BY 1) AS there
"""


async def dashboard(api: httpx.AsyncClient, **params: int) -> dict[str, Any]:
    answer = await api.get("/v1/dashboard", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def change(api: httpx.AsyncClient, noun: str, record: dict[str, Any], **to: Any) -> None:
    path = f"/v1/{noun}/{record['id']}"
    answer = await api.patch(path, json=to, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text


async def require_exact(admin: AdminConnection) -> None:
    """What is kept is what counting gives."""
    row = await admin.fetchrow(COUNTED)
    assert row is not None
    assert row["kept"] == row["there"] != []


async def test_an_empty_agency_has_a_zero_for_everything(api: httpx.AsyncClient) -> None:
    found = await dashboard(api)
    assert found["leads"]["total"] == 0
    assert set(found["leads"]["by_status"].values()) == {0}
    assert found["deals"]["won"] == {"count": 0, "sums": []}
    assert found["tasks"] == {"open": 0, "overdue": 0, "due_soon": 0, "mine": 0}
    assert set(found["activities"].values()) == {0}
    assert found["days"] == 30


async def test_counts_follow_what_becomes_of_leads(
    api: httpx.AsyncClient, admin: AdminConnection, db: Database
) -> None:
    leads = [await make(api, "leads") for _ in range(4)]
    await change(api, "leads", leads[0], status="qualified")
    await change(api, "leads", leads[1], status="lost")
    gone = await api.delete(f"/v1/leads/{leads[1]['id']}", headers={"If-Match": "*"})
    assert gone.status_code == 204
    folded: list[int] = []
    for _ in range(3):
        found = (await dashboard(api))["leads"]
        assert (found["total"], found["new"]) == (3, 3)
        assert {k: n for k, n in found["by_status"].items() if n} == {"new": 2, "qualified": 1}
        await require_exact(admin)
        # The same once the changes are folded into the counts.
        async with db.system(Role.WORKER) as session:
            folded.append(await session.fetchval("SELECT app.fold_counts()"))
    # Four that came, two whose status changed, one that went.
    assert folded == [4 + 2 * 2 + 1, 0, 0]
    assert (await api.post(f"/v1/leads/{leads[1]['id']}/restore")).status_code == 200
    assert (await dashboard(api))["leads"]["by_status"]["lost"] == 1
    await require_exact(admin)


async def test_counts_stay_exact_through_bulk_owners_and_purge(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, db: Database
) -> None:
    mate = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    operations = [{"op": "create", "record": {"last_name": f"Lovelace {n}"}} for n in range(40)]
    made = await api.post("/v1/leads/bulk", json={"operations": operations})
    assert made.status_code == 207, made.text
    ids = [one["id"] for one in made.json()["results"]]
    changes = [
        {"op": "update", "id": one, "changes": {"owner_id": str(mate.sub), "status": "contacted"}}
        for one in ids[:10]
    ] + [{"op": "delete", "id": one} for one in ids[5:15]]
    assert (await api.post("/v1/leads/bulk", json={"operations": changes})).status_code == 207
    for noun in ("contacts", "companies"):
        record = await make(api, noun)
        await change(api, noun, record, owner_id=str(mate.sub))
    await require_exact(admin)
    await PostgresQueue(db).prune(keep=timedelta(days=1), limit=100, keep_deleted=timedelta(0))
    assert await admin.fetchval("SELECT count(*) FROM leads") == 30
    assert await admin.fetchval("SELECT count(*) FROM app.record_count_changes") == 0
    await require_exact(admin)
    found = await dashboard(api)
    assert found["leads"]["total"] == 30
    assert found["leads"]["by_status"]["contacted"] == 5
    assert (found["contacts"], found["companies"]) == (1, 1)


async def test_deals_are_counted_and_summed_by_currency(api: httpx.AsyncClient) -> None:
    for amount in ("100.50", "200"):
        await make(api, "deals", amount=amount, currency="EUR")
    await make(api, "deals", amount="7", currency="USD", expected_close="2020-01-01")
    won = await make(api, "deals", amount="40", currency="EUR")
    assert (await api.post(f"/v1/deals/{won['id']}/win", json={})).status_code == 200
    found = await dashboard(api)
    sums = {one["currency"]: one["amount"] for one in found["deals"]["open"]["sums"]}
    assert sums == {"EUR": "300.5", "USD": "7"}
    assert found["deals"]["open"]["count"] == 3
    assert found["deals"]["won"]["count"] == 1
    assert found["deals"]["won"]["sums"][0]["weighted"] == "40"
    assert found["deals_overdue"] == 1


@pytest.mark.parametrize("scope", ["own", "team", "none"])
async def test_each_sees_the_counts_of_what_each_may_read(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, sign_in: SignIn, scope: str
) -> None:
    mate = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    agent = sign_in(mate)
    for noun in ("leads", "contacts", "companies", "activities", "deals", "tasks"):
        await admin.execute(REACH, owner.agency_id, noun, scope)
    for noun in ("leads", "contacts", "companies"):
        await make(api, noun)
        await make(api, noun, owner_id=str(mate.sub))
    lead = (await api.get("/v1/leads", params={"owner_id": str(owner.sub)})).json()["items"]
    assert lead == []
    seen = await dashboard(agent)
    expected = 0 if scope == "none" else 1
    assert (seen["leads"]["total"], seen["contacts"], seen["companies"]) == (expected,) * 3
    for noun in ("leads", "contacts", "companies", "activities", "tasks"):
        listed = (await agent.get(f"/v1/{noun}", params={"limit": 200})).json()["items"]
        counted = {
            "leads": seen["leads"]["total"],
            "activities": sum(seen["activities"].values()),
            "tasks": seen["tasks"]["open"],
        }
        assert counted.get(noun, seen.get(noun)) == len(listed), noun
    assert (await dashboard(api))["leads"]["total"] == 2


async def test_what_a_role_does_not_see_it_is_not_told_in_numbers(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, sign_in: SignIn
) -> None:
    await make(api, "deals", amount="5", currency="EUR")
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    assert (await dashboard(agent))["deals"]["open"]["sums"] is not None
    for entity, field in (
        ("leads", "status"),
        ("deals", "amount"),
        ("tasks", "due_at"),
        ("activities", "kind"),
    ):
        await admin.execute(MASK, owner.agency_id, entity, field)
    found = await dashboard(agent)
    assert found["leads"]["by_status"] is None
    assert found["deals"]["open"] == {"count": 1, "sums": None}
    assert found["tasks"] is None
    assert found["activities"] is None
    await admin.execute(
        "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
        " VALUES ($1, 'agent', 'pipelines', 'read', 'none')",
        owner.agency_id,
    )
    await admin.execute("DELETE FROM field_masks WHERE entity = 'deals'")
    assert (await dashboard(agent))["deals"]["open"]["sums"][0]["weighted"] is None


async def test_another_agency_counts_nothing_of_ours(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    for noun in ("contacts", "companies", "deals", "activities", "tasks"):
        await make(api, noun)
    theirs = await dashboard(outsider)
    assert theirs["leads"]["total"] == theirs["contacts"] == theirs["companies"] == 0
    assert theirs["deals"]["open"]["count"] == theirs["tasks"]["open"] == 0
    assert set(theirs["activities"].values()) == {0}


@pytest.mark.parametrize("days", ["0", "367", "x", ""])
async def test_a_period_that_is_none_is_refused(api: httpx.AsyncClient, days: str) -> None:
    answer = await api.get("/v1/dashboard", params={"days": days})
    assert answer.status_code == 400, answer.text
