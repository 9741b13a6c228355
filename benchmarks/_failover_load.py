"""Writers whose every intent and acknowledgement is on disk before it counts, and the final reckoning."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg

from gardenos.db.sql import Queries
from gardenos.lab.layout import node_at

SQL = Queries("benchmarks", Path(__file__).with_name("_failover.sql").read_text("utf-8"))
_CONNECT_S, _STATEMENT_S = 5.0, 30.0
_RETRY_S = 0.05
# InternalClientError: the server's farewell to an idle connection was read, its end was not yet.
GONE = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises where a connection is lost or cannot be made; a timeout is an OSError."""
_ENDED_BY_SERVER = "57P"
"""SQLSTATE of a server that ends connections: the commit may be done and only its answer missing."""


class Outcome(StrEnum):
    """What the client knows of a write."""

    OK = "ok"
    """Acknowledged."""
    FAILED = "failed"
    """Certainly not done: never sent, or refused by the server."""
    INDETERMINATE = "indeterminate"
    """Sent, and the answer never came."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write and how it went; times are monotonic seconds."""

    writer: int
    seq: int
    outcome: Outcome
    sent: float
    ended: float
    timeline: int | None = None
    server: str | None = None


class Journal:
    """Lines that are on disk when `note` returns; those that wait together share one fsync."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def note(self, kind: str, **what: Any) -> None:
        """Write it down."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        line = json.dumps({"kind": kind, "at": time.time(), **what}).encode() + b"\n"
        self._waiting.append((line, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = loop.create_task(self._flush())
        await asyncio.shield(done)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await loop.run_in_executor(self._thread, self._keep, b"".join(b[0] for b in batch))
            for _line, done in batch:
                if not done.done():
                    done.set_result(None)

    def _keep(self, lines: bytes) -> None:
        self._file.write(lines)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Nothing more comes."""
        self._thread.shutdown()
        self._file.close()


@dataclass
class Writer:
    """Writes one row after another at a fixed rate, reconnecting as often as need be."""

    number: int
    url: str = field(repr=False)
    journal: Journal
    per_second: float
    done: list[Write] = field(default_factory=list[Write])
    _seq: int = 0
    _conn: asyncpg.Connection[asyncpg.Record] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; a write under way is given its time."""
        period = 1 / self.per_second
        due = time.monotonic() + period * self.number / 10
        while not stop.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            # What was missed while nobody answered is not made up for: the rate stays what it is.
            due = max(due + period, time.monotonic())
            await self._write()
        if self._conn is not None:
            self._conn.terminate()

    async def _write(self) -> None:
        self._seq += 1
        name = {"writer": self.number, "seq": self._seq}
        await self.journal.note("intent", **name)
        sent = time.monotonic()
        outcome, row = await self._attempt()
        ended = time.monotonic()
        timeline, server = (row["timeline"], node_at(row["server"])) if row else (None, None)
        await self.journal.note(outcome, **name, timeline=timeline, server=server)
        self.done.append(
            Write(self.number, self._seq, outcome, sent, ended, timeline=timeline, server=server)
        )
        if outcome is not Outcome.OK:
            self._drop()
            await asyncio.sleep(_RETRY_S)

    async def _attempt(self) -> tuple[Outcome, asyncpg.Record | None]:
        try:
            conn = self._conn or await asyncpg.connect(self.url, timeout=_CONNECT_S)
        except (*GONE, asyncpg.PostgresError):
            return Outcome.FAILED, None
        self._conn = conn
        try:
            row = await conn.fetchrow(
                SQL["write_row"], self.number, self._seq, timeout=_STATEMENT_S
            )
        except asyncpg.PostgresError as error:
            sqlstate = str(getattr(error, "sqlstate", None) or "")
            definite = sqlstate and not sqlstate.startswith((_ENDED_BY_SERVER, "08"))
            return (Outcome.FAILED if definite else Outcome.INDETERMINATE), None
        except GONE:
            return Outcome.INDETERMINATE, None
        return Outcome.OK, row

    def _drop(self) -> None:
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What became of the writes, seen from the leader in the end."""

    ok: int
    failed: int
    indeterminate: int
    lost: int
    """Acknowledged through HAProxy and not there."""
    stale: int
    """Acknowledged to whoever talked straight to the old primary, and not there."""
    denied: int
    """Reported as failed and there: the client would have done it twice."""


def reckon(
    writes: Iterable[Write], straight: Iterable[Write], kept: set[tuple[int, int]]
) -> Reckoning:
    """Hold what writers were told against what is kept."""
    through, direct = list(writes), list(straight)
    everything = through + direct

    def count(outcome: Outcome) -> int:
        return sum(one.outcome is outcome for one in through)

    def missing(them: list[Write]) -> int:
        acknowledged = {(o.writer, o.seq) for o in them if o.outcome is Outcome.OK}
        return len(acknowledged - kept)

    denied = {(o.writer, o.seq) for o in everything if o.outcome is Outcome.FAILED} & kept
    return Reckoning(
        count(Outcome.OK),
        count(Outcome.FAILED),
        count(Outcome.INDETERMINATE),
        missing(through),
        missing(direct),
        len(denied),
    )


def longest_gap(times: Iterable[float], *, since: float, until: float) -> float:
    """The longest time without an acknowledgement between two moments; seconds."""
    seen = sorted(times)
    before = [at for at in seen if at <= since]
    marks = [before[-1] if before else since, *(at for at in seen if since < at < until), until]
    return max(later - earlier for earlier, later in itertools.pairwise(marks))
