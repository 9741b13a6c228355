"""GardenOS on the lab, in the middle of its main job, while the primary's node dies."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks._failover_faults import every
from benchmarks._failover_stage import Stage
from gardenos.cli.home import Home
from gardenos.lab import faults, watch
from gardenos.lab.faults import How
from gardenos.serve.environment import haproxy_folder, ray_folder
from tests.support.garden import Garden, free_ports
from tests.support.lab import BUSY_S
from tests.support.leads import real_leads_file
from tests.support.riding import Course, Rider
from tests.support.scoring import Run, make_leads_up
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
_UNAVAILABLE = (503, "urn:gardenos:problem:database-unavailable")
_RIDERS_LEADS = """
SELECT l.last_name, l.id AS lead, t.id AS task, t.state, count(s.id) AS scores
  FROM leads l
  LEFT JOIN agent_tasks t ON t.payload ->> 'lead_id' = l.id::text
  LEFT JOIN lead_scores s ON s.lead_id = l.id
 WHERE l.agency_id = $1
 GROUP BY l.id, t.id
"""
_UNFINISHED = "SELECT id FROM agent_tasks WHERE agency_id = $1 AND finished_at IS NULL"
_ENDED_AFTER = "SELECT id FROM agent_tasks WHERE agency_id = $1 AND finished_at > $2"


@pytest.fixture
def garden(stage: Stage) -> Generator[Garden]:
    """GardenOS, brought up on the lab as anybody does."""
    stage.make_well(failsafe=True, synchronous=True, brief=False)
    garden = Garden(Home(stage.layout.folder.parent), free_ports())
    try:
        garden.ok("up", "--database", "lab")
        yield garden
    finally:
        done = garden.run("down")
        for made in (ray_folder(garden.home.folder), haproxy_folder(garden.home.folder)):
            shutil.rmtree(made.parent, ignore_errors=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def leads(tmp_path: Path) -> Path:
    """The real leads; as many made up where they are not."""
    real = real_leads_file()
    if real.is_file():
        return real
    print(f"{real} is absent; leads are made up")
    make_leads_up(tmp_path / "leads.csv")
    return tmp_path / "leads.csv"


def kill_the_primary(stage: Stage) -> str:
    """Kill PostgreSQL and Patroni of the leader; who leads once that is another."""
    led = stage.leader()
    faults.break_part(stage.lab, led, How.KILL9)
    new = until(
        lambda: watch.leader(watch.members(stage.layout)),
        lambda now: now not in {None, led},
        within_s=90,
    )
    assert new is not None
    return new


def assert_failed_cleanly(course: Course) -> None:
    """Whatever was refused in the meantime was told to come again, and why."""
    assert {(answer.came, answer.said) for answer in course.refusals} <= {_UNAVAILABLE}
    target = every()["node"].target_s
    assert target is not None
    assert 0 < course.gap_s < target + BUSY_S


def assert_nothing_is_lost_or_doubled(garden: Garden, rider: Rider) -> None:
    until(lambda: garden.query(_UNFINISHED, rider.agency), lambda left: not left, within_s=60)
    stored = garden.query(_RIDERS_LEADS, rider.agency)
    assert {row["last_name"]: (row["lead"], row["task"]) for row in stored} == rider.made
    assert len(stored) == len(rider.made)
    assert {(row["state"], row["scores"]) for row in stored} == {("succeeded", 1)}


def test_a_dead_primary_in_the_middle_of_the_run_costs_seconds_and_nothing_else(
    stage: Stage, garden: Garden, leads: Path
) -> None:
    with Rider(garden) as rider, Run(garden, leads) as run:
        run.get_under_way()
        until(rider.wrote, lambda n: n > 0, within_s=30)
        killed = datetime.now(UTC)
        new = kill_the_primary(stage)
        led = datetime.now(UTC)
        run.end()
        ended = datetime.now(UTC)
        writes, reads = rider.stop()
    assert garden.query(_ENDED_AFTER, run.agency, killed), "the run was over before the kill"
    assert_failed_cleanly(writes)
    assert_failed_cleanly(reads)
    assert_nothing_is_lost_or_doubled(garden, rider)
    garden.ok("tasks", "verify")
    print(
        f"{new} led {(led - killed).total_seconds():.1f} s after the kill; longest without an "
        f"answered write {writes.gap_s:.1f} s, read {reads.gap_s:.1f} s; {len(writes.refusals)} "
        f"writes and {len(reads.refusals)} reads were answered 503 and repeated; "
        f"{len(rider.made)} leads created and {len(run.rows)} taken in, each there and scored once "
        f"{(ended - killed).total_seconds():.1f} s after the kill"
    )
