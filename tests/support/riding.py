"""A member who goes on working while parts of an installation die, and what every request came to."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import httpx

from gardenos.sdk import AgentTask, GardenOS
from tests.support.garden import Garden
from tests.support.scoring import sign_up

_PATIENCE_S = 120.0
_PACE_S = 0.1


class Made(NamedTuple):
    """What was acknowledged: a lead, and the task that scores it."""

    lead: UUID
    task: UUID


class Answer(NamedTuple):
    """What came of one attempt: a status, or the name of what the transport raised."""

    at: float
    came: int | str
    said: str

    @property
    def good(self) -> bool:
        return isinstance(self.came, int) and self.came < 300


class NotingTransport(httpx.HTTPTransport):
    """Sends requests, and notes what comes of each attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Answer] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = super().handle_request(request)
            response.read()
        except httpx.TransportError as error:
            self.answers.append(Answer(time.monotonic(), type(error).__name__, str(error)))
            raise
        said = "" if response.is_success else response.json().get("type", "")
        self.answers.append(Answer(time.monotonic(), response.status_code, said))
        return response


@dataclass(frozen=True, slots=True)
class Course:
    """How the requests of one kind fared, seconds on one clock."""

    answers: list[Answer]

    @property
    def gap_s(self) -> float:
        """The longest time without a good answer."""
        good = [answer.at for answer in self.answers if answer.good]
        return max((after - before for before, after in itertools.pairwise(good)), default=0.0)

    @property
    def refusals(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.good]


class Rider:
    """Creates leads, has each scored, and reads them again, from two threads with the SDK alone.

    Whatever the SDK does not make good ends it: `stop` raises that.
    """

    def __init__(self, garden: Garden) -> None:
        token = sign_up(garden)
        self._url, self._token = garden.url, token
        with self._client(httpx.HTTPTransport()) as client:
            self.agency = UUID(
                client.driver.client.get("/v1/agency").raise_for_status().json()["id"]
            )
        self.made: dict[str, Made] = {}
        self._writes, self._reads = NotingTransport(), NotingTransport()
        self._enough = threading.Event()
        self._threads = ThreadPoolExecutor(2)
        self._ends: list[Future[None]] = []

    def _client(self, transport: httpx.HTTPTransport) -> GardenOS:
        return GardenOS(self._url, token=self._token, deadline_s=_PATIENCE_S, transport=transport)

    def __enter__(self) -> Self:
        self._ends = [self._threads.submit(self._write), self._threads.submit(self._read)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._enough.set()
        self._threads.shutdown()

    def stop(self) -> tuple[Course, Course]:
        """End after the request under way; how writes and reads fared."""
        self._enough.set()
        for end in self._ends:
            end.result()
        return Course(self._writes.answers), Course(self._reads.answers)

    def wrote(self) -> int:
        """How many leads are acknowledged. Raises what ended a thread."""
        for end in self._ends:
            if end.done():
                end.result()
        return len(self.made)

    def _write(self) -> None:
        with self._client(self._writes) as client:
            for number in itertools.count():
                if self._enough.wait(_PACE_S):
                    return
                name = f"ride-{number}"
                # Under keys of its own, so that nothing but these keep a repetition from doubling.
                lead = client.leads.create(last_name=name, idempotency_key=name)
                task = client.orchestrator.submit(
                    AgentTask(id=name, payload={"lead_id": str(lead.id)})
                )
                self.made[name] = Made(lead.id, task.id)

    def _read(self) -> None:
        with self._client(self._reads) as client:
            while not self._enough.wait(_PACE_S):
                for name, made in list(self.made.items())[-1:]:
                    assert client.leads.get(made.lead).last_name == name
