"""Waiting for tasks to end: many waiters, one LISTEN connection, no pooled connection held."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Final
from uuid import UUID

from gardenos.core.claims import Claims
from gardenos.core.ids import TaskId
from gardenos.db.session import Database
from gardenos.orchestrator import store
from gardenos.orchestrator.listener import Listener
from gardenos.orchestrator.store import TaskView

CHANNEL: Final = "gardenos_task_finished"
RECHECK_S = 1.0
"""How long a lost notification can delay an answer."""


class TaskWaiter:
    """Resolves waits when the end of a task is notified, and re-reads now and then in any case."""

    def __init__(self, database: Database, dsn: str) -> None:
        self._database = database
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._listener = Listener(dsn, CHANNEL, self._wake)

    def start(self) -> None:
        """Begin listening."""
        self._listener.start()

    async def stop(self) -> None:
        """Stop listening; open waits go on by re-reading."""
        await self._listener.stop()

    def _wake(self, payload: str) -> None:
        for part in payload.split(","):
            with suppress(ValueError):
                for event in self._waiting.get(UUID(part), ()):
                    event.set()

    async def wait(self, claims: Claims, task_id: TaskId, *, timeout_s: float) -> TaskView:
        """The task as it stands when it ended, or after `timeout_s` seconds, whichever is first.

        Raises `NotFound` for a task that is not the agency's.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + timeout_s
        event = asyncio.Event()
        # Registered before the first look: an end between the two still wakes us.
        self._waiting[task_id].add(event)
        try:
            while True:
                async with self._database.session(claims) as session:
                    view = await store.get(session, task_id)
                left = give_up - loop.time()
                if view.state.is_terminal or left <= 0:
                    return view
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, RECHECK_S)):
                        await event.wait()
                event.clear()
        finally:
            self._waiting[task_id].discard(event)
            if not self._waiting[task_id]:
                del self._waiting[task_id]
