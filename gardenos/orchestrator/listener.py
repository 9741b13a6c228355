"""LISTEN on a connection of its own. A notification is a hint: losing one costs a poll interval."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from gardenos.observability.events import CycleSaid, observe

RECONNECT_S = 1.0


class Listener:
    """Calls `on_hint(payload)` for each notification on `channel`, reconnecting for ever."""

    def __init__(self, dsn: str, channel: str, on_hint: Callable[[str], None]) -> None:
        self._dsn = dsn
        self._channel = channel
        self._on_hint = on_hint
        self._task: asyncio.Task[None] | None = None
        self._said = ""
        self.listening = asyncio.Event()
        """Set while the connection listens."""

    def start(self) -> None:
        """Begin listening in the background."""
        self._task = asyncio.create_task(self._run(), name=f"listen-{self._channel}")

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            sentence = "lost its connection"
            try:
                await self._listen_once()
            except Exception as error:  # noqa: BLE001 whatever it was, hints are worth another try
                sentence = f"cannot listen: {type(error).__name__}: {error}"
            self._say(sentence)
            await asyncio.sleep(RECONNECT_S)

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            observe(CycleSaid(loop=f"listener:{self._channel}", sentence=sentence))

    async def _listen_once(self) -> None:
        conn = await asyncpg.connect(self._dsn, timeout=5)
        closed = asyncio.Event()
        try:
            conn.add_termination_listener(lambda _: closed.set())
            await conn.add_listener(self._channel, self._hear)
            self.listening.set()
            self._say("listens")
            await closed.wait()
        finally:
            self.listening.clear()
            conn.terminate()

    def _hear(self, _conn: object, _pid: int, _channel: str, payload: object) -> None:
        self._on_hint(str(payload))
