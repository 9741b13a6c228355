"""Where an agent lives: runs the batches it is sent, keeps count, and lets it be known that it lives."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from gardenos.core.clock import Clock, SystemClock
from gardenos.orchestrator.board import AGENT_PREFIX, Board, encode
from gardenos.orchestrator.executor import BatchReport, Executor, Tell
from gardenos.orchestrator.task import AgentTask

BEAT_S = 1.0
REPORT_S = 2.0
"""A batch of which nothing ended for so long is reported all the same: that it is being worked on."""
_LEAVE_WITHIN_S = 10.0
_CURRENT_TOLD = 20


class Worker:
    """One agent at work. Plain asyncio: `gardenos.serve.deployments` makes it a replica."""

    def __init__(
        self,
        worker_id: str,
        agent_type: str,
        executor: Executor,
        board: Board,
        *,
        about: Callable[[], Mapping[str, Any]] | None = None,
        beat_s: float = BEAT_S,
        report_s: float = REPORT_S,
        clock: Clock | None = None,
    ) -> None:
        """`about` gives what its metrics say besides: provider, model and how the model's endpoint is."""
        self._id = worker_id
        self._agent_type = agent_type
        self._executor = executor
        self._board = board
        self._about = about or dict[str, Any]
        self._beat_s = beat_s
        self._report_s = report_s
        self._clock = clock or SystemClock()
        self._started_at = self._clock.now()
        self._batches = self._failed_batches = self._working = 0
        self._busy_s = 0.0
        self._running: set[asyncio.Task[BatchReport]] = set()
        self._beats: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._beats = asyncio.create_task(self._beat(), name=f"beats-{self._id}")

    @property
    def lives(self) -> bool:
        """Whether it beats. A database that is away is no reason not to."""
        return self._beats is not None and not self._beats.done()

    async def stop(self) -> None:
        """Leave in order: be taken off the board, then end what runs."""
        if self._beats:
            self._beats.cancel()
            await asyncio.gather(self._beats, return_exceptions=True)
        with suppress(Exception):
            await asyncio.to_thread(self._board.drop, AGENT_PREFIX + self._id)
        if self._running:
            await asyncio.wait(self._running, timeout=_LEAVE_WITHIN_S)

    async def run_batch(self, tasks: Sequence[AgentTask]) -> AsyncGenerator[BatchReport]:
        """Run the tasks; a report for each group of them as soon as its ends are written.

        In between empty ones, so that whoever hears none knows this agent for stopped or dead.
        Raises `DatabaseUnavailable`.
        """
        reports: asyncio.Queue[BatchReport | None] = asyncio.Queue()
        # In a task of its own: where the orchestrator dies meanwhile, this call is cancelled, and
        # what has been begun is better finished than done again.
        batch = asyncio.create_task(self._run(tasks, reports.put_nowait))
        self._running.add(batch)
        batch.add_done_callback(self._ended)
        batch.add_done_callback(lambda _: reports.put_nowait(None))
        while True:
            report: BatchReport | None = BatchReport()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._report_s):
                    report = await reports.get()
            if report is None:
                break
            yield report
        batch.result()

    def _ended(self, batch: asyncio.Task[BatchReport]) -> None:
        self._running.discard(batch)
        if not batch.cancelled():
            batch.exception()  # seen, also where nobody waits for the batch any more

    async def _run(self, tasks: Sequence[AgentTask], tell: Tell) -> BatchReport:
        left = {task.id for task in tasks}

        def told(report: BatchReport) -> None:
            self._working -= len(left.intersection(report.ended))
            left.difference_update(report.ended)
            tell(report)

        self._working += len(left)
        try:
            report = await self._executor.run_batch(tasks, tell=told)
        except BaseException:
            self._failed_batches += 1
            raise
        finally:
            self._working -= len(left)
        self._batches += 1
        self._busy_s += report.duration_s
        return report

    def metrics(self) -> dict[str, Any]:
        """Who this is and how it fares."""
        return {
            "id": self._id,
            "agent_type": self._agent_type,
            **self._about(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(),
            "running": self._working,
            **self._executor.ledger.figures(),
            "batches": self._batches,
            "failed_batches": self._failed_batches,
            "mean_batch_s": round(self._busy_s / self._batches, 6) if self._batches else None,
            "current": self._current(),
        }

    def _current(self) -> list[dict[str, str]]:
        """What it works on now, the longest-running first."""
        now = self._clock.now()
        return [
            {
                "task_id": str(run.task.id),
                "agency_id": str(run.task.agency_id),
                "since": (now - timedelta(seconds=run.age_s)).isoformat(timespec="milliseconds"),
            }
            for run in self._executor.runs()[:_CURRENT_TOLD]
        ]

    async def _beat(self) -> None:
        while True:
            note = encode(self.metrics() | {"at": time.time()})
            # An unreachable board heals by itself; whoever misses our beats stops sending meanwhile.
            with suppress(Exception):
                await asyncio.to_thread(self._board.put, AGENT_PREFIX + self._id, note)
            await asyncio.sleep(self._beat_s)
