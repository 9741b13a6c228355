"""From changes to deliveries: exactly one for each webhook and change, whoever dies when."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gardenos.core.errors import GardenOSError
from gardenos.crm.webhooks.service import QUERIES, RETRIES
from gardenos.db.session import Database, Role
from gardenos.observability.events import CycleSaid, observe

POLL_S = 1.0
BATCH = 1000
PRUNE_EVERY_S = 3600.0
_PRUNED_AT_ONCE = 10_000


class Fanout:
    """Hands changes to webhooks. Every gateway has one; of them one at a time is at work."""

    def __init__(self, database: Database, *, poll_s: float = POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._hint = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._said = ""

    def start(self) -> None:
        """Begin in the background."""
        self._tasks = [
            asyncio.create_task(self._go_on(), name="webhooks"),
            asyncio.create_task(self._prune_on(), name="webhooks-pruner"),
        ]

    async def stop(self) -> None:
        """Hand nothing on any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hint(self) -> None:
        """There are changes."""
        self._hint.set()

    async def advance(self) -> int:
        """Hand a batch of changes on; how many, 0 also where another gateway is at it."""
        async with self._database.system(Role.WORKER) as session:
            cursor = await session.fetchrow(QUERIES["lock_cursor"])
            if cursor is None:
                return 0
            row = await session.fetchrow(
                QUERIES["fan_out"], cursor["txid"], cursor["seq"], BATCH, RETRIES
            )
        return row["changes"] if row else 0

    async def _go_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._hint.wait()
            self._hint.clear()
            sentence = "hands changes on"
            try:
                while await self.advance() == BATCH:
                    pass
            except GardenOSError as error:
                sentence = f"hands nothing on: {error.detail}"
            except Exception as error:  # noqa: BLE001 nothing is lost: the cursor stays
                sentence = f"failed and goes on: {type(error).__name__}: {error}"
            if sentence != self._said:
                self._said = sentence
                observe(CycleSaid(loop="webhooks", sentence=sentence))

    async def _prune_on(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            with suppress(GardenOSError):
                while await self.prune() == _PRUNED_AT_ONCE:
                    pass

    async def prune(self) -> int:
        """Let go of deliveries that are a month old; how many."""
        async with self._database.system(Role.WORKER) as session:
            return await session.fetchval(QUERIES["prune_deliveries"], _PRUNED_AT_ONCE)
