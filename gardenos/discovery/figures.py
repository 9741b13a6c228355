"""What the sidecar counts, in Prometheus' text format."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_HELP = {
    "cycles_total": ("counter", "Cycles since the start."),
    "actions_total": ("counter", "What cycles did, by slice: publish, withdraw, keep or refuse."),
    "conflicts_total": ("counter", "Writes that met a slice changed since it was read."),
    "late_total": ("counter", "Writes not made because what was seen had become old meanwhile."),
    "store_failures_total": ("counter", "Cycles in which the keeper of the slices failed."),
    "wakes_total": ("counter", "Cycles begun early because the leader key changed."),
    "store_up": ("gauge", "Whether the keeper of the slices answered when last asked."),
    "etcd_up": ("gauge", "Whether etcd answered when last asked."),
    "patroni_up": ("gauge", "Whether Patroni answered when last asked."),
    "watch_up": ("gauge", "Whether the watch on the leader key is open."),
    "leads": ("gauge", "Whether this member leads and the slice says so."),
    "refuses": ("gauge", "Whether a slice needs a person: the log says which and why."),
    "term": ("gauge", "The term this member last led under."),
    "timeline": ("gauge", "The timeline this member last led on."),
    "replicas": ("gauge", "Replicas this member publishes as the leader."),
    "last_cycle_timestamp_seconds": ("gauge", "When the last cycle ended."),
    "last_write_timestamp_seconds": ("gauge", "When this sidecar last changed a slice."),
    "cycle_seconds": ("gauge", "How long the last cycle took."),
    "resident_memory_bytes": ("gauge", "Memory in use, or the most ever where only that is known."),
}
_PREFIX = "gardenos_discovery_"


class Figures:
    """Numbers by name and label; every name is known from the start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], float] = {(name, ""): 0.0 for name in _HELP}
        del self._values["actions_total", ""]
        for service in ("primary", "replicas"):
            for action in ("publish", "withdraw", "keep", "refuse"):
                self._values["actions_total", _label(service, action)] = 0.0

    def count(self, name: str) -> None:
        """One more of `name`."""
        self._add(name, "")

    def count_action(self, service: str, action: str) -> None:
        """One more `action` on the slice of the `primary` or the `replicas`."""
        self._add("actions_total", _label(service, action))

    def set(self, name: str, value: float) -> None:
        """Let `name` be `value`."""
        with self._lock:
            self._values[name, ""] = float(value)

    def get(self, name: str, label: str = "") -> float:
        """What `name` is now."""
        with self._lock:
            return self._values[name, label]

    def _add(self, name: str, label: str) -> None:
        with self._lock:
            self._values[name, label] += 1

    def render(self) -> str:
        """All of them, as Prometheus reads them."""
        self.set("resident_memory_bytes", resident_bytes())
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        with self._lock:
            values = dict(self._values)
        for name, (kind, about) in _HELP.items():
            yield f"# HELP {_PREFIX}{name} {about}"
            yield f"# TYPE {_PREFIX}{name} {kind}"
            for (of, label), value in values.items():
                if of == name:
                    yield f"{_PREFIX}{name}{label} {value:.15g}"


def _label(service: str, action: str) -> str:
    return f'{{slice="{service}",action="{action}"}}'


def resident_bytes() -> int:
    """This process's memory: now on Linux, elsewhere the most it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()


def timestamp() -> float:
    """Seconds since 1970."""
    return time.time()
