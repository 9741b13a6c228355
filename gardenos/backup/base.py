"""Making a full backup: `pg_basebackup` into a folder of this machine, checked, then stored."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gardenos.backup import catalog, wal
from gardenos.backup.catalog import Backup, Part
from gardenos.backup.errors import BackupFailed
from gardenos.backup.programs import ProgramFailed, run
from gardenos.backup.server import Server
from gardenos.backup.store import Store, digest
from gardenos.backup.wal import Segment
from gardenos.backup.watch import SILENT, Watch

MANIFEST = "backup_manifest"
DATA, LOG = "base.tar.gz", "pg_wal.tar.gz"


def make(
    server: Server,
    store: Store,
    *,
    staging: Path | None = None,
    max_rate: str | None = None,
    watch: Watch = SILENT,
) -> Backup:
    """Make a full backup of a running server and store it.

    `staging` is a folder with room for the compressed data; the system's temporary one by default.
    `max_rate` is pg_basebackup's, such as `20M` a second. Raises `BackupFailed`, `StoreUnusable`.
    """
    if server.tablespaces:
        raise BackupFailed(
            f"The server has {server.tablespaces} tablespaces outside its data directory, which "
            "these backups do not hold. Move what is in them into pg_default."
        )
    catalog.claim(store, server)
    with tempfile.TemporaryDirectory(prefix="gardenos-backup-", dir=staging) as made:
        folder = Path(made)
        started_at = datetime.now(UTC)
        watch.doing("Copying the data")
        _copy(server, folder, max_rate, watch)
        watch.doing("Checking the copy")
        _check(folder)
        backup = _describe(server, folder, started_at)
        watch.doing("Storing it")
        _store(store, backup, folder, watch)
    return backup


def _copy(server: Server, folder: Path, max_rate: str | None, watch: Watch) -> None:
    try:
        run(
            "pg_basebackup",
            [
                f"--pgdata={folder}",
                "--format=tar",
                "--compress=client-gzip:1",
                # What was written while it was copied comes with it: by itself it is consistent.
                "--wal-method=stream",
                "--checkpoint=fast",
                "--manifest-checksums=SHA256",
                "--progress",
                "--label=gardenos",
                *([f"--max-rate={max_rate}"] if max_rate else []),
            ],
            dsn=server.dsn,
            progress=watch.progress,
        )
    except ProgramFailed as error:
        raise BackupFailed(f"pg_basebackup failed: {error}. Nothing was stored.") from error


def _check(folder: Path) -> None:
    try:
        # The log in the other tar file is checked where it is read: when it is restored.
        run("pg_verifybackup", ["--quiet", "--no-parse-wal", "--format=tar", folder])
    except ProgramFailed as error:
        raise BackupFailed(f"The copy is not sound: {error}. Nothing was stored.") from error


def _describe(server: Server, folder: Path, started_at: datetime) -> Backup:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    # One range, unless the server was a replica whose primary changed meanwhile.
    first, last = manifest["WAL-Ranges"][0], manifest["WAL-Ranges"][-1]
    start = Segment.at(
        first["Timeline"], wal.parse_lsn(first["Start-LSN"]), size=server.segment_size
    )
    return Backup(
        name=f"base_{start.name(size=server.segment_size)}",
        system_identifier=server.system_identifier,
        version=server.version,
        segment_size=server.segment_size,
        timeline=last["Timeline"],
        start_lsn=first["Start-LSN"],
        finish_lsn=last["End-LSN"],
        started_at=started_at,
        finished_at=datetime.now(UTC),
        data_size=sum(file["Size"] for file in manifest["Files"]),
        parts=[
            Part(name=name, size=(folder / name).stat().st_size, sha256=digest(folder / name))
            for name in (DATA, LOG, MANIFEST)
        ],
    )


def _store(store: Store, backup: Backup, folder: Path, watch: Watch) -> None:
    if store.read(catalog.sentinel(backup.name)) is not None:
        raise BackupFailed(
            f"There is a backup {backup.name} already, which begins where this one does. "
            "Nothing was stored; try again once the server has written something."
        )
    stored = 0
    for part in backup.parts:
        store.replace(backup.path(part), folder / part.name)
        stored += part.size
        watch.progress(stored, backup.size)
    # Last: what has no sentinel is no backup.
    if not store.create(catalog.sentinel(backup.name), backup.model_dump_json(indent=2).encode()):
        raise BackupFailed(f"Another one stored {backup.name} at the same time. Try again.")
