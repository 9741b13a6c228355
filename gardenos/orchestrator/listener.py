"""LISTEN on a connection of its own. A notification is a hint: losing one costs a poll interval."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg

from gardenos.db.session import UNREACHABLE
from gardenos.observability.events import CycleSaid, observe

RECONNECT_S = 1.0


class Listener:
    """Calls `on_hint(payload)` for each notification on `channel`, reconnecting for ever."""

    def __init__(self, dsn: str, channel: str, on_hint: Callable[[str], None]) -> None:
        self._dsn = dsn
        self._channel = channel
        self._on_hint = on_hint
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()
        """Set while the connection listens."""

    def start(self) -> None:
        """Begin listening in the background."""
        self._task = asyncio.create_task(self._run(), name=f"listen-{self._channel}")

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (*UNREACHABLE, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
                sentence = f"cannot listen: {error}"
                observe(CycleSaid(loop=f"listener:{self._channel}", sentence=sentence))
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        conn = await asyncpg.connect(self._dsn, timeout=5)
        closed = asyncio.Event()
        try:
            conn.add_termination_listener(lambda _: closed.set())
            await conn.add_listener(self._channel, self._hear)
            self.listening.set()
            await closed.wait()
        finally:
            self.listening.clear()
            conn.terminate()

    def _hear(self, _conn: object, _pid: int, _channel: str, payload: object) -> None:
        self._on_hint(str(payload))
