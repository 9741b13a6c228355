"""Hashing takes a while on purpose: off the event loop, and as long for nobody as for somebody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from gardenos.auth import passwords

RIGHT = "right horse battery"
ARGON2 = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


async def turns_of_the_loop(work: Coroutine[Any, Any, Any]) -> int:
    """How often the event loop came round while `work` was done."""
    doing = asyncio.create_task(work)
    turns = 0
    while not doing.done():
        await asyncio.sleep(0)
        turns += 1
    await doing
    return turns


async def cost(given: str, stored: str | None) -> float:
    """Seconds of processor time that comparing takes at least, whatever else the machine does."""
    spent: list[float] = []
    for _ in range(3):
        began = time.process_time()
        assert not await passwords.matches(given, stored)
        spent.append(time.process_time() - began)
    return min(spent)


async def test_a_hash_matches_its_password_and_no_other() -> None:
    stored = await passwords.hashed(RIGHT)
    assert stored.startswith("$2b$10$")
    assert await passwords.matches(RIGHT, stored)
    assert not await passwords.matches(RIGHT + "x", stored)
    assert not await passwords.matches("", stored)


async def test_two_hashes_of_one_password_differ() -> None:
    assert await passwords.hashed(RIGHT) != await passwords.hashed(RIGHT)


async def test_the_event_loop_turns_while_a_password_is_hashed_or_compared() -> None:
    stored = await passwords.hashed(RIGHT)
    assert await turns_of_the_loop(passwords.hashed(RIGHT)) > 10
    assert await turns_of_the_loop(passwords.matches(RIGHT, stored)) > 10


async def test_no_user_takes_as_long_as_a_wrong_password() -> None:
    wrong = await cost("a guess", await passwords.hashed(RIGHT))
    for given, stored in (
        ("a guess", None),
        ("a guess", ""),
        ("a guess", ARGON2),
        ("a guess too long for bcrypt" * 10, None),
    ):
        assert 0.5 < await cost(given, stored) / wrong < 2, (given, stored)


@pytest.mark.parametrize("stored", [None, "", ARGON2, "$2b$", "plain"])
async def test_what_is_no_hash_of_bcrypts_matches_nothing(stored: str | None) -> None:
    for given in ("", RIGHT, "plain", "." * 53):
        assert not await passwords.matches(given, stored)
