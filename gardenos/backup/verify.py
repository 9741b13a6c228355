"""Whether what is stored is what was stored, and whether the log leads on from every backup."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gardenos.backup import wal
from gardenos.backup.catalog import Backup, Catalog
from gardenos.backup.store import BACKUPS, Store, unpacked
from gardenos.backup.wal import Segment
from gardenos.backup.watch import SILENT, Watch

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one backup."""

    backup: Backup
    faults: Sequence[str]
    """Sentences; none where it is sound."""
    leads_to: datetime | None
    """When the end was stored to which the log leads; None where there is no log after it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of all."""

    verdicts: Sequence[Verdict]
    log_faults: Sequence[str]
    """What is wrong with the log, and with which backups it matters."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.log_faults and not any(verdict.faults for verdict in self.verdicts)


def verify(
    store: Store, catalog: Catalog, *, contents: bool = True, watch: Watch = SILENT
) -> Report:
    """Look at every backup and the log from the oldest on.

    With `contents` every byte is read; without, names and sizes only. Raises `StoreUnusable`.
    """
    verdicts: list[Verdict] = []
    for backup in catalog.backups:
        watch.doing(f"Checking {backup.name}")
        verdicts.append(_judge(store, catalog, backup, contents, watch))
    watch.doing("Checking the log")
    faults = list(_gaps(catalog))
    if contents:
        faults += _damaged(store, catalog, watch)
    return Report(verdicts, faults)


def _judge(store: Store, catalog: Catalog, backup: Backup, contents: bool, watch: Watch) -> Verdict:
    sizes = {file.path: file.size for file in store.files(f"{BACKUPS}/{backup.name}")}
    faults: list[str] = []
    for part in backup.parts:
        path = backup.path(part)
        if path not in sizes:
            faults.append(f"{part.name} is missing")
        elif sizes[path] != part.size:
            faults.append(f"{part.name} has {sizes[path]} bytes instead of {part.size}")
        elif contents and _digest(store, path, watch, part.size) != part.sha256:
            faults.append(f"{part.name} is not what was stored")
    return Verdict(backup, faults, catalog.log.leads_to(backup))


def _digest(store: Store, path: str, watch: Watch, size: int) -> str:
    made, done = hashlib.sha256(), 0
    for chunk in store.chunks(path):
        made.update(chunk)
        done += len(chunk)
        watch.progress(done, size)
    return made.hexdigest()


def _gaps(catalog: Catalog) -> Iterator[str]:
    told: set[Segment] = set()
    for backup in catalog.backups:
        chain = catalog.log.after(backup)
        new = [segment for segment in chain.missing if segment not in told]
        told.update(new)
        if new:
            names = [segment.name(size=backup.segment_size) for segment in new[:_NAMED]]
            more = f" and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
            until = catalog.log.leads_to(backup) or backup.finished_at
            yield (
                f"The log after {backup.name} lacks {', '.join(names)}{more}: from there it leads to "
                f"{until:%Y-%m-%d %H:%M:%S} UTC at most."
            )


def _damaged(store: Store, catalog: Catalog, watch: Watch) -> Iterator[str]:
    """Segments that do not unpack or are not what their name says, from the oldest backup on."""
    if not catalog.backups:
        return
    oldest = min(catalog.backups, key=lambda backup: backup.first_segment.number)
    size, system = oldest.segment_size, oldest.system_identifier
    segments = [s for s in sorted(catalog.log.segments) if s.number >= oldest.first_segment.number]
    for done, segment in enumerate(segments, start=1):
        try:
            content = unpacked(store.read(catalog.log.segments[segment].path) or b"")
            wal.check_segment(content, segment, size=size, system_identifier=system)
        except ValueError as error:
            yield f"The log's segment {segment.name(size=size)} is damaged: {error}."
        watch.progress(done * size, len(segments) * size)
