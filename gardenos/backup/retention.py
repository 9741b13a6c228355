"""What may go: backups beyond the newest few, and the log that none of the others needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gardenos.backup.catalog import Backup, Catalog, sentinel
from gardenos.backup.store import BACKUPS, Store

ABANDONED = timedelta(days=1)
"""A backup that is not whole after so long is not being made any more."""


@dataclass(frozen=True, slots=True)
class Prune:
    """What to remove."""

    backups: Sequence[Backup]
    log: Sequence[str]
    """Paths of segments and partial segments."""
    unfinished: Sequence[str]
    """Names of backups that were given up while they were made."""


def decide(catalog: Catalog, *, keep: int, now: datetime) -> Prune:
    """Keep the newest `keep` backups and all of the log that they need. Decides only."""
    if keep < 1:
        raise ValueError("at least one backup is kept")
    kept, surplus = catalog.backups[-keep:], catalog.backups[:-keep]
    unfinished = [
        name
        for name, files in catalog.unfinished.items()
        if max(file.at for file in files) < now - ABANDONED
    ]
    # Without a backup nobody knows which of the log is still needed.
    oldest = min((backup.first_segment.number for backup in kept), default=0)
    log = [file.path for segment, file in catalog.log.segments.items() if segment.number < oldest]
    partial = catalog.log.partial
    if partial and partial[0].number < oldest:
        log.append(partial[1].path)
    return Prune(surplus, log, unfinished)


def carry_out(store: Store, prune: Prune) -> None:
    """Remove it. Broken off, it leaves nothing that looks whole and is not."""
    for backup in prune.backups:
        store.remove(sentinel(backup.name))
    for name in (*(backup.name for backup in prune.backups), *prune.unfinished):
        store.remove(*(file.path for file in store.files(f"{BACKUPS}/{name}")))
    store.remove(*prune.log)
