"""Waiting for what other processes do: ask again until it is so, or fail with what was seen last."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

T = TypeVar("T")


def until(ask: Callable[[], T], holds: Callable[[T], bool], *, within_s: float) -> T:
    """What `ask` answered when it first held. Fails the test after `within_s` seconds."""
    seen: list[T] = []

    def look() -> T:
        seen[:] = [ask()]
        return seen[0]

    retrying = Retrying(
        retry=retry_if_result(lambda answer: not holds(answer)),
        stop=stop_after_delay(within_s),
        wait=wait_fixed(0.1),
    )
    try:
        return retrying(look)
    except RetryError:
        raise AssertionError(f"Not within {within_s:g} s; last seen: {seen[0]!r}") from None
