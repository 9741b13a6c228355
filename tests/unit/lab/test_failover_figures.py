"""What the failover benchmark concludes from what it saw."""

from __future__ import annotations

from benchmarks._failover_faults import every
from benchmarks._failover_load import Outcome, Reckoning, Write, longest_gap, reckon
from benchmarks._failover_run import Result
from benchmarks._failover_watch import Spans, overlap
from benchmarks.failover import todo, verdict


def write(seq: int, outcome: Outcome, writer: int = 1) -> Write:
    return Write(writer, seq, outcome, sent=0.0, ended=1.0)


def result(fault: str, **more: object) -> Result:
    good: dict[str, object] = {
        "fault": fault,
        "at": 0.0,
        "old_leader": "pg1",
        "new_leader": "pg2",
        "gap_s": 1.0,
        "slowest_s": 1.0,
        "ok": 100,
        "failed": 0,
        "indeterminate": 0,
        "lost": 0,
        "stale": 0,
        "denied": 0,
        "repoint_s": 0.5,
        "astray_s": 0.0,
        "two_primaries_s": 0.0,
        "rejoin_s": 5.0,
    }
    return Result.model_validate(good | more)


def test_what_was_acknowledged_and_is_gone_is_lost() -> None:
    through = [write(1, Outcome.OK), write(2, Outcome.OK), write(3, Outcome.INDETERMINATE)]
    assert reckon(through, [], {(1, 1)}) == Reckoning(2, 0, 1, lost=1, stale=0, denied=0)


def test_an_unclear_write_may_be_there_or_not() -> None:
    unclear = [write(1, Outcome.INDETERMINATE), write(2, Outcome.INDETERMINATE)]
    assert reckon(unclear, [], {(1, 1)}) == Reckoning(0, 0, 2, lost=0, stale=0, denied=0)


def test_what_the_old_primary_alone_acknowledged_is_stale() -> None:
    straight = [write(1, Outcome.OK, writer=90), write(2, Outcome.OK, writer=90)]
    assert reckon([], straight, {(90, 1)}).stale == 1


def test_a_failure_that_was_none_is_noticed() -> None:
    assert reckon([write(1, Outcome.FAILED)], [], {(1, 1)}).denied == 1


def test_the_longest_gap_begins_with_the_last_answer_before_the_fault() -> None:
    assert longest_gap([1.0, 9.0, 12.0], since=10.0, until=12.5) == 3.0
    assert longest_gap([9.0], since=10.0, until=14.0) == 5.0
    assert longest_gap([], since=10.0, until=14.0) == 4.0


def test_two_primaries_at_once_are_counted_in_seconds() -> None:
    assert overlap([[(0.0, 10.0)], [(10.0, 20.0)], []]) == 0.0
    assert overlap([[(0.0, 10.0)], [(8.0, 20.0)], []]) == 2.0
    assert overlap([[(0.0, 10.0)], [(2.0, 4.0)], [(3.0, 5.0)]]) == 3.0


def test_a_span_lasts_from_the_first_sighting_to_the_last() -> None:
    spans = Spans()
    for at, holds in enumerate([False, True, True, False, True, True]):
        spans.see(holds=holds, at=float(at))
    assert spans.all() == [(1.0, 2.0), (4.0, 5.0)]


def test_a_run_is_held_to_its_targets() -> None:
    crash = every()["postmaster"]
    assert verdict(crash, [result("postmaster")]) == ""
    assert verdict(crash, [result("postmaster", gap_s=8.1)]) == "gap > 8 s"
    assert verdict(crash, [result("postmaster"), result("postmaster", lost=1)]) == "lost"
    assert verdict(crash, [result("postmaster", two_primaries_s=0.2)]) == "two primaries"
    assert verdict(crash, [result("postmaster", repoint_s=None)]) == "slice late"
    assert verdict(every()["api-hang"], [result("api-hang", repoint_s=5.0)]) == ""
    assert verdict(crash, [result("postmaster", astray_s=0.1)]) == "slice astray"


def test_a_control_that_loses_nothing_means_a_broken_detector() -> None:
    control = every()["async-isolated"]
    assert verdict(control, [result("async-isolated", stale=40)]) == ""
    assert "detector" in verdict(control, [result("async-isolated")])


def test_only_what_is_missing_is_run_again_round_by_round() -> None:
    chosen = [every()["switchover"], every()["node"]]
    left = [fault.name for fault in todo(chosen, 2, [result("switchover")])]
    assert left == ["node", "switchover", "node"]
