"""The log on its way into the store: fetched from the server, checked, stored, and only then let go.

A slot on the server keeps what is not stored yet. `pg_receivewal` fetches without that slot, so that
nothing but `let_go`, called once a segment is stored, tells the server that it may forget.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gardenos.backup import server as servers
from gardenos.backup import wal
from gardenos.backup.catalog import claim, read_log
from gardenos.backup.errors import ArchiveGap, BackupFailed
from gardenos.backup.programs import ProgramFailed, run
from gardenos.backup.store import WAL, Store, packed, unpacked
from gardenos.backup.wal import Lsn, Segment

if TYPE_CHECKING:
    from gardenos.backup.server import Connection, Server

_REMOVED = "has already been removed"
_NOT_ITS_HISTORY = "is not in this server's history"


class _AnotherHistory(BackupFailed):
    """The server never had the log that follows what is stored: its timeline left that one earlier."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the store has the log."""

    segment: Segment | None
    """The newest whole segment."""
    lsn: Lsn
    """How far the last, unfinished one goes."""
    stored: int = 0
    """How many whole segments were stored now."""


async def catch_up(
    conn: Connection, server: Server, store: Store, *, reached: Reached | None = None
) -> Reached:
    """Store the log up to where the server is now; `reached` is what this gave last.

    Raises `ArchiveGap`, `BackupFailed`, `StoreUnusable`.
    """
    claim(store, server)
    kept = await servers.hold_log(conn)
    last = reached.segment if reached else _newest(store, server)
    target = await servers.position(conn)
    if reached and reached.lsn == target:
        return Reached(last, target)
    # Nothing stored yet: the oldest that the server keeps is the first.
    wanted = Segment(last.timeline, last.number + 1) if last else kept
    try:
        stored = await asyncio.to_thread(_move, store, server, wanted, target)
    except _AnotherHistory:
        # The server was restored to a moment before what is stored last, and went its own way.
        stored = await asyncio.to_thread(_move, store, server, kept, target)
    newest = max(stored) if stored else last
    if stored and newest:
        await servers.let_go(conn, newest.end(size=server.segment_size))
        await asyncio.to_thread(_remove_partials, store, server, newest)
    return Reached(newest, target, len(stored))


def _move(store: Store, server: Server, wanted: Segment, target: Lsn) -> list[Segment]:
    """Fetch and store from `wanted` to `target`; the whole segments that were stored."""
    with tempfile.TemporaryDirectory(prefix="gardenos-wal-") as made:
        _fetch(server, Path(made), wanted, target)
        return _store_all(store, server, Path(made))


def _newest(store: Store, server: Server) -> Segment | None:
    return max(read_log(store, size=server.segment_size).segments, default=None)


def _fetch(server: Server, folder: Path, wanted: Segment, target: Lsn) -> None:
    # pg_receivewal begins with the unfinished segment that it finds, and without one where the server
    # is now.
    (folder / f"{wanted.name(size=server.segment_size)}.partial").touch()
    try:
        run(
            "pg_receivewal",
            [
                f"--directory={folder}",
                # It stops once it is past this; at the target itself it would wait for more.
                f"--endpos={wal.format_lsn(Lsn(target - 1))}",
                "--no-loop",
            ],
            dsn=server.dsn,
        )
    except ProgramFailed as error:
        if _NOT_ITS_HISTORY in str(error):
            raise _AnotherHistory from error
        if _REMOVED in str(error):
            raise ArchiveGap(
                f"The server no longer has the log that follows what is stored ({error}): the archive "
                "has a gap from here on. Make a full backup now; what follows it will be whole."
            ) from error
        raise BackupFailed(
            f"pg_receivewal failed: {error}. The server keeps its log; it is tried again."
        ) from error


def _store_all(store: Store, server: Server, folder: Path) -> list[Segment]:
    """Store what was fetched, the oldest first; the whole segments among it."""
    stored: list[Segment] = []
    for file in sorted(folder.iterdir(), key=lambda file: (file.suffix == ".partial", file.name)):
        if wal.HISTORY_NAME.fullmatch(file.name):
            store_file(store, file.name, file.read_bytes())
        elif file.suffix == ".partial":
            store.replace(f"{WAL}/{file.name}.gz", packed(file.read_bytes()))
        else:
            segment = Segment.of(file.name, size=server.segment_size)
            _store_segment(store, server, segment, file.read_bytes())
            stored.append(segment)
    return stored


def _store_segment(store: Store, server: Server, segment: Segment, content: bytes) -> None:
    name = segment.name(size=server.segment_size)
    try:
        wal.check_segment(
            content,
            segment,
            size=server.segment_size,
            system_identifier=server.system_identifier,
        )
    except ValueError as error:
        raise BackupFailed(f"The log's segment {name} is not sound: {error}.") from error
    store_file(store, name, content)


def store_file(store: Store, name: str, content: bytes) -> None:
    """Store a file of the log unless it is stored already. Raises `BackupFailed` if another one is."""
    path = f"{WAL}/{name}.gz"
    if store.create(path, packed(content)):
        return
    try:
        same = unpacked(store.read(path) or b"") == content
    except ValueError:
        same = False
    if not same:
        raise BackupFailed(
            f"The store has another {name} than this server: it is damaged there, or a second server "
            "archives into the same place. Give each server a place of its own."
        )


def _remove_partials(store: Store, server: Server, newest: Segment) -> None:
    for file in store.files(WAL):
        name, dot, rest = file.name.partition(".")
        if (dot, rest) == (".", "partial.gz"):
            segment = Segment.of(name, size=server.segment_size)
            if segment <= newest:
                store.remove(file.path)
