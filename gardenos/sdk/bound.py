"""A method written once, for both clients.

On a `GardenOS` it blocks, on an `AsyncGardenOS` it is awaited, and a type checker sees which.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from gardenos.sdk.base import Page
from gardenos.sdk.call import Call, Plan
from gardenos.sdk.drivers import AsyncDriver, Driver, SyncDriver
from gardenos.sdk.events import Stream

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D", bound=Driver)


class Namespace(Generic[D]):
    """A group of methods, bound to the driver that carries them out."""

    def __init__(self, driver: D) -> None:
        self._driver: D = driver

    @property
    def driver(self) -> D:
        """What asks."""
        return self._driver


class Endpoint(Generic[P, T]):
    """A method written once and run by either driver."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self._plan = plan
        self.__doc__ = plan.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Namespace[SyncDriver], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, instance: Namespace[AsyncDriver], owner: type
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Namespace[Any] | None, owner: type) -> Any:
        if instance is None:
            return self

        @functools.wraps(self._plan)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.driver.run(self._plan(instance, *args, **kwargs))

        return method


class Listing(Generic[P, T]):
    """A method that gives a list's items one by one and asks for pages as they are needed."""

    def __init__(self, first: Callable[Concatenate[Any, P], Call[Page[T]]]) -> None:
        self._first = first
        self.__doc__ = first.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Namespace[SyncDriver], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(
        self, instance: Namespace[AsyncDriver], owner: type
    ) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Namespace[Any] | None, owner: type) -> Any:
        if instance is None:
            return self

        @functools.wraps(self._first)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.driver.iterate(self._first(instance, *args, **kwargs))

        return method


class Following(Generic[P, T]):
    """A method that gives what a stream of events says, one by one as it happens."""

    def __init__(self, stream: Callable[Concatenate[Any, P], Stream[T]]) -> None:
        self._stream = stream
        self.__doc__ = stream.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Namespace[SyncDriver], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(
        self, instance: Namespace[AsyncDriver], owner: type
    ) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Namespace[Any] | None, owner: type) -> Any:
        if instance is None:
            return self

        @functools.wraps(self._stream)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.driver.follow(self._stream(instance, *args, **kwargs))

        return method


endpoint = Endpoint
listing = Listing
following = Following
