from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.errors import DatabaseUnavailable
from gardenos.orchestrator.board import AGENT_PREFIX, LocalBoard, decode
from gardenos.orchestrator.executor import BatchReport, Executor
from gardenos.orchestrator.task import AgentTask
from gardenos.orchestrator.worker import Worker

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from tests.unit.orchestrator.conftest import Patient, Tasks

KEY = f"{AGENT_PREFIX}patient-1"
SOON_S = 5.0


class NoticedBoard(LocalBoard):
    """A board that says when a note was put up; it can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.unreachable = False
        self._loop = asyncio.get_running_loop()

    def put(self, key: str, note: bytes) -> None:
        # Beats come from threads, as the protocol lets them.
        self._loop.call_soon_threadsafe(self.puts.put_nowait, decode(note))
        if self.unreachable:
            raise ConnectionError("no board")
        super().put(key, note)

    def drop(self, key: str) -> None:
        if self.unreachable:
            raise ConnectionError("no board")
        super().drop(key)


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def at_work(db: Database, agent: Patient, board: LocalBoard) -> AsyncGenerator[Worker]:
    worker = Worker(
        "patient-1",
        "patient",
        Executor(db, agent),
        board,
        about=lambda: {"provider": "rules", "model": "rules-1"},
        beat_s=0.01,
        clock=FixedClock(),
    )
    worker.start()
    try:
        yield worker
    finally:
        agent.may_end.set()
        await worker.stop()


async def noticed(
    board: NoticedBoard, holds: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any]:
    """The first note from now on of which it holds."""
    async with asyncio.timeout(SOON_S):
        while not holds(note := await board.puts.get()):
            pass
    return note


async def reports(worker: Worker, leased: Sequence[AgentTask]) -> list[BatchReport]:
    """All that a batch tells until it has ended."""
    return [report async for report in worker.run_batch(leased)]


async def test_a_worker_beats_with_its_metrics(db: Database, patient: Patient) -> None:
    board = NoticedBoard()
    async with at_work(db, patient, board) as worker:
        first = await noticed(board, lambda _: True)
        again = await noticed(board, lambda note: note["at"] > first["at"])
        assert worker.lives
        assert again["id"] == "patient-1"
        assert again["agent_type"] == "patient"
        assert (again["provider"], again["model"]) == ("rules", "rules-1")
        assert again["started_at"] == "2026-01-01T00:00:00+00:00"
        assert (again["running"], again["finished"], again["batches"]) == (0, 0, 0)
        assert again["mean_batch_s"] is None


async def test_a_batch_is_counted_while_it_runs_and_when_it_ended(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    async with at_work(db, patient, LocalBoard()) as worker:
        leased = await tasks.leased({}, {}, {"fails": True})
        batch = asyncio.create_task(reports(worker, leased))
        await patient.working.wait()
        assert worker.metrics()["running"] == 3
        patient.may_end.set()
        (report,) = await batch
        seen = worker.metrics()
    assert report.outcomes == {"done": 2, "fail": 1}
    assert set(report.ended) == {task.id for task in leased}
    assert seen["outcomes"] == {"done": 2, "fail": 1}
    assert (seen["running"], seen["finished"], seen["batches"]) == (0, 3, 1)
    assert (seen["errors"], seen["lost"], seen["current"]) == (1, 0, [])
    assert 0 < seen["latency_s"]["p50"] <= seen["latency_s"]["p99"]
    assert 0 < seen["throughput_per_s"] <= 3
    assert (seen["tokens"], seen["cost_usd"]) == ({"input": 0, "output": 0}, "0")
    assert seen["mean_batch_s"] > 0
    assert sorted(await tasks.states()) == ["dead", "succeeded", "succeeded"]


async def test_a_result_that_came_too_late_is_counted_as_lost(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    patient.may_end.set()
    (leased,) = await tasks.leased({})
    async with at_work(db, patient, LocalBoard()) as worker:
        await reports(worker, [leased])
        (report,) = await reports(worker, [leased])
        assert (report.outcomes, report.lost, report.ended) == ({}, 1, (leased.id,))
        assert (worker.metrics()["finished"], worker.metrics()["lost"]) == (1, 1)


async def test_a_batch_is_finished_although_its_caller_is_gone(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    async with at_work(db, patient, LocalBoard()) as worker:
        call = asyncio.create_task(reports(worker, await tasks.leased({})))
        await patient.working.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert worker.metrics()["running"] == 1
    assert worker.metrics()["finished"] == 1
    assert await tasks.states() == ["succeeded"]


async def test_a_worker_that_leaves_takes_its_note_down_and_ends_what_runs(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    board = NoticedBoard()
    async with at_work(db, patient, board) as worker:
        await noticed(board, lambda _: KEY in board.notes)
        batch = asyncio.create_task(reports(worker, await tasks.leased({})))
        await patient.working.wait()
        leaving = asyncio.create_task(worker.stop())
        patient.may_end.set()
        await leaving
        assert [report.outcomes for report in await batch] == [{"done": 1}]
        assert not worker.lives
        assert KEY not in board.notes
    assert await tasks.states() == ["succeeded"]


async def test_a_board_out_of_reach_neither_stops_the_beats_nor_the_leaving(
    db: Database, patient: Patient
) -> None:
    board = NoticedBoard()
    board.unreachable = True
    async with at_work(db, patient, board) as worker:
        first = await noticed(board, lambda _: True)
        await noticed(board, lambda note: note["at"] > first["at"])
        assert worker.lives
        assert board.notes == {}
        board.unreachable = False
        await noticed(board, lambda _: KEY in board.notes)
        board.unreachable = True
    assert not worker.lives


async def test_a_batch_that_could_not_be_written_down_counts_as_failed(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    leased = await tasks.leased({})
    patient.may_end.set()
    async with at_work(db, patient, LocalBoard()) as worker:
        await db.pool.close()
        with pytest.raises(DatabaseUnavailable):
            await reports(worker, leased)
        seen = worker.metrics()
    assert (seen["failed_batches"], seen["batches"], seen["running"]) == (1, 0, 0)


async def test_ends_are_told_as_they_are_written_and_the_rest_is_what_it_works_on(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    quick, slow = await tasks.leased({"quick": True}, {})
    async with at_work(db, patient, LocalBoard()) as worker:
        stream = worker.run_batch([quick, slow])
        first = await anext(stream)
        assert first.ended == (quick.id,)
        seen = worker.metrics()
        assert seen["running"] == 1
        (current,) = seen["current"]
        assert current["task_id"] == str(slow.id)
        assert current["agency_id"] == str(slow.agency_id)
        assert current["since"].startswith("2025-12-31T23:59:")
        patient.may_end.set()
        assert [report.ended for report in [r async for r in stream]] == [(slow.id,)]


async def test_a_reader_that_leaves_in_the_middle_takes_nothing_along(
    db: Database, patient: Patient, tasks: Tasks
) -> None:
    async with at_work(db, patient, LocalBoard()) as worker:
        stream = worker.run_batch(await tasks.leased({"quick": True}, {}))
        await anext(stream)
        await stream.aclose()
        assert worker.metrics()["running"] == 1
    assert await tasks.states() == ["succeeded"] * 2
