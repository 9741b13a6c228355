"""Where slices are kept: what both keepers, the Kubernetes API and a folder, do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from gardenos.discovery.slices import Foreign, Slice


class StoreAway(Exception):
    """The keeper of the slices did not answer, or not with what was asked."""


class Conflict(Exception):
    """The slice is no longer what was read."""


class SliceStore(Protocol):
    """Keeps slices under versions and compares them on every write."""

    def read(self, service: str) -> Slice | Foreign | None:
        """The slice of a service; None where there is none. Raises `StoreAway`."""
        ...

    def write(self, wanted: Slice) -> None:
        """Write it over the version it was read with. Raises `Conflict` or `StoreAway`."""
        ...

    def close(self) -> None:
        """Drop what connects to it."""
        ...


def now() -> str:
    """The time to write beside a change."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
