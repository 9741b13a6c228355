"""Two agencies in one installation: one that has a record of every kind, and one that is curious."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.support.isolation.agency import Agency
from tests.support.isolation.document import Operation


@dataclass(frozen=True)
class World:
    """Who is there, and what can be asked."""

    operations: Sequence[Operation]
    ours: Agency
    theirs: Agency


class MakeWorld(Protocol):
    """Fills both through the operations under these paths; through all unless given."""

    async def __call__(self, *prefixes: str) -> World: ...
