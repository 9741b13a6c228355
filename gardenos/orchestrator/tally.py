"""What all processes of a cluster counted together, those that are gone included.

Each process leaves a note of its own totals on the board. The orchestrator in office adds the notes
of those that are gone to one note, the tally, and takes them down. So whoever is orchestrator finds
everything on the board, and no total ever falls.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gardenos.observability import metrics, samples
from gardenos.observability.samples import Rows
from gardenos.orchestrator.board import METRICS_PREFIX, TALLY, Board, decode, encode

REPORT_S = 2.0
GONE_S = 600.0
"""A process silent for so long is gone. Stopped and continued within it, it loses no count."""
FRESH_S = 10.0
"""For so long a silent process's gauges are shown."""
_REMEMBERED = 1000
"""Processes added to the tally whose names are kept, so that none is ever added twice."""


class Reporter:
    """Leaves this process's samples on the board, every other second and at its end."""

    def __init__(
        self,
        board: Board,
        *,
        refresh: Callable[[], None] = lambda: None,
        every_s: float = REPORT_S,
    ) -> None:
        """`refresh` brings gauges up to date before each note."""
        self._board = board
        self._refresh = refresh
        self._every_s = every_s
        self._reports: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to report."""
        self._reports = asyncio.create_task(self._keep_reporting(), name="metrics-report")

    async def stop(self) -> None:
        """Leave the last totals."""
        if self._reports:
            self._reports.cancel()
            await asyncio.gather(self._reports, return_exceptions=True)
        with suppress(Exception):
            await self._report()

    async def _keep_reporting(self) -> None:
        while True:
            # A board out of reach costs nothing: the next note holds what this one would have.
            with suppress(Exception):
                await self._report()
            await asyncio.sleep(self._every_s)

    async def _report(self) -> None:
        self._refresh()
        note = {"at": time.time(), "rows": samples.pack(samples.collect())}
        await asyncio.to_thread(
            self._board.put, METRICS_PREFIX + metrics.process_name(), encode(note)
        )


class Tally:
    """The orchestrator's view of all notes; it answers from memory."""

    def __init__(self, board: Board, *, gone_s: float = GONE_S) -> None:
        self._board = board
        self._gone_s = gone_s
        self._notes: dict[str, Rows] = {}
        """By process, the last seen; kept where the board has lost them."""
        self._heard: dict[str, tuple[Any, float]] = {}
        """By process, the stamp of its last note and when that was first seen here."""
        self._gone: Rows = {}
        self._added: dict[str, None] = {}
        """The processes whose totals are in `_gone`, in the order they were added."""

    async def look(self, *, in_office: bool) -> None:
        """Read the notes; in office, add those of processes that are gone to the tally."""
        tally, notes = await asyncio.to_thread(self._read)
        self._take_over(tally)
        now = time.monotonic()
        for process, note in notes.items():
            self._hear(process, note, now)
        if not in_office:
            return
        own = metrics.process_name()
        heard = {name: at for name, (_, at) in self._heard.items() if name != own}
        if gone := [name for name, at in heard.items() if now - at > self._gone_s]:
            self._add(gone)
            await asyncio.to_thread(self._board.put, TALLY, self._tally_note())
        # Only now that the tally holds them: where we die in between, it names what to take down.
        for process in self._added.keys() & notes.keys():
            await asyncio.to_thread(self._board.drop, METRICS_PREFIX + process)

    def rows(self) -> Rows:
        """Everything counted, with this process's own figures as they are now."""
        now = time.monotonic()
        own = metrics.process_name()
        others = {name: rows for name, rows in self._notes.items() if name != own}
        fresh = [
            samples.said_of_itself(rows)
            for name, rows in others.items()
            if now - self._heard[name][1] <= FRESH_S
        ]
        counted = [samples.totals(rows) for rows in others.values()]
        return samples.add([self._gone, *counted, *fresh, samples.collect()])

    def _read(self) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]:
        tally = decode(self._board.read(TALLY).get(TALLY, b""))
        notes = self._board.read(METRICS_PREFIX)
        return tally, {key.removeprefix(METRICS_PREFIX): decode(n) for key, n in notes.items()}

    def _hear(self, process: str, note: Mapping[str, Any], now: float) -> None:
        before = self._heard.get(process)
        if process not in self._added and (before is None or before[0] != note.get("at")):
            self._heard[process] = (note.get("at"), now)
            self._notes[process] = samples.unpack(note.get("rows"))

    def _add(self, gone: Sequence[str]) -> None:
        counted = [samples.totals(self._notes.pop(name)) for name in gone]
        self._gone = samples.add([self._gone, *counted])
        self._added |= dict.fromkeys(gone)
        for process in list(self._added)[:-_REMEMBERED]:
            del self._added[process]
        for process in gone:
            del self._heard[process]

    def _take_over(self, tally: Mapping[str, Any]) -> None:
        """Know what another orchestrator has added since."""
        added = tally.get("added")
        if not isinstance(added, list) or not set(added) - self._added.keys():
            return
        self._added = dict.fromkeys(map(str, added))
        self._gone = samples.unpack(tally.get("rows"))
        for process in self._added.keys() & self._notes.keys():
            del self._notes[process]
            del self._heard[process]

    def _tally_note(self) -> bytes:
        return encode({"added": list(self._added), "rows": samples.pack(self._gone)})
