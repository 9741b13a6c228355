"""What processes counted is added up, and nothing is lost or doubled when they come and go."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from gardenos.observability import metrics, samples
from gardenos.observability.events import observe, subscribe
from gardenos.observability.metrics import DEFINITIONS
from gardenos.observability.samples import Rows
from gardenos.orchestrator.board import METRICS_PREFIX, TALLY, LocalBoard, encode
from gardenos.orchestrator.tally import Reporter, Tally
from tests.support.events import samples_of_every_event

RUNS = ("gardenos_task_runs_total", ("tally-test", "done"))
WAIT = ("gardenos_task_queue_wait_seconds", ("tally-test", "1"))
POOL = ("gardenos_pool_replicas", ("tally-test",))


def breaker(process: str) -> samples.Key:
    return ("gardenos_llm_breaker_state", (process, "openai", "m"))


def wait_row(seconds: float) -> tuple[float, ...]:
    bounds = (*DEFINITIONS[WAIT[0]].buckets, float("inf"))
    return (*(float(seconds <= bound) for bound in bounds), seconds)


class Processes:
    """Notes of processes on a board, each with a new stamp."""

    def __init__(self) -> None:
        self.board = LocalBoard()
        self._stamp = 0

    def say(self, process: str, runs: float, *, more: Rows | None = None) -> None:
        self._stamp += 1
        rows = {RUNS: (runs,), WAIT: wait_row(0.03), POOL: (9.0,), breaker(process): (2.0,)}
        note: dict[str, Any] = {"at": self._stamp, "rows": samples.pack(rows | (more or {}))}
        self.board.put(METRICS_PREFIX + process, encode(note))


async def test_totals_are_added_over_processes() -> None:
    processes = Processes()
    tally = Tally(processes.board)
    processes.say("a", 3)
    processes.say("b", 4)
    await tally.look(in_office=True)
    rows = tally.rows()
    assert rows[RUNS] == (7,)
    assert rows[WAIT] == tuple(2 * value for value in wait_row(0.03))
    assert rows[breaker("a")] == rows[breaker("b")] == (2,)
    assert POOL not in rows  # only who answers says how the pools stand


async def test_a_process_that_left_still_counts_and_its_gauges_do_not() -> None:
    processes = Processes()
    tally = Tally(processes.board, gone_s=0)
    processes.say("a", 3)
    await tally.look(in_office=False)
    processes.say("b", 4)
    await tally.look(in_office=True)
    assert tally.rows()[RUNS] == (7,)
    assert breaker("a") not in tally.rows()
    assert METRICS_PREFIX + "a" not in processes.board.notes
    assert TALLY in processes.board.notes
    processes.say("c", 5)
    await tally.look(in_office=True)
    assert tally.rows()[RUNS] == (12,)


async def test_one_that_stands_by_takes_nothing_down() -> None:
    processes = Processes()
    tally = Tally(processes.board, gone_s=0)
    processes.say("a", 3)
    for _ in range(3):
        await tally.look(in_office=False)
    assert processes.board.notes.keys() == {METRICS_PREFIX + "a"}
    assert tally.rows()[RUNS] == (3,)


async def test_a_successor_finds_everything_on_the_board() -> None:
    processes = Processes()
    first = Tally(processes.board, gone_s=0)
    processes.say("a", 3)
    await first.look(in_office=True)
    await first.look(in_office=True)
    processes.say("b", 4)
    successor = Tally(processes.board)
    await successor.look(in_office=True)
    assert successor.rows()[RUNS] == (7,)
    standing_by = Tally(processes.board)
    processes.say("c", 5)
    await standing_by.look(in_office=False)
    await first.look(in_office=True)
    await first.look(in_office=True)
    await standing_by.look(in_office=False)
    assert standing_by.rows()[RUNS] == (12,)


async def test_one_that_died_between_adding_and_taking_down_doubles_nothing() -> None:
    processes = Processes()
    tally = Tally(processes.board, gone_s=0)
    processes.say("a", 3)
    left = dict(processes.board.notes)
    await tally.look(in_office=True)
    await tally.look(in_office=True)
    assert METRICS_PREFIX + "a" not in processes.board.notes
    processes.board.notes |= left
    successor = Tally(processes.board)
    await successor.look(in_office=True)
    assert successor.rows()[RUNS] == (3,)
    assert METRICS_PREFIX + "a" not in processes.board.notes


async def test_a_board_that_lost_its_notes_takes_nothing_back() -> None:
    processes = Processes()
    tally = Tally(processes.board, gone_s=0)
    processes.say("a", 3)
    await tally.look(in_office=True)
    processes.say("b", 4)
    await tally.look(in_office=False)
    processes.board.notes.clear()
    await tally.look(in_office=True)
    assert tally.rows()[RUNS] == (7,)


async def test_rows_that_are_none_are_passed_over() -> None:
    processes = Processes()
    tally = Tally(processes.board)
    for process, rows in {
        "not-rows": "much",
        "of-another-version": [["gardenos_unheard_of_total", [], [1]]],
        "of-other-labels": [[RUNS[0], ["tally-test"], [1]]],
        "of-other-buckets": [[WAIT[0], list(WAIT[1]), [1, 2]]],
        "not-numbers": [[RUNS[0], list(RUNS[1]), ["many"]]],
    }.items():
        processes.board.put(METRICS_PREFIX + process, encode({"at": 1, "rows": rows}))
    processes.board.put(METRICS_PREFIX + "unreadable", b"{")
    processes.board.put(TALLY, encode({"added": "all", "rows": 1}))
    processes.say("a", 3)
    await tally.look(in_office=True)
    assert tally.rows()[RUNS] == (3,)


async def test_a_process_reports_what_it_counts_and_its_last_totals() -> None:
    board = NoticedBoard()
    reporter = Reporter(board, refresh=lambda: metrics.set_connections(idle=1, size=3, most=4))
    with_events = subscribe(metrics.count_event)
    reporter.start()
    try:
        await asyncio.wait_for(board.noted.wait(), 10)
        for event in samples_of_every_event():
            observe(event)
        await reporter.stop()
    finally:
        with_events()
    tally = Tally(board)
    own = metrics.process_name()
    metrics.name_process("another")  # whose note it reads is then another's
    await tally.look(in_office=True)
    rows = tally.rows()
    assert rows["gardenos_database_connections", (own, "busy")] == (2,)
    assert rows["gardenos_task_runs_total", ("lead_analysis", "done")][0] >= 2
    of_pools = {name for name in DEFINITIONS if name.startswith("gardenos_pool_")}
    assert {name for name, _ in rows} >= DEFINITIONS.keys() - of_pools


class NoticedBoard(LocalBoard):
    """A board that says when something was left on it."""

    def __init__(self) -> None:
        super().__init__()
        self.noted = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put(self, key: str, note: bytes) -> None:
        super().put(key, note)
        self._loop.call_soon_threadsafe(self.noted.set)


def test_what_is_exposed_is_what_was_counted() -> None:
    rows: Rows = {RUNS: (3.0,), WAIT: wait_row(0.03), POOL: (2.0,)}
    text = samples.exposition(rows).decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert {definition.name.removesuffix("_total") for definition in DEFINITIONS.values()} == (
        families.keys()
    )
    assert f'{RUNS[0]}{{agent_type="tally-test",outcome="done"}} 3.0' in text
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families[WAIT[0]].samples
        if sample.name.endswith("_bucket")
    }
    assert (buckets["0.025"], buckets["0.05"], buckets["+Inf"]) == (0, 1, 1)
    assert f'{WAIT[0]}_sum{{agent_type="tally-test",priority="1"}} 0.03' in text
    assert samples.unpack(samples.pack(rows)) == rows
