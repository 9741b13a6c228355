"""What is broken when: a pure function of a seed and a length."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

FIRST_S = 4.0
"""Before the first fault: there must be something to break."""


class Kind(StrEnum):
    """What can be broken. The values are those of the report."""

    AGENT = "agent replica killed"
    ORCHESTRATOR = "orchestrator killed"
    CONTROLLER = "Serve's controller killed"
    PROXY = "Serve's proxy killed"
    HAPROXY = "HAProxy killed"
    WORKER = "any of Ray's workers killed"
    POSTGRES = "PostgreSQL killed and restarted"
    FROZEN = "agent replica stopped past its lease"
    CONNECTIONS = "database connections dropped"
    MODEL_HANGS = "model endpoint hangs"
    MODEL_FAILS = "model endpoint answers 500, 429, rubbish or nothing"


WEIGHTS: Mapping[Kind, int] = {
    Kind.AGENT: 6,
    Kind.ORCHESTRATOR: 3,
    Kind.CONTROLLER: 1,
    Kind.PROXY: 1,
    Kind.HAPROXY: 1,
    Kind.WORKER: 2,
    Kind.POSTGRES: 2,
    Kind.FROZEN: 4,
    Kind.CONNECTIONS: 3,
    Kind.MODEL_HANGS: 2,
    Kind.MODEL_FAILS: 2,
}
_GAP_S = (1.5, 6.0)
"""Between two faults: less than a replica takes to come back, so that faults overlap."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break."""

    at_s: float
    """Seconds after the load began."""
    kind: Kind
    choice: float
    """0 to 1: which of those that there are, whatever they will be then."""
    lasts: float = 0.0
    """Of what lasts a while: seconds, or for a frozen replica so many lease times."""


def plan(seed: int, minutes: float) -> Sequence[Fault]:
    """The faults of a run, in order. Each kind comes at least once where there is room for all.

    The beginning is a round of every kind; after it, kinds come by weight.
    """
    chosen = random.Random(seed)  # noqa: S311 repeatable, not secret
    kinds = chosen.sample(list(Kind), len(Kind))
    faults: list[Fault] = []
    at_s = FIRST_S
    while at_s < minutes * 60:
        kind = kinds.pop(0) if kinds else chosen.choices(list(WEIGHTS), [*WEIGHTS.values()])[0]
        faults.append(Fault(round(at_s, 3), kind, chosen.random(), _lasts(kind, chosen)))
        at_s += chosen.uniform(*_GAP_S)
    return faults


def _lasts(kind: Kind, chosen: random.Random) -> float:
    match kind:
        case Kind.FROZEN:
            return round(chosen.uniform(1.3, 2.5), 3)
        case Kind.MODEL_HANGS | Kind.MODEL_FAILS:
            return round(chosen.uniform(3.0, 10.0), 3)
        case Kind.POSTGRES:
            return round(chosen.uniform(0.0, 3.0), 3)
        case _:
            return 0.0
