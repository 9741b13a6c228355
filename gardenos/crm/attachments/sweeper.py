"""Removes, now and then, files that no attachment has any more."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from gardenos.core.clock import Clock, SystemClock
from gardenos.core.config import Settings
from gardenos.core.errors import Unavailable
from gardenos.crm.attachments import service
from gardenos.crm.attachments.store import Place, opened
from gardenos.db.session import Database

EVERY_S: Final = 3600.0
_log = structlog.get_logger(__name__)


class Sweeper:
    """Sweeps from `start` to `stop`. Several at once do no harm: what is gone is no fault."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        clock: Clock | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock or SystemClock()
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first sweep comes after the first pause."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, also in the middle of a sweep."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> str:
        """Sweep once; what came of it."""
        try:
            files = opened(Place.of(self._settings))
            gone = await service.sweep(self._database, files, self._clock.now())
        except Unavailable as error:
            return f"swept no attachments: {error.detail}"
        return f"removed {gone} files that no attachment has"

    async def _run(self) -> None:
        said = ""
        while True:
            await asyncio.sleep(self._every_s)
            sentence = await self.sweep()
            if sentence != said:
                _log.info("attachments_swept", said=sentence)
                said = sentence
