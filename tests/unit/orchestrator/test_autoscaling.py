"""Serve's autoscaling policy, with a board in this process and Serve's own context."""

from __future__ import annotations

import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.orchestrator.board import POOLS, LocalBoard, encode
from gardenos.orchestrator.scaling import PoolFigures
from gardenos.serve.autoscaling import BacklogPolicy, FiguresReader
from tests.support.waiting import until

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext

SOON_S = 10.0


class LivingBoard(LocalBoard):
    """A board whose note of the pools has a new stamp whenever it is read, as one kept up has."""

    def __init__(self, pools: Any) -> None:
        super().__init__()
        self.pools = pools
        self.alive = True
        self.reads = 0

    def read(self, prefix: str) -> dict[str, bytes]:
        self.reads += 1
        at = time.monotonic() if self.alive else 0.0
        return {POOLS: encode({"at": at, "pools": self.pools})}


class UnreachableBoard(LocalBoard):
    def read(self, prefix: str) -> dict[str, bytes]:
        raise ConnectionError("no board")


def context(replicas: int, *, lowest: int = 1, highest: int = 10) -> AutoscalingContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, while it is imported
        from ray.serve._private.common import DeploymentID
        from ray.serve.config import AutoscalingContext
    return AutoscalingContext(
        deployment_id=DeploymentID("Agents", "test"),
        deployment_name="Agents",
        app_name="test",
        current_num_replicas=replicas,
        target_num_replicas=replicas,
        running_replicas=[],
        total_num_requests=0,
        total_queued_requests=0,
        aggregated_metrics=None,
        raw_metrics=None,
        capacity_adjusted_min_replicas=lowest,
        capacity_adjusted_max_replicas=highest,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=None,
        config=None,
    )


class HungBoard(LivingBoard):
    """A board whose answers come until it is cut off, and from then on never."""

    def __init__(self, pools: Any) -> None:
        super().__init__(pools)
        self.cut_off = threading.Event()
        self.hangs = threading.Event()
        self.let_go = threading.Event()

    def read(self, prefix: str) -> dict[str, bytes]:
        if self.cut_off.is_set():
            self.hangs.set()
            self.let_go.wait()
        return super().read(prefix)


def policy(board: LocalBoard, **patience: float) -> BacklogPolicy:
    waits = {"up_after_s": 0.0, "down_after_s": 0.0} | patience
    return BacklogPolicy("lead_analysis", 10, board=board, refresh_s=0.01, **waits)


def figures(backlog: int, **more: Any) -> dict[str, Any]:
    return {"lead_analysis": {"backlog": backlog, "in_flight": 0, **more}}


def test_the_policy_asks_for_replicas_for_the_backlog() -> None:
    decide = policy(LivingBoard(figures(35)))
    n, state = until(lambda: decide(context(1)), lambda said: said[0] != 1, within_s=SOON_S)
    assert (n, state) == (4, {})


def test_an_operators_size_is_asked_for_without_patience() -> None:
    decide = policy(LivingBoard(figures(0, override=3)), up_after_s=3600)
    until(lambda: decide(context(1))[0], lambda n: n == 3, within_s=SOON_S)


def test_growing_is_not_asked_for_before_the_wish_lasted() -> None:
    board = LivingBoard(figures(35))
    reader = FiguresReader(board, refresh_s=0.01)
    decide = policy(board, up_after_s=3600)
    until(lambda: reader.figures("lead_analysis"), lambda seen: seen is not None, within_s=SOON_S)
    reads = board.reads
    until(lambda: board.reads, lambda n: n > reads + 10, within_s=SOON_S)
    assert decide(context(1)) == (1, {})


@pytest.mark.parametrize(
    "board",
    [
        LocalBoard(),
        UnreachableBoard(),
        LivingBoard(None),
        LivingBoard({"lead_analysis": "much"}),
        LivingBoard({"lead_analysis": {"backlog": "much"}}),
        LivingBoard({"follow_up": {"backlog": 99, "in_flight": 0}}),
    ],
    ids=["empty", "unreachable", "no pools", "no figures", "not numbers", "another type"],
)
def test_without_figures_the_policy_keeps_what_there_is(board: LocalBoard) -> None:
    decide = policy(board)
    reader = FiguresReader(board, refresh_s=0.01)
    assert reader.looked.wait(SOON_S)
    assert reader.figures("lead_analysis") is None
    assert decide(context(4)) == (4, {})


def test_a_dead_orchestrators_figures_are_believed_for_a_while_and_then_all_stays_as_it_is() -> (
    None
):
    board = LivingBoard(figures(35))
    decide = policy(board, stale_s=1.0)
    until(lambda: decide(context(1))[0], lambda n: n == 4, within_s=SOON_S)
    board.alive = False
    until(lambda: decide(context(1))[0], lambda n: n == 1, within_s=SOON_S)
    assert decide(context(9)) == (9, {})


def test_a_board_that_hangs_never_keeps_serves_controller_waiting() -> None:
    board = HungBoard(figures(35))
    decide = policy(board, stale_s=1.0)
    until(lambda: decide(context(1))[0], lambda n: n == 4, within_s=SOON_S)
    board.cut_off.set()
    assert board.hangs.wait(SOON_S)
    try:
        began = time.monotonic()
        for _ in range(100):
            decide(context(1))
        assert time.monotonic() - began < 1
        until(lambda: decide(context(2))[0], lambda n: n == 2, within_s=SOON_S)
    finally:
        board.let_go.set()


def test_a_board_that_hangs_from_the_beginning_changes_nothing() -> None:
    board = HungBoard(figures(35))
    board.cut_off.set()
    decide = policy(board)
    try:
        assert board.hangs.wait(SOON_S)
        assert decide(context(3)) == (3, {})
    finally:
        board.let_go.set()


def test_a_restarted_controllers_policy_starts_from_what_runs_and_learns_again() -> None:
    board = LivingBoard(figures(0, override=3))
    first = policy(board, up_after_s=3600)
    until(lambda: first(context(1))[0], lambda n: n == 3, within_s=SOON_S)
    second = policy(board, up_after_s=3600)
    assert second(context(5))[0] in (3, 5)  # before and after its first look
    until(lambda: second(context(5))[0], lambda n: n == 3, within_s=SOON_S)


def test_a_note_of_unknown_age_counts_once_it_is_renewed() -> None:
    board = LivingBoard(figures(35))
    board.alive = False
    reader = FiguresReader(board, refresh_s=0.01)
    until(lambda: board.reads, lambda n: n > 5, within_s=SOON_S)
    assert reader.figures("lead_analysis") is None
    board.alive = True
    seen = until(
        lambda: reader.figures("lead_analysis"), lambda found: found is not None, within_s=SOON_S
    )
    assert seen == PoolFigures(35, 0)


def test_a_reader_that_nobody_needs_reads_no_more() -> None:
    before = set(threading.enumerate())
    reader = FiguresReader(LocalBoard(), refresh_s=0.01)
    (reading,) = [
        thread
        for thread in threading.enumerate()
        if thread not in before and thread.name == "gardenos-figures"
    ]
    assert reading.is_alive()
    del reader
    reading.join(SOON_S)
    assert not reading.is_alive()
