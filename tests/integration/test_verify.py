"""The checker holds on what the queue itself leaves behind, and names each planted violation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gardenos.db.session import Role
from gardenos.db.sql import Queries
from gardenos.orchestrator import verify
from gardenos.orchestrator.verify import CHECKS
from tests.support.local import eventually, local_installation, settings_for, signing_in

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

PLANTED = Queries("violations", Path(__file__).with_name("violations.sql").read_text("utf-8"))
"""A sound database's rows and, by the name of each check, what breaks it."""


@pytest.fixture
async def sound(admin: AdminConnection, owner: Claims) -> AdminConnection:
    """A database in which everything is as it should be."""
    await admin.execute(PLANTED["sound"], owner.agency_id)
    await admin.execute(PLANTED["ended"])
    return admin


def test_a_violation_is_planted_for_each_check() -> None:
    assert PLANTED.keys() - {"sound", "ended", "freed"} == CHECKS.keys()


async def test_a_sound_database_passes_with_and_without_its_constraints(
    sound: AdminConnection, db: Database
) -> None:
    for constraints in ("SELECT", PLANTED["freed"]):
        await sound.execute(constraints)
        report = await verify.run(db)
        assert report.holds, str(report)
        assert [finding.name for finding in report.findings] == list(CHECKS)
        assert all(finding.sentence.endswith(".") for finding in report.findings)
    assert str(report) == f"All {len(CHECKS)} invariants hold."


@pytest.mark.parametrize("name", CHECKS)
async def test_a_violation_is_named(sound: AdminConnection, db: Database, name: str) -> None:
    await sound.execute(PLANTED["freed"])
    await sound.execute(PLANTED[name])
    report = await verify.run(db)
    assert not report.holds
    found = {finding.name: finding for finding in report.broken}
    assert name in found, str(report)
    assert found[name].violations == len(found[name].examples)
    assert found[name].violations
    assert f"{name}: {found[name].violations} violations. {found[name].sentence}" in str(report)


async def test_all_violations_are_counted_and_five_are_shown(
    sound: AdminConnection, db: Database
) -> None:
    await sound.execute(PLANTED["freed"])
    await sound.execute(
        "UPDATE agent_tasks SET attempt = 2 WHERE state = 'queued';"
        "INSERT INTO agent_tasks (agency_id, agent_type, attempt)"
        " SELECT agency_id, agent_type, 2 FROM agent_tasks, generate_series(1, 7)"
        "  WHERE idempotency_key = 'queued'"
    )
    (broken,) = (await verify.run(db)).broken
    assert (broken.name, broken.violations, len(broken.examples)) == ("fences_count_runs", 8, 5)


async def test_how_long_a_lease_may_be_overdue_is_the_callers_to_say(
    sound: AdminConnection, db: Database
) -> None:
    await sound.execute(PLANTED["leases_are_tended"])
    assert (await verify.run(db, lease_s=40)).holds
    (broken,) = (await verify.run(db, lease_s=40, overdue_leases=2)).broken
    assert broken.name == "leases_are_tended"
    assert "longer ago than 80 s" in broken.sentence


async def test_the_effects_of_a_lead_removed_for_good_are_not_missed(
    sound: AdminConnection, db: Database, owner: Claims
) -> None:
    lead = await sound.fetchval(
        "INSERT INTO leads (agency_id, first_name) VALUES ($1, 'Ada') RETURNING id", owner.agency_id
    )
    await sound.execute(
        "UPDATE agent_tasks SET payload = jsonb_build_object('lead_id', $1::uuid)"
        " WHERE idempotency_key = 'ended'",
        lead,
    )
    await sound.execute("UPDATE lead_scores SET lead_id = $1", lead)
    await sound.execute("DELETE FROM lead_scores")
    assert [b.name for b in (await verify.run(db)).broken] == ["successes_have_a_score"]
    await sound.execute("DELETE FROM leads WHERE id = $1", lead)
    assert (await verify.run(db)).holds


async def test_the_orchestrators_role_sees_ids_of_leads_and_effects_and_nothing_else(
    sound: AdminConnection,
) -> None:
    readable = await sound.fetch(
        "SELECT attrelid::regclass::text AS table, array_agg(attname::text ORDER BY attname) AS columns"
        "  FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
        "   AND attrelid::regclass::text IN ('leads', 'lead_scores', 'follow_ups')"
        "   AND has_column_privilege('gardenos_worker', attrelid, attname, 'SELECT')"
        " GROUP BY attrelid"
    )
    assert {row["table"]: row["columns"] for row in readable} == {
        "leads": ["agency_id", "deleted_at", "id", "updated_at"],
        "lead_scores": ["agency_id", "id", "task_id"],
        "follow_ups": ["agency_id", "id", "task_id"],
    }


async def test_callers_add_checks_of_their_own(sound: AdminConnection, db: Database) -> None:
    await sound.execute("CREATE TABLE marks (task_id uuid); GRANT SELECT ON marks TO PUBLIC")
    own = Queries(
        "own",
        "-- name: marks_stand_once\n-- No task left two marks.\n"
        "SELECT task_id::text AS example, count(*) OVER () AS total FROM marks\n"
        " GROUP BY task_id HAVING count(*) > 1 LIMIT 5\n",
    )
    assert (await verify.run(db, extra=own)).holds
    await sound.execute("INSERT INTO marks SELECT id FROM agent_tasks, generate_series(1, 2)")
    (broken,) = (await verify.run(db, extra=own)).broken
    assert broken.name == "marks_stand_once"
    assert broken.sentence == "No task left two marks."
    assert broken.violations == 3


async def test_real_work_leaves_nothing_to_find(
    server: PostgresServer, database_name: str, db: Database, owner: Claims
) -> None:
    async with (
        local_installation(settings_for(server.app(database_name))) as app,
        signing_in(app) as sign_in,
    ):
        client = sign_in(owner)
        lead = {"first_name": "Ada", "email": "ada@example.org", "company": "Engines"}
        created = (await client.post("/v1/leads", json=lead)).json()
        for path, body in (
            ("/ai/leads/analyze", {"lead": lead}),
            ("/ai/leads/analyze", {"lead_id": created["id"]}),
            ("/ai/follow-ups", {"lead_id": created["id"]}),
        ):
            answer = await eventually(
                lambda path=path, body=body: client.post(path, json=body),
                lambda answer: answer.status_code != 503,
            )
            assert answer.status_code == 200, answer.text
    report = await verify.run(db)
    assert report.holds, str(report)
    async with db.system(Role.WORKER) as session:
        count = await session.fetchval("SELECT count(*) FROM agent_tasks WHERE state = 'succeeded'")
    assert count == 3
