"""Where an agent lives: runs the batches it is sent, keeps count, and lets it be known that it lives."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from gardenos.core.clock import Clock, SystemClock
from gardenos.orchestrator.board import AGENT_PREFIX, Board, encode
from gardenos.orchestrator.executor import BatchReport, Executor
from gardenos.orchestrator.task import AgentTask

BEAT_S = 1.0
_LEAVE_WITHIN_S = 10.0


class Worker:
    """One agent at work. Plain asyncio: `gardenos.serve.deployments` makes it a replica."""

    def __init__(
        self,
        worker_id: str,
        agent_type: str,
        executor: Executor,
        board: Board,
        *,
        about: Mapping[str, Any] | None = None,
        beat_s: float = BEAT_S,
        clock: Clock | None = None,
    ) -> None:
        self._id = worker_id
        self._agent_type = agent_type
        self._executor = executor
        self._board = board
        self._about = dict(about or {})
        """What its metrics say besides: provider and model."""
        self._beat_s = beat_s
        self._started_at = (clock or SystemClock()).now()
        self._outcomes: Counter[str] = Counter()
        self._lost = self._batches = self._failed_batches = self._working = 0
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

    async def run_batch(self, tasks: Sequence[AgentTask]) -> BatchReport:
        """Run the tasks and write down how each ended. Raises `DatabaseUnavailable`."""
        # In a task of its own: where the orchestrator dies meanwhile, this call is cancelled, and
        # what has been begun is better finished than done again.
        batch = asyncio.create_task(self._run(tasks))
        self._running.add(batch)
        batch.add_done_callback(self._ended)
        return await asyncio.shield(batch)

    def _ended(self, batch: asyncio.Task[BatchReport]) -> None:
        self._running.discard(batch)
        if not batch.cancelled():
            batch.exception()  # seen, also where nobody waits for the batch any more

    async def _run(self, tasks: Sequence[AgentTask]) -> BatchReport:
        self._working += len(tasks)
        try:
            report = await self._executor.run_batch(tasks)
        except BaseException:
            self._failed_batches += 1
            raise
        finally:
            self._working -= len(tasks)
        self._batches += 1
        self._outcomes.update(report.outcomes)
        self._lost += report.lost
        self._busy_s += report.duration_s
        return report

    def metrics(self) -> dict[str, Any]:
        """Who this is and how it fares."""
        return {
            "id": self._id,
            "agent_type": self._agent_type,
            **self._about,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(),
            "running": self._working,
            "finished": sum(self._outcomes.values()),
            "outcomes": dict(self._outcomes),
            "lost": self._lost,
            "batches": self._batches,
            "failed_batches": self._failed_batches,
            "mean_batch_s": round(self._busy_s / self._batches, 6) if self._batches else None,
        }

    async def _beat(self) -> None:
        while True:
            note = encode(self.metrics() | {"at": time.time()})
            # An unreachable board heals by itself; whoever misses our beats stops sending meanwhile.
            with suppress(Exception):
                await asyncio.to_thread(self._board.put, AGENT_PREFIX + self._id, note)
            await asyncio.sleep(self._beat_s)
