"""What a store has: full backups by their sentinels, and the segments of the log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gardenos.backup import wal
from gardenos.backup.errors import BackupDamaged, StoreUnusable
from gardenos.backup.server import Server
from gardenos.backup.store import BACKUPS, WAL, Store, Stored, unpacked
from gardenos.backup.wal import Lsn, Segment, Switch

CLUSTER = "cluster.json"
_SENTINEL = "_backup_stop_sentinel.json"
_NAME = re.compile(r"base_[0-9A-F]{24}")


class Part(BaseModel):
    """A file of a full backup."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    sha256: str


class Backup(BaseModel):
    """A full backup, as its sentinel has it."""

    model_config = ConfigDict(frozen=True)

    format: Literal["gardenos-backup/1"] = "gardenos-backup/1"
    name: str
    system_identifier: int
    version: int
    """PostgreSQL's, such as 180006."""
    segment_size: int
    timeline: int
    start_lsn: str
    finish_lsn: str
    started_at: datetime
    finished_at: datetime
    """From then on the log leads to any moment."""
    data_size: int
    """Bytes of the data directory."""
    parts: Sequence[Part]

    @property
    def size(self) -> int:
        """Bytes in the store."""
        return sum(part.size for part in self.parts)

    @property
    def finish(self) -> Lsn:
        """Where the log has to go on."""
        return wal.parse_lsn(self.finish_lsn)

    @property
    def first_segment(self) -> Segment:
        """The oldest segment that its recovery reads."""
        return Segment.at(self.timeline, wal.parse_lsn(self.start_lsn), size=self.segment_size)

    def path(self, part: Part) -> str:
        """Where a part is in the store."""
        return f"{BACKUPS}/{self.name}/{part.name}"


def sentinel(name: str) -> str:
    """Where the sentinel of a backup is."""
    return f"{BACKUPS}/{name}{_SENTINEL}"


class Cluster(BaseModel):
    """Whose backups these are: one cluster to a place."""

    model_config = ConfigDict(frozen=True)

    system_identifier: int
    segment_size: int


def claim(store: Store, server: Server) -> None:
    """Make the place this server's. Raises `StoreUnusable` where it is another's."""
    ours = Cluster(system_identifier=server.system_identifier, segment_size=server.segment_size)
    if store.create(CLUSTER, ours.model_dump_json().encode()):
        return
    theirs = read_cluster(store)
    if theirs is None or theirs.system_identifier != ours.system_identifier:
        raise StoreUnusable(
            f"{store.where} has the backups of another database. Give this one a place of its own "
            "with GARDENOS_BACKUP_URL; a database made anew counts as another."
        )


def read_cluster(store: Store) -> Cluster | None:
    """Whose backups these are; None where there are none. Raises `BackupDamaged`."""
    said = store.read(CLUSTER)
    if said is None:
        return None
    try:
        return Cluster.model_validate_json(said)
    except ValidationError as error:
        raise BackupDamaged(f"{CLUSTER} in {store.where} is damaged: {error}.") from error


@dataclass(frozen=True, slots=True)
class Log:
    """The stored log of one cluster."""

    segments: Mapping[Segment, Stored]
    histories: Mapping[int, Sequence[Switch]]
    partial: tuple[Segment, Stored] | None
    """The newest segment, as far as it was filled when it was stored."""

    def after(self, backup: Backup) -> wal.Chain:
        """What leads on from a backup."""
        return wal.chain(
            backup.timeline,
            backup.finish,
            self.segments.keys(),
            self.histories,
            size=backup.segment_size,
            partial=self.partial[0] if self.partial else None,
        )

    def partial_after(self, backup: Backup, chain: wal.Chain) -> Stored | None:
        """The unfinished segment that follows a chain, if there is one."""
        if self.partial is None or chain.missing:
            return None
        last = chain.whole[-1].number if chain.whole else backup.finish // backup.segment_size - 1
        return self.partial[1] if self.partial[0].number == last + 1 else None

    def leads_to(self, backup: Backup) -> datetime | None:
        """When the end was stored to which the log leads; None where nothing follows the backup."""
        chain = self.after(backup)
        partial = self.partial_after(backup, chain)
        if partial:
            return partial.at
        return self.segments[chain.whole[-1]].at if chain.whole else None


@dataclass(frozen=True, slots=True)
class Catalog:
    """All of a store at one moment."""

    backups: Sequence[Backup]
    """The oldest first."""
    log: Log
    unfinished: Mapping[str, Sequence[Stored]]
    """The files of backups without a sentinel: being made, or given up."""

    def backup(self, name: str) -> Backup:
        """The backup of that name. Raises `StoreUnusable` where there is none."""
        for backup in self.backups:
            if backup.name == name:
                return backup
        raise StoreUnusable(
            f"There is no backup {name}. `gardenos backup list` shows those there are."
        )


def read(store: Store) -> Catalog:
    """Everything there is. Raises `StoreUnusable`, `BackupDamaged`."""
    backups: list[Backup] = []
    files: dict[str, list[Stored]] = {}
    for file in store.files(BACKUPS):
        if file.name.endswith(_SENTINEL):
            backups.append(_read_sentinel(store, file.path))
        elif _NAME.fullmatch(name := file.path.split("/")[1]):
            files.setdefault(name, []).append(file)
    whole = {backup.name for backup in backups}
    cluster = read_cluster(store)
    return Catalog(
        sorted(backups, key=lambda backup: backup.finished_at),
        read_log(store, size=cluster.segment_size) if cluster else Log({}, {}, None),
        {name: found for name, found in files.items() if name not in whole},
    )


def _read_sentinel(store: Store, path: str) -> Backup:
    try:
        return Backup.model_validate_json(store.read(path) or b"")
    except ValidationError as error:
        raise BackupDamaged(
            f"{path} does not say what a backup of GardenOS says: it is damaged, or of another "
            "program. Keep each program's backups in a place of its own."
        ) from error


def read_log(store: Store, *, size: int) -> Log:
    """The stored log; `size` is a segment's size in bytes."""
    segments: dict[Segment, Stored] = {}
    histories: dict[int, Sequence[Switch]] = {}
    partials: list[tuple[Segment, Stored]] = []
    for file in store.files(WAL):
        name = file.name.removesuffix(".gz")
        if wal.SEGMENT_NAME.fullmatch(name):
            segments[Segment.of(name, size=size)] = file
        elif wal.HISTORY_NAME.fullmatch(name):
            content = unpacked(store.read(file.path) or b"")
            histories[int(name[:8], 16)] = wal.parse_history(content.decode())
        elif name.endswith(".partial"):
            partials.append((Segment.of(name.removesuffix(".partial"), size=size), file))
    newest = max(partials, default=None, key=lambda one: one[0])
    return Log(segments, histories, newest if newest and newest[0] not in segments else None)
