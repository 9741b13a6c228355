"""The way back: a backup and the log after it become a data directory as it was at a moment.

Nothing is written over: the directory is made in a folder of its own, brought to the moment by
PostgreSQL's own recovery, and checked before it is handed over.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gardenos.backup import access, checks, wal
from gardenos.backup.base import DATA, LOG, MANIFEST
from gardenos.backup.catalog import Backup, Catalog, Part
from gardenos.backup.errors import ArchiveGap, BackupDamaged, RestoreRefused
from gardenos.backup.programs import ProgramFailed, run
from gardenos.backup.store import WAL, Store, unpacked
from gardenos.backup.wal import Segment
from gardenos.backup.watch import SILENT, Watch
from gardenos.db.embedded import EmbeddedPostgres, EmbeddedPostgresError

_LOOK_AGAIN_S = 0.2
_BEFORE_PATRONI = "postgresql.base.conf"
"""Where Patroni puts the settings that it found, and includes them from its own."""
_HBA = """\
local all all scram-sha-256
local replication all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""
"""As the embedded server begins."""
_TOO_SHORT = "recovery ended before configured recovery target was reached"


@dataclass(frozen=True, slots=True)
class Goal:
    """What to restore, and to which moment."""

    backup: Backup
    to: datetime | None
    """None: as far as the log leads."""


def choose(catalog: Catalog, *, to: datetime | None = None, name: str | None = None) -> Goal:
    """The newest backup from which the log leads to the moment.

    Raises `RestoreRefused` where there is none, `ArchiveGap` where the log does not lead on.
    """
    if to is not None and to.tzinfo is None:
        raise RestoreRefused("The moment has no time zone. Write it as 2026-11-24T18:30:00+01:00.")
    if to is not None and to > datetime.now(UTC):
        raise RestoreRefused(f"{to.isoformat()} is yet to come. Name a moment in the past.")
    fit = [
        backup
        for backup in ([catalog.backup(name)] if name else catalog.backups)
        if to is None or backup.finished_at <= to
    ]
    if not fit:
        raise RestoreRefused(_none_fits(catalog, to))
    goal = Goal(fit[-1], to)
    chain = catalog.log.after(goal.backup)
    if to is None and chain.missing:
        missing = chain.missing[0]
        until = catalog.log.leads_to(goal.backup) or goal.backup.finished_at
        raise ArchiveGap(
            f"The log after {goal.backup.name} lacks {missing.name(size=goal.backup.segment_size)}, so "
            f"it does not lead to the end. Name a moment before {until.isoformat()} with --to."
        )
    return goal


def _none_fits(catalog: Catalog, to: datetime | None) -> str:
    if not catalog.backups:
        return "There is no backup yet. Make one with `gardenos backup`."
    first = catalog.backups[0].finished_at
    return (
        f"No backup was finished before {to.isoformat() if to else 'now'}; the first one was at "
        f"{first.isoformat()}. Name a later moment."
    )


@dataclass(frozen=True, slots=True)
class Restored(EmbeddedPostgres):
    """A server on restored data: to be recovered and checked, then to be used as any other."""

    def require_empty(self) -> None:
        """Raise `RestoreRefused` unless there is nothing that could be lost."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise RestoreRefused(
                f"{self.folder} is not empty, and a restore writes over nothing. Name a folder that is "
                "empty or does not exist."
            )
        self._check_path()

    def adopt(self) -> None:
        """Make all of the data the server's own, whoever unpacked it."""
        self.own(self.folder, self.data)
        for parent, folders, files in os.walk(self.data):
            self.own(*(Path(parent) / name for name in (*folders, *files)))

    def halt(self) -> None:
        """Stop it; one that is about to end by itself is no fault."""
        try:
            self.stop()
        except EmbeddedPostgresError:
            if self.pid() is not None:
                raise

    def own(self, *paths: Path) -> None:
        """Make files the server's own."""
        self._hand_over(*paths)


def restore(
    store: Store, catalog: Catalog, goal: Goal, into: Path, *, watch: Watch = SILENT
) -> Restored:
    """Restore into the folder `into`, which gets a folder `data`; the server, checked and stopped.

    Raises `RestoreRefused`, `BackupDamaged`, `ArchiveGap`, `StoreUnusable`, `EmbeddedPostgresError`.
    """
    server = Restored(into)
    server.require_empty()
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for part in goal.backup.parts:
            watch.doing(f"Fetching {part.name}")
            _fetch(store, goal.backup, part, into / part.name, watch)
        watch.doing("Unpacking")
        _unpack(into, server.data)
        watch.doing("Checking every file")
        _check(server.data)
        watch.doing("Fetching the log")
        log = into / "log"
        segments = _fetch_log(store, catalog, goal.backup, log, watch)
        watch.doing("Recovering, and checking every table")
        _recover(server, goal, log, segments)
        _leave_cluster(server)
    except BaseException:
        server.halt()
        shutil.rmtree(into, ignore_errors=True)
        raise
    shutil.rmtree(log)
    return server


def _fetch(store: Store, backup: Backup, part: Part, file: Path, watch: Watch) -> None:
    made, done = hashlib.sha256(), 0
    try:
        with file.open("xb") as target:
            for chunk in store.chunks(backup.path(part)):
                target.write(chunk)
                made.update(chunk)
                done += len(chunk)
                watch.progress(done, part.size)
    except FileNotFoundError as error:
        raise BackupDamaged(f"{backup.name} lacks {part.name}. Restore another backup.") from error
    if made.hexdigest() != part.sha256:
        raise BackupDamaged(
            f"{part.name} of {backup.name} is not what was stored. Restore another backup with --from."
        )


def _unpack(folder: Path, data: Path) -> None:
    for packed, into in ((DATA, data), (LOG, data / "pg_wal")):
        into.mkdir(mode=0o700, exist_ok=True)
        with tarfile.open(folder / packed) as archive:
            # Links and names that lead out of the folder are refused.
            archive.extractall(into, filter="data")
        (folder / packed).unlink()
    (folder / MANIFEST).rename(data / MANIFEST)
    data.chmod(0o700)


def _check(data: Path) -> None:
    try:
        run("pg_verifybackup", ["--quiet", data])
    except ProgramFailed as error:
        raise BackupDamaged(
            f"The backup is not what its manifest says: {error}. Restore another one with --from."
        ) from error
    (data / MANIFEST).unlink()


def _fetch_log(
    store: Store, catalog: Catalog, backup: Backup, folder: Path, watch: Watch
) -> Sequence[Segment]:
    """Fetch and check what leads on from the backup without a gap; what that is.

    All of it before the server starts: PostgreSQL then reads plain files, and needs neither our
    programs nor the store's credentials.
    """
    folder.mkdir(mode=0o755)
    size = backup.segment_size
    chain = catalog.log.after(backup)
    for timeline in catalog.log.histories:
        name = f"{timeline:08X}.history"
        (folder / name).write_bytes(unpacked(store.read(f"{WAL}/{name}.gz") or b""))
    for done, segment in enumerate(chain.whole, start=1):
        name = segment.name(size=size)
        try:
            content = unpacked(store.read(catalog.log.segments[segment].path) or b"")
            wal.check_segment(
                content, segment, size=size, system_identifier=backup.system_identifier
            )
        except ValueError as error:
            raise BackupDamaged(f"The log's segment {name} is damaged: {error}.") from error
        (folder / name).write_bytes(content)
        watch.progress(done * size, len(chain.whole) * size)
    partial = catalog.log.partial_after(backup, chain)
    if partial:
        content = unpacked(store.read(partial.path) or b"")
        (folder / partial.name[:24]).write_bytes(content.ljust(size, b"\0"))
    return chain.whole


def _recover(server: Restored, goal: Goal, log: Path, segments: Sequence[Segment]) -> None:
    """Bring the data to the moment, look at every table, and stop the server again."""
    (server.data / "recovery.signal").touch()
    (server.data / "standby.signal").unlink(missing_ok=True)
    server.adopt()
    server.own(log, *log.iterdir())
    with access.private(server) as (settings, dsn):
        recovery = {
            "restore_command": f'cp "{str(log).replace("%", "%%")}/%f" "%p"',
            "recovery_target_timeline": "latest",
            "recovery_target_action": "promote",
            "recovery_target_time": goal.to.isoformat(sep=" ") if goal.to else "",
            # Nobody is let in before it has recovered, and it need not be as large as its original.
            "hot_standby": "off",
        }
        try:
            server.start({**settings, **recovery})
        except EmbeddedPostgresError as error:
            raise _why_it_ended(server, goal, segments) from error
        _await_promotion(server, dsn, goal, segments)
        checks.check_tables(dsn)
        server.halt()
    checks.check_pages(server.data)


def _leave_cluster(server: Restored) -> None:
    """Give data that Patroni had run PostgreSQL's own settings back.

    Patroni's name the other members, for whom each commit would wait, and let nobody in by the socket.
    """
    own = server.data / _BEFORE_PATRONI
    if not own.exists():
        return
    own.replace(server.data / "postgresql.conf")
    (server.data / "pg_hba.conf").write_text(_HBA)
    for left in (*server.data.glob("*.conf.backup"), server.data / "patroni.dynamic.json"):
        left.unlink(missing_ok=True)


def _await_promotion(server: Restored, dsn: str, goal: Goal, segments: Sequence[Segment]) -> None:
    while True:
        with suppress(ProgramFailed):
            run("pg_isready", ["--quiet"], dsn=dsn)
            return
        if server.pid() is None:
            raise _why_it_ended(server, goal, segments)
        time.sleep(_LOOK_AGAIN_S)


def _why_it_ended(
    server: Restored, goal: Goal, segments: Sequence[Segment]
) -> ArchiveGap | BackupDamaged:
    said = server.log.read_text("utf-8", "replace")
    if _TOO_SHORT not in said:
        return BackupDamaged(f"PostgreSQL could not recover: {' '.join(said.splitlines()[-6:])}")
    last = segments[-1].name(size=goal.backup.segment_size) if segments else "none"
    return ArchiveGap(
        f"The log leads from {goal.backup.name} to its segment {last} and not to "
        f"{goal.to.isoformat() if goal.to else 'the end'}: what follows is missing or was never stored. "
        "`gardenos backup verify` says how far it leads; name an earlier moment."
    )
