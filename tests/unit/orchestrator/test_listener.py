from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest

from gardenos.observability import events
from gardenos.observability.events import CycleSaid
from gardenos.orchestrator.listener import Listener

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection, PostgresServer

CHANNEL = "gardenos_test"
SOON_S = 10.0


@pytest.fixture
async def said() -> AsyncGenerator[asyncio.Queue[str]]:
    """What listeners say from now on."""
    sentences: asyncio.Queue[str] = asyncio.Queue()

    def note(event: events.Event) -> None:
        if isinstance(event, CycleSaid) and event.loop == f"listener:{CHANNEL}":
            sentences.put_nowait(event.sentence)

    forget = events.subscribe(note)
    yield sentences
    forget()


async def test_a_connection_that_was_lost_is_made_anew(
    server: PostgresServer,
    database_name: str,
    admin: AdminConnection,
    said: asyncio.Queue[str],
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = Listener(server.app(database_name), CHANNEL, heard.put_nowait)
    listener.start()
    try:
        async with asyncio.timeout(SOON_S):
            for payload in ("before", "after"):
                assert await said.get() == "listens"
                assert listener.listening.is_set()
                await admin.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
                assert await heard.get() == payload
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
                assert await said.get() == "lost its connection"
                assert not listener.listening.is_set()
    finally:
        await listener.stop()


async def test_whatever_keeps_it_from_listening_ends_neither_it_nor_its_stopping(
    said: asyncio.Queue[str],
) -> None:
    listener = Listener("postgresql://127.0.0.1:1/gardenos?sslmode=nonsense", CHANNEL, print)
    listener.start()
    async with asyncio.timeout(SOON_S):
        sentence = await said.get()
    await listener.stop()
    assert sentence.startswith("cannot listen: ClientConfigurationError: ")
    assert said.empty()
