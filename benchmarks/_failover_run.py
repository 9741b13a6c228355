"""One fault, once: writers and observers around it, then the reckoning."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from pydantic import BaseModel, ConfigDict

from benchmarks._failover_faults import Fault
from benchmarks._failover_load import (
    SQL,
    Journal,
    Outcome,
    Reckoning,
    Writer,
    longest_gap,
    reckon,
)
from benchmarks._failover_stage import Stage
from benchmarks._failover_watch import Observer

WRITERS, PER_SECOND = 8, 25.0
STRAIGHT = 90
"""From this number on, writers talk straight to a node."""
_WARM, _FAILOVER_S, _SETTLE_S, _AFTER_S = 20, 60.0, 60.0, 1.0


class Result(BaseModel):
    """What one run of one fault showed; seconds, None where it does not apply."""

    model_config = ConfigDict(frozen=True)

    fault: str
    at: float
    """When it began, seconds since the epoch."""
    old_leader: str
    new_leader: str
    gap_s: float
    """The longest time in which no write was acknowledged to anybody."""
    slowest_s: float
    """The same for the writer that waited longest."""
    ok: int
    failed: int
    indeterminate: int
    lost: int
    stale: int
    denied: int
    repoint_s: float | None
    """From the new leader being writable to the slice naming it."""
    astray_s: float
    """For how long the slice named another after that."""
    two_primaries_s: float
    rejoin_s: float | None
    """From the end of the fault until all three follow one leader."""


@dataclass
class Run:
    """The state of one run."""

    stage: Stage
    fault: Fault
    leader: str
    journal: Journal
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[Writer] = field(default_factory=list[Writer])
    straight: Writer | None = None

    def __post_init__(self) -> None:
        through = range(1, WRITERS + 1)
        url = self.stage.url
        self.writers = [Writer(n, url, self.journal, PER_SECOND) for n in through]
        direct = self.stage.straight(self.leader)
        self.straight = Writer(STRAIGHT, direct, self.journal, PER_SECOND)
        self.observer = Observer(
            self.stage.layout,
            self.stage.lab.passwords.superuser,
            self.stage.slice_points_to,
        )

    def acknowledged(self, *, since: float) -> list[int]:
        """How many writes of each writer were acknowledged after a moment."""
        return [
            sum(one.outcome is Outcome.OK and one.ended > since for one in writer.done)
            for writer in self.writers
        ]

    async def all_write(self, *, since: float, count: int, within_s: float) -> None:
        """Wait until every writer has been acknowledged some writes after a moment."""
        give_up = time.monotonic() + within_s
        while min(self.acknowledged(since=since)) < count:
            if time.monotonic() > give_up:
                raise AssertionError(
                    f"{self.fault.name}: not every writer writes {within_s:.0f} s later: "
                    f"{self.acknowledged(since=since)}"
                )
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def going(self) -> AsyncGenerator[None]:
        """Writers write and observers look while the block runs."""
        assert self.straight is not None
        everyone = [*self.writers, self.straight]
        writing = [asyncio.create_task(writer.run(self.stop)) for writer in everyone]
        looking = asyncio.create_task(self.observer.run())
        try:
            yield
        finally:
            self.stop.set()
            _ended, late = await asyncio.wait(writing, timeout=45)
            for task in late:
                task.cancel()
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
        for task in writing:
            if not task.cancelled():
                task.result()


def once(stage: Stage, fault: Fault, folder: Path, say: Callable[[str], None]) -> Result:
    """Run a fault on a healthy lab and say what was seen. Raises `LabError`, `AssertionError`."""
    say("making the lab well")
    stage.make_well(failsafe=fault.failsafe, synchronous=fault.synchronous, brief=fault.brief)
    leader = stage.leader()
    journal = Journal(folder / f"{fault.name}-{time.time_ns()}.jsonl")
    try:
        return asyncio.run(_once(Run(stage, fault, leader, journal), say))
    finally:
        journal.close()


async def _once(run: Run, say: Callable[[str], None]) -> Result:
    began, fault = time.time(), run.fault
    async with run.going():
        say("writing")
        await run.all_write(since=0, count=_WARM, within_s=_SETTLE_S)
        say(fault.what)
        broken = time.monotonic()
        await asyncio.to_thread(fault.inject, run.stage, run.leader)
        injected = time.monotonic()
        await _sit_out(run, broken, say)
        say("healing")
        await asyncio.to_thread(run.stage.repair)
        healed = time.monotonic()
        await asyncio.to_thread(run.stage.await_rejoin, synchronous=fault.synchronous)
        rejoined = time.monotonic()
        await run.all_write(since=rejoined, count=5, within_s=_SETTLE_S)
        say("reckoning")
        await _await_slice(run, broken)
        ended = time.monotonic()
    reckoning = await _reckon(run)
    return _result(
        run,
        began,
        broken=broken,
        injected=injected,
        healed=(healed, rejoined),
        ended=ended,
        reckoning=reckoning,
    )


async def _sit_out(run: Run, broken: float, say: Callable[[str], None]) -> None:
    """Wait for what the fault leads to, and as long as it is to last."""
    if run.fault.fails_over:
        give_up = time.monotonic() + _FAILOVER_S
        while (new := run.observer.new_leader(after=broken)) is None:
            if time.monotonic() > give_up:
                raise AssertionError(f"{run.fault.name}: no new leader within {_FAILOVER_S:.0f} s.")
            await asyncio.sleep(0.05)
        say(f"{new[0]} has taken over")
        await run.all_write(since=new[1], count=5, within_s=_SETTLE_S)
    left = broken + run.fault.holds_s - time.monotonic()
    if left > 0:
        say(f"{run.fault.what}, for {left:.0f} s more")
        await asyncio.sleep(left)


async def _await_slice(run: Run, broken: float) -> None:
    """Give the slice the time it may need; the brief's loop asks every ten seconds."""
    new = run.observer.new_leader(after=broken)
    give_up = time.monotonic() + (25.0 if run.fault.brief else 10.0)
    if new:
        await run.observer.points_to(new[0], give_up=give_up)
    await asyncio.sleep(_AFTER_S)


async def _reckon(run: Run) -> Reckoning:
    conn = await asyncpg.connect(run.stage.url, timeout=10)
    try:
        if run.fault.name == "planted-loss":
            await conn.execute(SQL["lose_row"])
        kept = {(row["writer"], row["seq"]) for row in await conn.fetch(SQL["read_rows"])}
    finally:
        await conn.close()
    assert run.straight is not None
    return reckon((one for w in run.writers for one in w.done), run.straight.done, kept)


def _result(
    run: Run,
    began: float,
    *,
    broken: float,
    injected: float,
    healed: tuple[float, float],
    ended: float,
    reckoning: Reckoning,
) -> Result:
    seen = run.observer
    new = seen.new_leader(after=broken)
    repoint, astray = None, 0.0
    if new is not None:
        fair_from = max(new[1], injected) if run.fault.api_away else new[1]
        pointed = seen.pointed_at(new[0], after=fair_from)
        repoint = pointed - fair_from if pointed is not None else None
        if pointed is not None:
            astray = seen.wrongly_pointed(new[0], since=pointed, until=ended)
    gaps = [
        longest_gap(
            (one.ended for one in writer.done if one.outcome is Outcome.OK),
            since=broken,
            until=ended,
        )
        for writer in run.writers
    ]
    together = (o.ended for w in run.writers for o in w.done if o.outcome is Outcome.OK)
    return Result(
        fault=run.fault.name,
        at=began,
        old_leader=run.leader,
        new_leader=new[0] if new else run.leader,
        gap_s=longest_gap(together, since=broken, until=ended),
        slowest_s=max(gaps),
        ok=reckoning.ok,
        failed=reckoning.failed,
        indeterminate=reckoning.indeterminate,
        lost=reckoning.lost,
        stale=reckoning.stale,
        denied=reckoning.denied,
        repoint_s=repoint,
        astray_s=astray,
        two_primaries_s=seen.two_primaries(),
        rejoin_s=healed[1] - healed[0] if run.fault.fails_over or new else None,
    )
