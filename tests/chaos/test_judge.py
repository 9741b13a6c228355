"""The judge finds what was planted: a lost task, a doubled effect, an open one, a broken invariant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from gardenos.core.claims import Claims
from gardenos.db.session import Database
from gardenos.testing.postgres import AdminConnection
from tests.chaos.judge import Verdict, judge
from tests.chaos.ledger import Accepted, Ledger, read

_DONE = """
INSERT INTO agent_tasks (agency_id, agent_type, payload, state, fence, started_at, finished_at, result)
SELECT $1, 'lead_analysis', '{}', 'succeeded', 1, now(), now(), '{}' FROM generate_series(1, $2)
RETURNING id
"""
_SCORE = """
INSERT INTO lead_scores (agency_id, task_id, quality_score, conversion_probability, provider, model)
VALUES ($1, $2, 50, 0.5, 'rules', 'rules-1')
"""


class World:
    """Tasks that were accepted and are done, each with its score."""

    def __init__(self, db: Database, admin: AdminConnection, agency: UUID, file: Path) -> None:
        self.db = db
        self.admin = admin
        self.agency = agency
        self.file = file
        self.ids: Sequence[UUID] = ()

    async def fill(self, tasks: int) -> None:
        rows = await self.admin.fetch(_DONE, self.agency, tasks)
        self.ids = [row["id"] for row in rows]
        ledger = Ledger(self.file)
        for place, task_id in enumerate(self.ids):
            await self.admin.execute(_SCORE, self.agency, task_id)
            ledger.accept(Accepted(task_id, self.agency, "lead_analysis", f"key/{place}"))
        ledger.close()

    async def judge(self) -> Verdict:
        return await judge(self.db, self.admin, read(self.file), lease_s=3.0)


@pytest.fixture
async def world(db: Database, admin: AdminConnection, owner: Claims, tmp_path: Path) -> World:
    made = World(db, admin, owner.agency_id, tmp_path / "ledger.jsonl")
    await made.fill(5)
    return made


async def test_kept_promises_hold(world: World) -> None:
    verdict = await world.judge()
    assert verdict.complaints == []
    assert verdict.holds
    assert (verdict.accepted, verdict.states) == (5, {"succeeded": 5})


async def test_a_lost_task_is_found(world: World) -> None:
    await world.admin.execute("DELETE FROM agent_tasks WHERE id = $1", world.ids[2])
    verdict = await world.judge()
    assert not verdict.holds
    assert verdict.lost == [f"{world.ids[2]} was accepted and is not there"]


async def test_a_task_of_another_agency_is_not_the_one_accepted(
    world: World, stranger: Claims
) -> None:
    await world.admin.execute(
        "UPDATE agent_tasks SET agency_id = $2 WHERE id = $1", world.ids[0], stranger.agency_id
    )
    assert (await world.judge()).lost == [f"{world.ids[0]} was accepted and is not there"]


async def test_an_effect_that_is_missing_is_lost(world: World) -> None:
    await world.admin.execute("DELETE FROM lead_scores WHERE task_id = $1", world.ids[1])
    assert (await world.judge()).lost == [f"{world.ids[1]} succeeded without an effect"]


async def test_a_doubled_effect_is_found(world: World) -> None:
    await world.admin.execute(
        "ALTER TABLE lead_scores DROP CONSTRAINT IF EXISTS lead_scores_task_id_key"
    )
    await world.admin.execute(_SCORE, world.agency, world.ids[3])
    verdict = await world.judge()
    assert verdict.doubled == [f"{world.ids[3]} has its effect 2 times"]
    assert not verdict.holds


async def test_a_key_that_made_two_tasks_is_found(world: World) -> None:
    ledger = Ledger(world.file)
    ledger.accept(Accepted(uuid4(), world.agency, "lead_analysis", "key/1"))
    ledger.close()
    assert (await world.judge()).doubled == ["the key key/1 gave 2 tasks"]


async def test_a_task_that_is_still_open_is_found(world: World) -> None:
    await world.admin.execute(
        "UPDATE agent_tasks SET state = 'queued', finished_at = NULL, result = NULL WHERE id = $1",
        world.ids[4],
    )
    assert (await world.judge()).unfinished == [f"{world.ids[4]} is still queued"]


async def test_what_breaks_the_queues_own_invariants_is_found(world: World) -> None:
    # A score of a task nobody accepted, and that has not succeeded.
    task = await world.admin.fetchval(
        "INSERT INTO agent_tasks (agency_id, agent_type, payload) VALUES ($1, 'lead_analysis', '{}') "
        "RETURNING id",
        world.agency,
    )
    await world.admin.execute(_SCORE, world.agency, task)
    verdict = await world.judge()
    assert len(verdict.broken) == 1
    assert str(task) in verdict.broken[0]
    assert not verdict.holds
