"""The notice board of a cluster: small JSON notes that replicas leave for each other.

A note is a hint with a stamp, never the truth: losing the whole board costs a few seconds of
knowledge. Behind the protocol is Ray's internal key-value store, or a dictionary in tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

POOLS: Final = "pools"
"""The orchestrator's note: backlog, tasks in flight and override of every agent type."""
AGENT_PREFIX: Final = "agent:"
"""One note per agent replica, `agent:<id>`: that it lives, and its metrics."""
STANDBY: Final = "standby"
"""The note of an orchestrator that waits for another to leave office."""
METRICS_PREFIX: Final = "metrics:"
"""One note per process of the cluster, `metrics:<process>`: all it has counted."""
TALLY: Final = "tally"
"""The orchestrator's note: what processes counted that are gone."""


class Board(Protocol):
    """Where notes hang. Every method may block and may raise whatever its transport does."""

    def put(self, key: str, note: bytes) -> None:
        """Leave a note, in place of the one before."""
        ...

    def read(self, prefix: str) -> Mapping[str, bytes]:
        """The notes whose key begins with `prefix`."""
        ...

    def drop(self, key: str) -> None:
        """Take a note down."""
        ...


def encode(note: Mapping[str, Any]) -> bytes:
    """A note as bytes."""
    return json.dumps(note, separators=(",", ":"), default=str).encode()


def decode(note: bytes) -> dict[str, Any]:
    """A note from bytes; empty for one that cannot be read."""
    try:
        read = json.loads(note)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


class LocalBoard:
    """A board within one process."""

    def __init__(self) -> None:
        self.notes: dict[str, bytes] = {}

    def put(self, key: str, note: bytes) -> None:
        """See `Board`."""
        self.notes[key] = note

    def read(self, prefix: str) -> Mapping[str, bytes]:
        """See `Board`."""
        return {key: note for key, note in self.notes.items() if key.startswith(prefix)}

    def drop(self, key: str) -> None:
        """See `Board`."""
        self.notes.pop(key, None)
