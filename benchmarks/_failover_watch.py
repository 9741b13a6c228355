"""What is seen from above while things break: who leads, who takes writes, where the slice points."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg
import httpx

from benchmarks._failover_load import GONE, SQL
from gardenos.lab.layout import NODES, Layout, number

_ASK_S = 0.05
_ASK_PATRONI_S = 0.1  # it answers in Python, and is asked by two HAProxies besides
_PATIENCE_S = 1.0


@dataclass
class Spans:
    """When something was seen to hold, as intervals of monotonic seconds.

    From the first sighting to the last: what lay between that one and the next look nobody saw.
    """

    closed: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    since: float | None = None
    last: float = 0.0

    def see(self, *, holds: bool, at: float) -> None:
        """It was looked at."""
        if holds:
            self.since = at if self.since is None else self.since
            self.last = at
        elif self.since is not None:
            self.closed.append((self.since, self.last))
            self.since = None

    def all(self) -> list[tuple[float, float]]:
        """Every interval, the open one up to its last sighting."""
        return [*self.closed, *([(self.since, self.last)] if self.since is not None else [])]


def overlap(spans: list[list[tuple[float, float]]]) -> float:
    """For how many seconds more than one of them held."""
    marks = sorted(
        [(start, 1) for one in spans for start, _ in one]
        + [(end, -1) for one in spans for _, end in one]
    )
    held, total = 0, 0.0
    for (at, change), (then, _) in itertools.pairwise(marks):
        held += change
        if held > 1:
            total += then - at
    return total


@dataclass
class Observer:
    """Polls every node straight, past the wires: what it sees no fault can hide from it."""

    layout: Layout
    admin_password: str = field(repr=False)
    slice_points_to: Callable[[], str | None]
    """The member that the published slice names as ready."""
    primary: dict[str, Spans] = field(default_factory=lambda: {n: Spans() for n in NODES})
    """When `/primary` answered 200."""
    writable: dict[str, Spans] = field(default_factory=lambda: {n: Spans() for n in NODES})
    """When it was a running server out of recovery."""
    pointed: list[tuple[float, str | None]] = field(
        default_factory=list[tuple[float, "str | None"]]
    )
    """Whom the slice named from when on."""

    async def run(self) -> None:
        """Until cancelled."""
        async with httpx.AsyncClient(timeout=_PATIENCE_S) as client, asyncio.TaskGroup() as group:
            for node in NODES:
                group.create_task(self._ask_patroni(client, node))
                group.create_task(self._ask_postgres(node))
            group.create_task(self._look_at_slice())

    async def _ask_patroni(self, client: httpx.AsyncClient, node: str) -> None:
        url = f"{self.layout.patroni(number(node)).url}/primary"
        while True:
            holds = False
            with contextlib.suppress(httpx.HTTPError):
                holds = (await client.request("OPTIONS", url)).status_code == 200
            self.primary[node].see(holds=holds, at=time.monotonic())
            await asyncio.sleep(_ASK_PATRONI_S)

    async def _ask_postgres(self, node: str) -> None:
        conn = None
        try:
            while True:
                holds = False
                try:
                    conn = conn or await self._connect(node)
                    holds = bool(await conn.fetchval(SQL["is_writable"], timeout=_PATIENCE_S))
                except (*GONE, asyncpg.PostgresError):
                    if conn is not None:
                        conn.terminate()
                    conn = None
                self.writable[node].see(holds=holds, at=time.monotonic())
                await asyncio.sleep(_ASK_S)
        finally:
            if conn is not None:
                conn.terminate()

    async def _connect(self, node: str) -> asyncpg.Connection[asyncpg.Record]:
        host, port = self.layout.postgres(number(node))
        return await asyncpg.connect(
            host=host,
            port=port,
            user="postgres",
            password=self.admin_password,
            database="postgres",
            timeout=_PATIENCE_S,
        )

    async def _look_at_slice(self) -> None:
        while True:
            named = self.slice_points_to()
            if not self.pointed or self.pointed[-1][1] != named:
                self.pointed.append((time.monotonic(), named))
            await asyncio.sleep(_ASK_S / 2)

    def writable_since(self, node: str, *, after: float) -> float | None:
        """When this node first became writable after a moment."""
        starts = [start for start, _ in self.writable[node].all()]
        return min((start for start in starts if start > after), default=None)

    def new_leader(self, *, after: float) -> tuple[str, float] | None:
        """Who became writable after a moment and says it leads, and since when."""
        for node in NODES:
            since = self.writable_since(node, after=after)
            if since is not None and self.primary[node].since is not None:
                return node, since
        return None

    def pointed_at(self, node: str, *, after: float) -> float | None:
        """When the slice began to name this node, or named it already at that moment."""
        before = [(at, named) for at, named in self.pointed if at <= after]
        if before and before[-1][1] == node:
            return after
        return next((at for at, named in self.pointed if at > after and named == node), None)

    async def points_to(self, node: str, *, give_up: float) -> bool:
        """Wait until the slice names this node; whether it did before `give_up`."""
        while time.monotonic() < give_up:
            if self.pointed and self.pointed[-1][1] == node:
                return True
            await asyncio.sleep(_ASK_S)
        return False

    def wrongly_pointed(self, node: str, *, since: float, until: float) -> float:
        """For how many seconds the slice named another than `node` after it had named it."""
        marks = [*(one for one in self.pointed if one[0] >= since), (until, None)]
        return sum(
            then - at
            for (at, named), (then, _) in itertools.pairwise(marks)
            if named not in {None, node}
        )

    def two_primaries(self) -> float:
        """Seconds with more than one `/primary` that answers 200."""
        return overlap([spans.all() for spans in self.primary.values()])
