"""Token buckets that all gateways share, at next to no cost for a request.

The bucket of a subject is a row. A gateway leases tokens from it in slices and spends them from its
own memory; while a slice is on its way it goes on spending in advance, up to one slice.
docs/adr/0025-limits-are-leased-in-slices.md says how far off that can be.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from gardenos.db import sql
from gardenos.db.session import Database, Role

QUERIES = sql.load("gardenos.web")
WINDOW_S: Final = 60
_SLICES = 20
"""Of a quota; a gateway leases a twentieth at once, between 1 and `_LARGEST_SLICE`."""
_LARGEST_SLICE = 200
_MOST_SUBJECTS = 50_000
_FORGET_EVERY_S = 600.0
_AT_ONCE = 500
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests in `WINDOW_S` seconds; a quota of 0 is no limit."""

    name: str
    quota: int

    @property
    def per_s(self) -> float:
        """How fast tokens come back."""
        return self.quota / WINDOW_S

    @property
    def slice(self) -> int:
        """How many tokens a gateway leases at once."""
        return max(1, min(_LARGEST_SLICE, self.quota // _SLICES))


@dataclass(slots=True)
class _Purse:
    """What this process holds of one bucket."""

    policy: Policy
    left: float = 0.0
    spent: float = 0.0
    """In advance, to be charged with the next lease."""
    elsewhere: float = 0.0
    """What the bucket held after the last lease; below 0 where it owes."""
    dry_until: float = 0.0
    leased: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on, and what its answer says about it."""

    remaining: Sequence[tuple[str, int, int]]
    """By policy: its name, the requests left, the seconds until more of them come back."""
    refused_by: str | None = None
    wait_s: float = 0.0


class Buckets:
    """Says who has asked too often. One for each process."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._purses: dict[str, _Purse] = {}
        self._wanted: dict[str, _Purse] = {}
        self._leasing: asyncio.Task[None] | None = None
        self._forgot_at = clock()
        self._said = ""

    async def admit(self, *asked: tuple[str, Policy]) -> Verdict:
        """Spend one token of each subject, or none of any.

        Waits only where a whole slice was spent in advance, and then for one statement.
        """
        purses = [self._purse(subject, policy) for subject, policy in asked]
        for (subject, _), purse in zip(asked, purses, strict=True):
            while purse.left < 1 and purse.spent >= purse.policy.slice and not self._is_dry(purse):
                purse.leased.clear()
                self._want(subject, purse)
                await purse.leased.wait()
        now = self._clock()
        refused = next((p for p in purses if self._is_dry(p)), None)
        if refused is None:
            for (subject, _), purse in zip(asked, purses, strict=True):
                self._spend(subject, purse)
        return Verdict(
            [_remaining(purse, now) for purse in purses],
            refused.policy.name if refused else None,
            max(0.0, refused.dry_until - now) if refused else 0.0,
        )

    async def aclose(self) -> None:
        """Wait for a lease that is under way."""
        if self._leasing is not None:
            await asyncio.gather(self._leasing, return_exceptions=True)

    def _purse(self, subject: str, policy: Policy) -> _Purse:
        purse = self._purses.get(subject)
        if purse is None or purse.policy is not policy:
            if len(self._purses) >= _MOST_SUBJECTS:
                # The first that came: what it holds of its bucket is lost, which lets nobody in.
                del self._purses[next(iter(self._purses))]
            purse = self._purses[subject] = _Purse(policy, elsewhere=policy.quota)
        return purse

    def _is_dry(self, purse: _Purse) -> bool:
        return purse.left < 1 and purse.dry_until > self._clock()

    def _spend(self, subject: str, purse: _Purse) -> None:
        if purse.left >= 1:
            purse.left -= 1
        else:
            purse.spent += 1
        if _is_low(purse):
            self._want(subject, purse)

    def _want(self, subject: str, purse: _Purse) -> None:
        self._wanted[subject] = purse
        if self._leasing is None or self._leasing.done():
            self._leasing = asyncio.create_task(self._lease_wanted(), name="rate-limits")

    async def _lease_wanted(self) -> None:
        while self._wanted:
            taken: dict[str, _Purse] = {}
            while self._wanted and len(taken) < _AT_ONCE:
                subject, purse = self._wanted.popitem()
                if _is_low(purse):
                    taken[subject] = purse
                else:
                    purse.leased.set()
            try:
                await self._lease(taken)
                self._said = ""
            except Exception as error:  # noqa: BLE001 whoever cannot count must not refuse: it has its own error
                self._say(f"{type(error).__name__}: {error}")
                for purse in taken.values():
                    purse.left, purse.spent = float(purse.policy.slice), 0.0
                    purse.leased.set()

    def _say(self, error: str) -> None:
        if error != self._said:
            self._said = error
            _log.warning("rate_limits_not_shared", error=error)

    async def _lease(self, taken: dict[str, _Purse]) -> None:
        charged = {subject: purse.spent for subject, purse in taken.items()}
        async with self._database.system(Role.AUTH) as session:
            rows = await session.fetch(
                QUERIES["lease_tokens"],
                list(taken),
                [float(purse.policy.quota) for purse in taken.values()],
                [purse.policy.per_s for purse in taken.values()],
                list(charged.values()),
                [float(purse.policy.slice) for purse in taken.values()],
            )
            if self._clock() - self._forgot_at > _FORGET_EVERY_S:
                self._forgot_at = self._clock()
                await session.execute(QUERIES["forget_buckets"])
        now = self._clock()
        for row in rows:
            purse = taken[row["subject"]]
            purse.spent -= charged[row["subject"]]
            purse.left += row["granted"]
            purse.elsewhere = row["tokens"]
            if purse.left < 1:
                purse.dry_until = now + max(0.0, 1 - purse.elsewhere) / purse.policy.per_s
            purse.leased.set()


def _is_low(purse: _Purse) -> bool:
    return purse.spent > 0 or purse.left < purse.policy.slice / 4


def _remaining(purse: _Purse, now: float) -> tuple[str, int, int]:
    policy = purse.policy
    left = max(0, min(policy.quota, math.floor(purse.left + purse.elsewhere - purse.spent)))
    if left == 0 and purse.dry_until > now:
        return policy.name, 0, math.ceil(purse.dry_until - now)
    return policy.name, left, math.ceil((policy.quota - left) / policy.per_s)
