"""The short form of `benchmarks/failover.py`: three faults, and that the detector detects."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks._failover_faults import every
from benchmarks._failover_run import Result
from benchmarks._failover_stage import Stage
from gardenos.lab import watch
from gardenos.lab.bring_up import environment
from tests.support.lab import BUSY_S

Run = Callable[[str], Result]


def assert_nothing_is_lost(result: Result) -> None:
    assert (result.lost, result.stale, result.denied) == (0, 0, 0), result
    assert result.two_primaries_s == 0, result
    assert result.astray_s == 0, result
    assert result.ok > 0


def assert_another_leads(stage: Stage, result: Result) -> None:
    assert result.new_leader != result.old_leader
    assert result.repoint_s is not None
    assert stage.slice_points_to() == watch.leader(watch.members(stage.layout))
    target = every()[result.fault].target_s
    assert target is not None
    assert result.gap_s < target + BUSY_S


def test_a_lab_leads_gardenos_to_its_leader(stage: Stage) -> None:
    told = environment(stage.layout.folder)
    assert "gardenos_app:" in told["GARDENOS_DATABASE_URL"]
    for url in told.values():
        assert all(str(stage.layout.write(proxy)) in url for proxy in (1, 2))


def test_a_switchover_loses_nothing(stage: Stage, run: Run) -> None:
    result = run("switchover")
    assert_nothing_is_lost(result)
    assert_another_leads(stage, result)


def test_a_crashed_postgres_is_replaced_and_loses_nothing(stage: Stage, run: Run) -> None:
    result = run("postmaster")
    assert_nothing_is_lost(result)
    assert_another_leads(stage, result)


def test_an_isolated_primary_is_replaced_and_acknowledges_nothing_more(
    stage: Stage, run: Run
) -> None:
    result = run("isolated")
    assert_nothing_is_lost(result)
    assert_another_leads(stage, result)


def test_without_quorum_commit_the_same_isolation_is_seen_to_lose_rows(run: Run) -> None:
    result = run("async-isolated")
    assert result.lost + result.stale > 0, result


def test_a_single_lost_row_is_seen(run: Run) -> None:
    assert run("planted-loss").lost == 1
