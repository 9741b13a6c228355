"""What was deleted long ago is removed for good, with all that belongs to it, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gardenos.orchestrator.queue import PostgresQueue

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.fields.conftest import Make

MONTH = timedelta(days=30)
LONG_AGO = "UPDATE deals SET deleted_at = now() - interval '31 days' WHERE id = $1"


async def test_records_deleted_long_ago_go_and_others_stay(
    api: httpx.AsyncClient, db: Database, admin: AdminConnection, make: Make
) -> None:
    tag, field = await make("tags", name="VIP"), {"entity": "deals", "key": "x", "label": "X"}
    await make("custom-fields", **field, kind="number")
    old = await make("deals", name="Old", custom={"x": 1})
    new = await make("deals", name="New", custom={"x": 2})
    kept = await make("deals", name="Kept", custom={"x": 3})
    for deal in (old, new):
        await api.put(f"/v1/deals/{deal['id']}/tags/{tag['id']}")
        await make("activities", kind="note", deal_id=deal["id"])
        await api.delete(f"/v1/deals/{deal['id']}")
    await admin.execute(LONG_AGO, old["id"])
    queue = PostgresQueue(db)
    await queue.prune(keep=MONTH, limit=10)
    assert await admin.fetchval("SELECT count(*) FROM deals") == 3
    await queue.prune(keep=MONTH, limit=10, keep_deleted=MONTH)
    rows = await admin.fetch("SELECT id::text FROM deals ORDER BY id")
    assert [row["id"] for row in rows] == [new["id"], kept["id"]]
    for table in ("taggings", "activities", "custom_values", "deal_stages"):
        count = await admin.fetchval(
            await admin.fetchval("SELECT format('SELECT count(*) FROM %I', $1::text)", table)
        )
        assert count == (1 if table in {"taggings", "activities"} else 2), table
    assert (await api.post(f"/v1/deals/{new['id']}/restore")).status_code == 200


async def test_a_pipeline_stays_as_long_as_a_deal_is_in_it(
    api: httpx.AsyncClient, db: Database, admin: AdminConnection, make: Make
) -> None:
    deal = await make("deals", name="Only")
    mark = "UPDATE pipelines SET deleted_at = now() - interval '31 days'"
    await api.delete(f"/v1/deals/{deal['id']}")
    await admin.execute(mark)
    queue = PostgresQueue(db)
    await queue.prune(keep=MONTH, limit=10, keep_deleted=MONTH)
    assert await admin.fetchval("SELECT count(*) FROM pipelines") == 1
    await admin.execute(LONG_AGO, deal["id"])
    await queue.prune(keep=MONTH, limit=10, keep_deleted=MONTH)
    assert await admin.fetchval("SELECT count(*) FROM pipelines") == 0


async def test_some_are_removed_at_a_time_the_oldest_first(
    db: Database, admin: AdminConnection, make: Make
) -> None:
    first, *others = [await make("deals", name=str(n)) for n in range(3)]
    for deal in others:
        await admin.execute(LONG_AGO, deal["id"])
    older = "UPDATE deals SET deleted_at = now() - interval '99 days' WHERE id = $1"
    await admin.execute(older, first["id"])
    await PostgresQueue(db).prune(keep=MONTH, limit=1, keep_deleted=MONTH)
    rows = await admin.fetch("SELECT id::text FROM deals ORDER BY id")
    assert [row["id"] for row in rows] == [deal["id"] for deal in others]


async def test_bulk_jobs_that_ended_long_ago_go_and_those_at_work_stay(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute(
        """
        WITH tasks AS (
          INSERT INTO agent_tasks (agency_id, agent_type) VALUES ($1, 'bulk_job') RETURNING id
        ), jobs AS (
          INSERT INTO bulk_jobs (agency_id, entity, created_by, role, total, created_at, finished_at,
                                 task_id)
          SELECT $1, v.entity, $2, 'owner', 1, now() - interval '40 days', v.finished_at,
                 CASE v.entity WHEN 'waiting' THEN t.id END
            FROM tasks t, (VALUES ('given_up', NULL), ('waiting', NULL),
                                  ('old', now() - interval '31 days'),
                                  ('new', now() - interval '29 days')) AS v (entity, finished_at)
          RETURNING id
        )
        INSERT INTO bulk_chunks (agency_id, job_id, number, results) SELECT $1, id, 0, '[]' FROM jobs
        """,
        owner.agency_id,
        owner.sub,
    )
    await PostgresQueue(db).prune(keep=MONTH, limit=10)
    left = await admin.fetch("SELECT entity FROM bulk_jobs ORDER BY entity")
    assert [row["entity"] for row in left] == ["new", "waiting"]
    assert await admin.fetchval("SELECT count(*) FROM bulk_chunks") == 2
