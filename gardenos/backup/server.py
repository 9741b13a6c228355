"""The server that is backed up: what it is, and the slot that keeps its log until it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from gardenos.backup import wal
from gardenos.backup.errors import ArchiveGap
from gardenos.backup.wal import Lsn, Segment
from gardenos.db import sql

if TYPE_CHECKING:
    import asyncpg

    Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SLOT = "gardenos_backup"
_QUERIES = sql.load("gardenos.backup")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and a login to it that may replicate."""

    dsn: str = field(repr=False)
    system_identifier: int
    version: int
    version_name: str
    segment_size: int
    tablespaces: int


async def describe(conn: Connection, dsn: str) -> Server:
    """What the server says of itself; `dsn` is how PostgreSQL's programs connect to it."""
    row = await conn.fetchrow(_QUERIES["describe_server"])
    assert row is not None  # noqa: S101 it has no WHERE
    return Server(dsn, **dict(row))


async def position(conn: Connection) -> Lsn:
    """How far its log is on its disk."""
    return wal.parse_lsn(await conn.fetchval(_QUERIES["current_position"]))


async def hold_log(conn: Connection) -> Segment:
    """Have the server keep its log until `let_go`; the oldest segment that it keeps.

    Raises `ArchiveGap` where it had to give up keeping it.
    """
    row = await conn.fetchrow(_QUERIES["find_slot"], SLOT)
    if row is not None and row["restart_lsn"] is None and row["wal_status"] is None:
        # Somebody else made it, and it keeps nothing yet.
        await release_log(conn)
        row = None
    if row is None:
        await conn.fetchval(_QUERIES["create_slot"], SLOT)
        row = await conn.fetchrow(_QUERIES["find_slot"], SLOT)
    assert row is not None  # noqa: S101 it was made
    if row["wal_status"] == "lost":
        await release_log(conn)
        raise ArchiveGap(
            "The server kept its log for the archive as long as it was told to "
            "(max_slot_wal_keep_size) and then removed it unstored: the archive has a gap from here "
            "on. Make a full backup now; what follows it will be whole."
        )
    size = row["segment_size"]
    return Segment.at(row["timeline"], wal.parse_lsn(row["restart_lsn"]), size=size)


async def is_held(conn: Connection) -> bool:
    """Whether the server keeps its log for the archive."""
    return await conn.fetchrow(_QUERIES["find_slot"], SLOT) is not None


async def let_go(conn: Connection, lsn: Lsn) -> None:
    """Let the server remove its log up to `lsn`: it is stored."""
    await conn.fetchval(_QUERIES["advance_slot"], SLOT, wal.format_lsn(lsn))


async def release_log(conn: Connection) -> None:
    """Have the server keep its log for nobody."""
    await conn.fetchval(_QUERIES["drop_slot"], SLOT)
