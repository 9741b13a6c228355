"""One reader of the feed for all who follow it in this process, however many and however slow."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from cachetools import LRUCache

from gardenos.core.claims import Claims
from gardenos.core.errors import GardenOSError, RateLimited, Unavailable
from gardenos.core.ids import AgencyId
from gardenos.core.page import CursorSigner
from gardenos.crm.feed.changes import QUERIES, Change, Position, Readers, seal
from gardenos.db.session import Database, Role
from gardenos.observability.events import CycleSaid, observe
from gardenos.orchestrator.listener import Listener

CHANNEL: Final = "gardenos_changes"
POLL_S = 1.0
"""How long a lost notification, or a transaction that was open, can delay a change."""
RING = 1024
"""So many of an agency's latest changes are in memory, for all its followers together."""
BATCH = 1000
MOST_REPLAYED = 10_000
MOST_FOLLOWERS, MOST_OF_AGENCY = 20_000, 10_000
PRUNE_EVERY_S = 600.0
_PRUNED_AT_ONCE = 10_000
_COME_BACK_S = 5.0


class Missed(Exception):
    """What happened since cannot be told any more: read everything anew."""

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position = position
        """From where the feed can be followed on."""


class _Ring:
    """An agency's latest changes. Its followers hold a number each and nothing else."""

    def __init__(self) -> None:
        self.start: Position | None = None
        """Every change after it is here; None until the reader has come by."""
        self.begun = asyncio.Event()
        self.first = 0
        self.changes: list[Change] = []
        self.changed = asyncio.Event()
        self.followers = 0

    @property
    def end(self) -> int:
        return self.first + len(self.changes)

    def add(self, change: Change) -> None:
        self.changes.append(change)
        if len(self.changes) >= 2 * RING:
            self.start = self.changes[-RING - 1].position
            del self.changes[:-RING]
            self.first += RING

    def begin(self, start: Position) -> None:
        if self.start is None:
            self.start = start
            self.begun.set()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def since(self, position: Position) -> int:
        """The number of the first change after `position`, which is not before the start."""
        for at in range(len(self.changes) - 1, -1, -1):
            if self.changes[at].position <= position:
                return self.first + at + 1
        return self.first


async def _set_before(event: asyncio.Event, ends_at: float) -> bool:
    """Wait for an event; whether it came in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(ends_at):
            await event.wait()
    return event.is_set() and asyncio.get_running_loop().time() < ends_at


async def _from_ring(ring: _Ring, since: Position, ends_at: float) -> AsyncGenerator[list[Change]]:
    """What is in memory after `since`, and what comes, until the time is over or the reader behind."""
    if ring.start is None or since < ring.start:
        return
    at = ring.since(since)
    while at >= ring.first and asyncio.get_running_loop().time() < ends_at:
        if at == ring.end:
            await _set_before(ring.changed, ends_at)
            continue
        group = ring.changes[at - ring.first : at - ring.first + BATCH]
        at += len(group)
        # Another gateway may have told more than this one knew when its follower came.
        group = [change for change in group if change.position > since]
        if group:
            since = group[-1].position
            yield group


class Hub:
    """Follows the outbox on behalf of everybody in this process."""

    def __init__(
        self,
        database: Database,
        dsn: str,
        *,
        keep: timedelta = timedelta(days=3),
        poll_s: float = POLL_S,
    ) -> None:
        self._database = database
        self._keep = keep
        self._poll_s = poll_s
        self._rings: dict[AgencyId, _Ring] = {}
        self._of_agency: defaultdict[AgencyId, int] = defaultdict(int)
        self._position: Position | None = None
        self._hint = asyncio.Event()
        self._listener = Listener(dsn, CHANNEL, self._hear)
        self._others: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._said = ""
        self._sealed: LRUCache[tuple[AgencyId, Position], str] = LRUCache(RING)
        self.readers = Readers(database)

    def start(self) -> None:
        """Begin listening and reading."""
        self._listener.start()
        self._tasks = [
            asyncio.create_task(self._read_on(), name="feed"),
            asyncio.create_task(self._prune_on(), name="feed-pruner"),
        ]

    async def stop(self) -> None:
        """Read no more; whoever follows is let go."""
        await self._listener.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell(self, hint: Callable[[], None]) -> None:
        """Call `hint` as well when there are changes."""
        self._others.append(hint)

    def _hear(self, _payload: str) -> None:
        self._hint.set()
        for hint in self._others:
            hint()

    @property
    def followers(self) -> int:
        """How many follow."""
        return sum(self._of_agency.values())

    @contextmanager
    def place(self, agency_id: AgencyId) -> Generator[None]:
        """Have a place while the block runs. Raises `RateLimited`, `Unavailable` where none is left."""
        if self._of_agency[agency_id] >= MOST_OF_AGENCY:
            raise RateLimited(
                f"Your agency follows its events {MOST_OF_AGENCY:,} times here already. Close a stream.",
                retry_after_s=_COME_BACK_S,
            )
        if self.followers >= MOST_FOLLOWERS:
            raise Unavailable(
                f"This gateway has {MOST_FOLLOWERS:,} streams open already. Come back shortly.",
                retry_after_s=_COME_BACK_S,
            )
        self._of_agency[agency_id] += 1
        try:
            yield
        finally:
            self._of_agency[agency_id] -= 1
            if not self._of_agency[agency_id]:
                del self._of_agency[agency_id]

    def sealed(self, cursors: CursorSigner, agency_id: AgencyId, position: Position) -> str:
        """A position as clients hold it: sealed once for all who are told of it."""
        known = self._sealed.get((agency_id, position))
        if known is None:
            known = self._sealed[agency_id, position] = seal(cursors, agency_id, position)
        return known

    async def head(self) -> Position:
        """Where the feed ends now: every change before it is known."""
        async with self._database.system(Role.WORKER) as session:
            return await session.fetchval(QUERIES["read_edge"]), 0

    async def follow(
        self, claims: Claims, since: Position | None, *, ends_at: float
    ) -> AsyncGenerator[tuple[Position, list[Change]]]:
        """The changes of the agency after `since`, in groups with their last position.

        Without `since` from now on, which an empty group says at once. Ends at `ends_at`, by the
        event loop's clock. Raises `Missed` where some
        changes are gone, or are more than `MOST_REPLAYED`.
        """
        agency_id = claims.agency_id
        with self._following(agency_id) as ring:
            if not await _set_before(ring.begun, ends_at):
                return
            start = ring.start or (0, 0)
            known = self._position or start
            if since is None:
                since = known
                yield since, []
            elif since < start or since > known:
                await self._refuse_missed(since)
            while asyncio.get_running_loop().time() < ends_at:
                # Who is slower than what is in memory reads on from the table, like who comes back.
                start = ring.start or start
                if since < start:
                    async for group in self._from_table(agency_id, since, start):
                        yield group[-1].position, group
                    since = start
                async for group in _from_ring(ring, since, ends_at):
                    since = group[-1].position
                    yield since, group

    @contextmanager
    def _following(self, agency_id: AgencyId) -> Generator[_Ring]:
        ring = self._rings.get(agency_id)
        if ring is None:
            ring = self._rings[agency_id] = _Ring()
            self._hint.set()
        ring.followers += 1
        try:
            yield ring
        finally:
            ring.followers -= 1
            if not ring.followers and self._rings.get(agency_id) is ring:
                del self._rings[agency_id]

    async def _refuse_missed(self, since: Position) -> None:
        async with self._database.system(Role.WORKER) as session:
            pruned = await session.fetchrow(QUERIES["read_pruned"])
            edge = await session.fetchval(QUERIES["read_edge"])
        if pruned is None or since < (pruned["txid"], pruned["seq"]) or since[0] > edge:
            raise Missed((edge, 0))

    async def _from_table(
        self, agency_id: AgencyId, since: Position, until: Position
    ) -> AsyncGenerator[list[Change]]:
        told = 0
        while True:
            _, found = await self._fetch(since, [agency_id])
            group = [change for change in found if change.position <= until]
            if group:
                told += len(group)
                if told > MOST_REPLAYED:
                    raise Missed(await self.head())
                yield group
            if len(found) < BATCH or len(group) < len(found):
                return
            since = group[-1].position

    async def _fetch(
        self, since: Position, agencies: list[AgencyId]
    ) -> tuple[Position, list[Change]]:
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["read_changes"], *since, agencies, BATCH)
        found = [Change.of(row) for row in rows if row["seq"] is not None]
        if len(found) == BATCH:
            return found[-1].position, found
        return max(since, (rows[0]["edge"], 0)), found

    async def _read_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._hint.wait()
            self._hint.clear()
            sentence = "tells what happens"
            try:
                while await self._read():
                    pass
            except GardenOSError as error:
                sentence = f"reads nothing: {error.detail}"
            except Exception as error:  # noqa: BLE001 the next look may succeed; nothing is passed over
                sentence = f"failed and goes on: {type(error).__name__}: {error}"
            self._say(sentence)

    async def _read(self) -> bool:
        """Read a batch and hand it out; whether there may be more at once."""
        if not self._rings:
            self._position = None
            return False
        since = self._position or await self.head()
        for ring in self._rings.values():
            ring.begin(since)
        position, found = await self._fetch(since, list(self._rings))
        self._position = position
        touched: set[AgencyId] = set()
        for change in found:
            ring = self._rings.get(change.agency_id)
            if ring is not None and ring.start is not None and change.position > ring.start:
                ring.add(change)
                touched.add(change.agency_id)
        for agency_id in touched:
            self._rings[agency_id].wake()
        return len(found) == BATCH

    async def _prune_on(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            with suppress(GardenOSError):
                while await self.prune() == _PRUNED_AT_ONCE:
                    pass

    async def prune(self) -> int:
        """Let go of changes that are old; how many."""
        async with self._database.system(Role.WORKER) as session:
            return await session.fetchval(QUERIES["prune_changes"], self._keep, _PRUNED_AT_ONCE)

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            observe(CycleSaid(loop="feed", sentence=sentence))
