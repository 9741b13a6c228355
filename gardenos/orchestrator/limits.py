"""How many runs may begin: limits on what runs, on runs and tokens per minute, and pauses. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import floor
from sys import maxsize
from typing import TypeAlias

from gardenos.core.ids import AgencyId

Pair: TypeAlias = tuple[str, AgencyId]
"""An agent type and an agency: what is counted."""
Scope: TypeAlias = tuple[str | None, AgencyId | None]
"""What a limit or a pause binds: a type (agency None), an agency (type None), or a pair of them."""
MINUTE_S = 60
TOKENS_PER_RUN = 1000.0
"""What a run is taken to need, as long as nobody has seen one of its type end."""


class Hold(StrEnum):
    """Why a task that waits does not run."""

    NOT_DUE = "not_due"
    PAUSED_TYPE = "paused_type"
    PAUSED_AGENCY = "paused_agency"
    PAUSED_BOTH = "paused_both"
    NO_AGENTS = "no_agents"
    LIMIT_RUNNING = "limit_running"
    LIMIT_REQUESTS = "limit_requests"
    LIMIT_TOKENS = "limit_tokens"
    AGENTS_FULL = "agents_full"
    WAITS_TURN = "waits_turn"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a row of `dispatch_limits` sets; None does not limit."""

    weight: int = 1
    max_running: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What models took in the last minute, and in how many runs."""

    used: int
    runs: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the database says that dispatch must keep to, and what it cannot see by itself."""

    limits: Mapping[Scope, Limit] = field(default_factory=dict[Scope, Limit])
    paused: frozenset[Scope] = frozenset()
    elsewhere: Mapping[Pair, int] = field(default_factory=dict[Pair, int])
    """Runs under leases of other holders: a predecessor's, that its agents still finish."""
    tokens: Mapping[Pair, Tokens] = field(default_factory=dict[Pair, Tokens])

    def weight(self, agency_id: AgencyId) -> int:
        """The agency's share, relative to others'."""
        limit = self.limits.get((None, agency_id))
        return limit.weight if limit else 1


@dataclass(frozen=True, slots=True)
class Load:
    """What the limits are held against, each figure for every scope."""

    running: Mapping[Scope, int] = field(default_factory=dict[Scope, int])
    begun: Mapping[Scope, int] = field(default_factory=dict[Scope, int])
    """Runs begun within the last minute."""
    tokens: Mapping[Scope, int] = field(default_factory=dict[Scope, int])
    """Used within the last minute."""
    unbilled: Mapping[Scope, int] = field(default_factory=dict[Scope, int])
    """Runs whose tokens are not in these figures yet."""
    tokens_per_run: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Room:
    """How many more runs may begin, and what keeps it from being more."""

    n: int = maxsize
    hold: Hold | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The room of one agent type: for all agencies together, and of each."""

    of_type: Room
    of_agency: Mapping[AgencyId, Room]

    def of(self, agency_id: AgencyId) -> Room:
        """What binds an agency's next run: the smaller of the two."""
        return min(self.of_type, self.of_agency.get(agency_id, Room()), key=lambda room: room.n)


def scopes(pair: Pair) -> tuple[Scope, Scope, Scope]:
    """The scopes that a run counts in."""
    agent_type, agency_id = pair
    return (agent_type, None), (None, agency_id), pair


def tally(counts: Mapping[Pair, int]) -> Counter[Scope]:
    """Counts of pairs, added up for every scope."""
    found: Counter[Scope] = Counter()
    for pair, n in counts.items():
        for scope in scopes(pair):
            found[scope] += n
    return found


def rooms(agent_type: str, rules: Rules, load: Load) -> Rooms:
    """How many runs of a type may begin now. Every limit of every scope holds, and every pause."""
    bound = {agency_id for _, agency_id in (*rules.limits, *rules.paused) if agency_id is not None}
    each = {
        agency_id: min(
            _room((None, agency_id), agent_type, rules, load),
            _room((agent_type, agency_id), agent_type, rules, load),
            key=lambda room: room.n,
        )
        for agency_id in bound
    }
    return Rooms(_room((agent_type, None), agent_type, rules, load), each)


def _room(scope: Scope, agent_type: str, rules: Rules, load: Load) -> Room:
    if scope in rules.paused:
        return _paused(scope)
    limit = rules.limits.get(scope)
    if limit is None:
        return Room()
    found = [Room()]
    whose = _whose(scope)
    if limit.max_running is not None:
        left = limit.max_running - load.running.get(scope, 0)
        why = f"{whose} may run {limit.max_running} at a time, and as many run."
        found.append(Room(max(0, left), Hold.LIMIT_RUNNING, why))
    if limit.requests_per_minute is not None:
        left = limit.requests_per_minute - load.begun.get(scope, 0)
        why = f"{whose} may begin {limit.requests_per_minute} a minute, and as many have begun."
        found.append(Room(max(0, left), Hold.LIMIT_REQUESTS, why))
    if limit.tokens_per_minute is not None:
        left = _runs_for_tokens(limit.tokens_per_minute, scope, agent_type, load)
        why = f"{whose} may use {limit.tokens_per_minute} tokens a minute, all used or promised."
        found.append(Room(left, Hold.LIMIT_TOKENS, why))
    return min(found, key=lambda room: room.n)


def _runs_for_tokens(per_minute: int, scope: Scope, agent_type: str, load: Load) -> int:
    def needs(each: str) -> float:
        return load.tokens_per_run.get(each, TOKENS_PER_RUN)

    used = load.tokens.get(scope, 0)
    types = {t for t, _ in load.unbilled if t is not None} if scope[0] is None else {scope[0]}
    promised = sum(load.unbilled.get((each, scope[1]), 0) * needs(each) for each in types)
    left = per_minute - used - promised
    if needs(agent_type) <= 0:
        return maxsize if left > 0 else 0
    # Where a single run needs more than a minute may use, it runs alone: or it never would.
    return max(floor(left / needs(agent_type)), 0 if used or promised else 1)


def _paused(scope: Scope) -> Room:
    match scope:
        case (str() as agent_type, None):
            return Room(0, Hold.PAUSED_TYPE, f"{agent_type} is paused for every agency.")
        case (None, _):
            return Room(0, Hold.PAUSED_AGENCY, "The agency is paused for every type of agent.")
        case (agent_type, _):
            return Room(0, Hold.PAUSED_BOTH, f"{agent_type} is paused for the agency.")


def _whose(scope: Scope) -> str:
    match scope:
        case (str() as agent_type, None):
            return f"All agencies' {agent_type} tasks together"
        case (None, _):
            return "The agency's tasks of all types together"
        case (agent_type, _):
            return f"The agency's {agent_type} tasks"


class Window:
    """Counts runs begun within the last minute, by seconds of any steady clock.

    A second counts until all of it has passed out of the minute, so that no minute, wherever it
    begins, ever sees more than the limit.
    """

    def __init__(self) -> None:
        self._begun: deque[tuple[int, Pair, int]] = deque()
        self._counts: Counter[Scope] = Counter()

    def add(self, pair: Pair, runs: int, at: float) -> None:
        """Note down `runs` begun at `at`; times only go forward."""
        self._begun.append((floor(at), pair, runs))
        for scope in scopes(pair):
            self._counts[scope] += runs

    def counts(self, now: float) -> Mapping[Scope, int]:
        """How many began within the minute before `now`, for every scope."""
        while self._begun and self._begun[0][0] + 1 + MINUTE_S <= now:
            _, pair, runs = self._begun.popleft()
            for scope in scopes(pair):
                self._counts[scope] -= runs
                if not self._counts[scope]:
                    del self._counts[scope]
        return self._counts
