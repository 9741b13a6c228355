"""Who carries plans out: one driver that blocks, one that awaits. Retries are tenacity's work."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception_type
from tenacity import retry_if_result as retry_if_answer
from tenacity.wait import wait_random_exponential

from gardenos.core.errors import GardenOSError
from gardenos.sdk.auth import PasswordAuth
from gardenos.sdk.base import Page
from gardenos.sdk.call import Call, Pause, Plan, Step, after
from gardenos.sdk.errors import UnexpectedAnswer, Unreachable
from gardenos.sdk.events import Event, EventReader, Stream
from gardenos.sdk.problems import from_response, is_stopgap, retry_after_s, unreachable

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

_PASSING_ERRORS = (
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
)
"""The connection failed or broke. A read that timed out is not among them: it had its time."""
_PASSING_STATUSES = frozenset({429, 502, 503, 504})
_NO_CONTENT = 204
_PIECE_BYTES = 256 * 1024
_SILENCE_S = 60.0
"""A stream that says nothing for so long is broken: a comment comes every fifteen seconds."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
_backoff = wait_random_exponential(multiplier=0.25, max=8)


def _wait(state: RetryCallState) -> float:
    asked = 0.0
    if state.outcome is not None and not state.outcome.failed:
        asked = retry_after_s(state.outcome.result()) or 0.0
    # The jitter comes on top, so that clients told the same time do not return in step.
    return asked + _backoff(state)


class _Reconnecting:
    """When to ask for a stream again: soon after a break, later and later while nothing comes."""

    def __init__(self, driver: Driver, deadline_s: float) -> None:
        self._driver = driver
        self._deadline_s = deadline_s
        self.is_over = False
        """Whether the server has said that nothing more will come."""
        self.heard()

    def heard(self) -> None:
        """Something came, if only a comment."""
        self._breaks = 0
        self._give_up_at = self._driver.now() + self._deadline_s

    def pause_s(self, failure: GardenOSError | None) -> float:
        """How long to wait after a break. Raises its reason where waiting is no use, or too long."""
        unreadable = isinstance(failure, UnexpectedAnswer)
        if failure is not None and (unreadable or failure.status not in _PASSING_STATUSES):
            raise failure
        self._breaks += 1
        backoff_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self._breaks - 1))
        wait_s = max(backoff_s, failure.retry_after_s or 0.0 if failure else 0.0)
        if self._driver.now() + wait_s >= self._give_up_at:
            raise failure or Unreachable("The stream of events breaks off, again and again.")
        return wait_s


def _auth(call: Call[Any]) -> Any:
    return None if call.anonymous else httpx.USE_CLIENT_DEFAULT


def _last(state: RetryCallState) -> httpx.Response:
    assert state.outcome is not None  # noqa: S101 tenacity calls this after an attempt only
    return state.outcome.result()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, in seconds."""

    timeout_s: float = 30.0
    """For one attempt to make progress: connect, send, or receive."""
    deadline_s: float = 60.0
    """For the call with all its repetitions."""


class Driver(ABC):
    """What both drivers share: limits, the clock, and the rules of repeating."""

    def __init__(
        self, limits: Limits, monotonic: Callable[[], float], auth: httpx.Auth | None
    ) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._auth = auth

    def renew(self) -> None:
        """Have the next request use another access token, where the client fetches them itself."""
        if isinstance(self._auth, PasswordAuth):
            self._auth.renew()

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._monotonic()

    def _rules(self, call: Call[Any], give_up_at: float) -> dict[str, Any]:
        passing = retry_if_exception_type(_PASSING_ERRORS) | retry_if_answer(
            lambda answer: answer.status_code in _PASSING_STATUSES or is_stopgap(answer)
        )

        def out_of_time(state: RetryCallState) -> bool:
            return not call.repeatable or self._monotonic() + state.upcoming_sleep >= give_up_at

        return {
            "retry": passing,
            "wait": _wait,
            "stop": out_of_time,
            "retry_error_callback": _last,
        }

    def _give_up_at(self, call: Call[Any]) -> float:
        return self._monotonic() + self._limits.deadline_s + call.patience_s

    def _request(
        self, client: httpx.Client | httpx.AsyncClient, call: Call[Any], give_up_at: float
    ) -> httpx.Request:
        left = max(0.1, give_up_at - self._monotonic())
        return client.build_request(
            call.method,
            call.path,
            params=dict(call.params),
            content=None if call.file is None else self._pieces(call.file),
            json=call.json,
            data=call.data,
            files=call.files,
            headers=call.headers,
            timeout=min(left, self._limits.timeout_s + call.patience_s),
        )

    @abstractmethod
    def _pieces(self, path: Path) -> Iterator[bytes] | AsyncIterator[bytes]:
        """A file in pieces, as the driver's client takes them."""

    def _stream_request(
        self, client: httpx.Client | httpx.AsyncClient, call: Call[Any], reader: EventReader
    ) -> httpx.Request:
        headers = {**call.headers, "Accept": "text/event-stream"}
        if reader.last_id:
            headers["Last-Event-ID"] = reader.last_id
        timeout = httpx.Timeout(self._limits.timeout_s, read=_SILENCE_S)
        return client.build_request(
            call.method, call.path, params=dict(call.params), headers=headers, timeout=timeout
        )


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


async def _awaited_pieces(path: Path) -> AsyncIterator[bytes]:
    for piece in _pieces(path):
        yield piece


class SyncDriver(Driver):
    """Blocks until a plan is done."""

    def __init__(
        self,
        client: httpx.Client,
        limits: Limits,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(limits, monotonic, client.auth)
        self.client = client
        self._sleep = sleep

    def _pieces(self, path: Path) -> Iterator[bytes]:
        return _pieces(path)

    def run(self, plan: Plan[T]) -> T:
        """The plan's result. Raises what the plan raises, and `Unreachable`."""
        with closing(iter(plan)) as steps:
            answer: httpx.Response | None = None
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as end:
                    return end.value
                answer = self._take(step)

    def iterate(self, first: Call[Page[T]]) -> Iterator[T]:
        """The items of a list, page after page."""
        call: Call[Page[T]] | None = first
        while call is not None:
            page = self.run(call)
            yield from page.items
            call = after(call, page)

    def follow(self, stream: Stream[T]) -> Iterator[T]:
        """What the events of a stream say, to its end; a break is no end."""
        reader = EventReader(stream.since)
        again = _Reconnecting(self, self._limits.deadline_s)
        while True:
            failure: GardenOSError | None = None
            try:
                for event in self._events(stream.call, reader, again):
                    yield stream.reads(event)
                    if event.name == stream.last:
                        return
            except GardenOSError as error:
                failure = error
            if again.is_over:
                return
            self._sleep(again.pause_s(failure))

    def _events(
        self, call: Call[Any], reader: EventReader, again: _Reconnecting
    ) -> Iterator[Event]:
        with unreachable(str(self.client.base_url)):
            request = self._stream_request(self.client, call, reader)
            response = self.client.send(request, stream=True)
            with closing(response):
                if not response.is_success:
                    response.read()
                    raise from_response(response)
                again.is_over = response.status_code == _NO_CONTENT
                for line in response.iter_lines():
                    again.heard()
                    event = reader.take(line)
                    if event is not None:
                        yield event

    def _take(self, step: Step) -> httpx.Response | None:
        if isinstance(step, Pause):
            return self._sleep(step.seconds)
        give_up_at = self._give_up_at(step)

        def attempt() -> httpx.Response:
            request = self._request(self.client, step, give_up_at)
            return self.client.send(request, auth=_auth(step))

        with unreachable(str(self.client.base_url)):
            return Retrying(sleep=self._sleep, **self._rules(step, give_up_at))(attempt)


class AsyncDriver(Driver):
    """Awaits until a plan is done."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        limits: Limits,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(limits, monotonic, client.auth)
        self.client = client
        self._sleep = sleep

    def _pieces(self, path: Path) -> AsyncIterator[bytes]:
        return _awaited_pieces(path)

    async def run(self, plan: Plan[T]) -> T:
        """The plan's result. Raises what the plan raises, and `Unreachable`."""
        with closing(iter(plan)) as steps:
            answer: httpx.Response | None = None
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as end:
                    return end.value
                answer = await self._take(step)

    async def iterate(self, first: Call[Page[T]]) -> AsyncIterator[T]:
        """The items of a list, page after page."""
        call: Call[Page[T]] | None = first
        while call is not None:
            page = await self.run(call)
            for item in page.items:
                yield item
            call = after(call, page)

    async def follow(self, stream: Stream[T]) -> AsyncIterator[T]:
        """What the events of a stream say, to its end; a break is no end."""
        reader = EventReader(stream.since)
        again = _Reconnecting(self, self._limits.deadline_s)
        while True:
            failure: GardenOSError | None = None
            try:
                async with aclosing(self._events(stream.call, reader, again)) as events:
                    async for event in events:
                        yield stream.reads(event)
                        if event.name == stream.last:
                            return
            except GardenOSError as error:
                failure = error
            if again.is_over:
                return
            await self._sleep(again.pause_s(failure))

    async def _events(
        self, call: Call[Any], reader: EventReader, again: _Reconnecting
    ) -> AsyncGenerator[Event]:
        with unreachable(str(self.client.base_url)):
            request = self._stream_request(self.client, call, reader)
            response = await self.client.send(request, stream=True)
            async with aclosing(response):
                if not response.is_success:
                    await response.aread()
                    raise from_response(response)
                again.is_over = response.status_code == _NO_CONTENT
                async for line in response.aiter_lines():
                    again.heard()
                    event = reader.take(line)
                    if event is not None:
                        yield event

    async def _take(self, step: Step) -> httpx.Response | None:
        if isinstance(step, Pause):
            await self._sleep(step.seconds)
            return None
        give_up_at = self._give_up_at(step)

        async def attempt() -> httpx.Response:
            request = self._request(self.client, step, give_up_at)
            return await self.client.send(request, auth=_auth(step))

        with unreachable(str(self.client.base_url)):
            return await AsyncRetrying(sleep=self._sleep, **self._rules(step, give_up_at))(attempt)
