"""Both clients on a scripted wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import httpx
import pytest

from gardenos.sdk import AsyncGardenOS, GardenOS
from gardenos.testing.wire import Wire

URL = "http://garden.test"


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def garden(wire: Wire) -> Generator[GardenOS]:
    """A client with a token."""
    with GardenOS(
        URL,
        token="token-1",
        transport=httpx.MockTransport(wire.handle),
        sleep=wire.sleep,
        monotonic=wire.monotonic,
    ) as garden:
        yield garden


@pytest.fixture
def member(wire: Wire) -> Generator[GardenOS]:
    """A client that signs in with e-mail and password."""
    with GardenOS(
        URL,
        email="ada@example.org",
        password="correct horse",
        transport=httpx.MockTransport(wire.handle),
        sleep=wire.sleep,
        monotonic=wire.monotonic,
    ) as garden:
        yield garden


@pytest.fixture
async def agarden(wire: Wire) -> AsyncGenerator[AsyncGardenOS]:
    """An async client with a token."""
    async with AsyncGardenOS(
        URL,
        token="token-1",
        transport=httpx.MockTransport(wire.ahandle),
        sleep=wire.asleep,
        monotonic=wire.monotonic,
    ) as garden:
        yield garden
