"""A model endpoint in a thread that answers well, hangs or fails, as the plan says."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from gardenos.testing.llm_server import DROP, HANG, Answer, ModelServer, error, model_server, said

_LETTER = {"subject": "Your enquiry", "body": "Thank you for writing to us. When may we call?"}


class Mood(StrEnum):
    """How it answers."""

    WELL = "well"
    HANGS = "hangs"
    FAILS = "fails"


class Model:
    """The endpoint, with its mood to set."""

    def __init__(self, seed: int) -> None:
        self.mood = Mood.WELL
        self.url = ""
        self._chosen = random.Random(seed)  # noqa: S311 repeatable, not secret

    def answer(self, _request: Mapping[str, Any]) -> Answer:
        """The script of the server."""
        match self.mood:
            case Mood.WELL:
                return said(_LETTER)
            case Mood.HANGS:
                return HANG
            case Mood.FAILS:
                wrong = [error(500), error(429, retry_after="1"), said("no JSON"), said({}), DROP]
                return self._chosen.choice(wrong)


@contextmanager
def running_model(seed: int) -> Generator[Model]:
    """The endpoint on a free port, until the block ends."""
    model = Model(seed)
    ready, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with model_server(model.answer) as server:
            model.url = server.url
            ready.set()
            while not ended.is_set():
                await asyncio.sleep(0.1)
                _forget(server)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="model")
    thread.start()
    try:
        assert ready.wait(10)
        yield model
    finally:
        ended.set()
        thread.join()


def _forget(server: ModelServer) -> None:
    """It keeps every request for tests to read: too many of them here."""
    server.requests.clear()
    server.authorizations.clear()
