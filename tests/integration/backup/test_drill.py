"""The restore drill: the database of a chosen moment comes back, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from gardenos.backup import archive, base, catalog, verify
from gardenos.backup.errors import ArchiveGap, BackupDamaged, RestoreRefused
from gardenos.backup.restore import choose, restore
from gardenos.backup.store import Place, packed
from gardenos.db import migrate, snapshot
from gardenos.db.pool import open_database
from gardenos.testing.postgres import TEMPLATE
from tests.integration.backup.conftest import enterable_folder, fill_segments, write, written

if TYPE_CHECKING:
    from gardenos.backup.store import Store
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.backup.conftest import Origin, Running


@dataclass(frozen=True)
class Past:
    """What was written when, and where it is stored."""

    store: Store
    first: datetime
    second: datetime
    third: datetime


async def live(origin: Origin, store: Store) -> Past:
    """A backup with a log after it, and three moments between which a hundred rows were written."""
    conn = await asyncpg.connect(origin.dsn)
    try:
        await conn.execute("SET synchronous_commit = on")
        server = await origin.describe(conn)
        reached = await archive.catch_up(conn, server, store)
        first = await write(conn, "1 before the backup")
        base.make(server, store)
        await fill_segments(conn, 3)
        second = await write(conn, "2 before the moment")
        reached = await archive.catch_up(conn, server, store, reached=reached)
        third = await write(conn, "3 after the moment")
        await archive.catch_up(conn, server, store, reached=reached)
    finally:
        await conn.close()
    return Past(store, first, second, third)


@pytest.fixture(scope="module")
def lived(origin: Origin) -> Generator[Past]:
    with enterable_folder() as folder:
        yield asyncio.run(live(origin, Place(url=str(folder)).open()))


@pytest.fixture
def past(lived: Past, folder: Path) -> Past:
    """A copy of what is stored, for a test to damage."""
    assert lived.store.folder is not None
    shutil.copytree(lived.store.folder, folder / "store")
    return replace(lived, store=Place(url=str(folder / "store")).open())


def wal_file(store: Store, index: int) -> str:
    """One of the whole segments behind the backup."""
    found = catalog.read(store)
    chain = found.log.after(found.backups[0])
    return found.log.segments[chain.whole[index]].path


async def test_every_row_up_to_the_moment_comes_back_and_none_after(
    origin: Origin, conn: AdminConnection, past: Past, folder: Path, running: Running
) -> None:
    store = past.store
    found = catalog.read(store)
    assert verify.verify(store, found).sound
    done = restore(store, found, choose(found, to=past.second), folder / "back")
    async with running(done) as back:
        assert await written(back) == {"1 before the backup": 100, "2 before the moment": 100}
        assert not await back.fetchval("SELECT pg_is_in_recovery()")
        assert await back.fetchval("SELECT timeline_id FROM pg_control_checkpoint()") == 2
        # It is our schema, and the app's login is still one that policies bind.
        password = origin.postgres.admin_password
        kept = snapshot.dump(done.dsn("postgres", password, database=TEMPLATE))
        assert kept.replace(_filler(kept), "") == snapshot.FILE.read_text("utf-8")
        rows = await back.fetch("SELECT number, checksum FROM app.migrations ORDER BY number")
        assert migrate.pending([tuple(row) for row in rows], migrate.available()) == []
        app = done.dsn("gardenos_app", origin.postgres.app_password, database=TEMPLATE)
        await (await open_database(app, min_size=1, name="drill")).pool.close()
        # What looked at the tables has gone again.
        assert not await back.fetchval(
            "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'"
        )
    assert sorted(path.name for path in done.folder.iterdir()) == ["data", "server.log"]
    # What it was made from goes on untouched.
    assert (await written(conn))["3 after the moment"] == 100


def _filler(dump: str) -> str:
    """The part of a dump that the test's own table makes."""
    start = dump.index("CREATE TABLE public.filler")
    end = dump.index("ALTER TABLE public.filler OWNER TO postgres;\n")
    return dump[start : dump.index("\n\n", end) + 2]


async def test_without_a_moment_all_that_is_stored_comes_back(
    past: Past, folder: Path, running: Running
) -> None:
    store = past.store
    found = catalog.read(store)
    # The last rows are in a segment that is not full yet.
    assert found.log.partial is not None
    # The folder's name is in a command that PostgreSQL gives to a shell.
    done = restore(store, found, choose(found), folder / "back to 100% of 'it'")
    async with running(done) as back:
        assert set((await written(back)).values()) == {100}
        assert len(await written(back)) == 3


async def test_a_restored_server_goes_on_in_the_same_place(
    origin: Origin, past: Past, folder: Path, running: Running
) -> None:
    store = past.store
    found = catalog.read(store)
    done = restore(store, found, choose(found, to=past.second), folder / "back")
    async with running(done) as back:
        server = await origin.describe(back)
        own = type(server)(
            done.dsn("postgres", origin.postgres.admin_password, database=TEMPLATE),
            server.system_identifier,
            server.version,
            server.version_name,
            server.segment_size,
            server.tablespaces,
        )
        await write(back, "4 on the new timeline")
        await fill_segments(back, 2)
        await archive.catch_up(back, own, store)
    found = catalog.read(store)
    assert set(found.log.histories) == {2}
    assert verify.verify(store, found).sound
    # From the first timeline's backup, across the fork, to the second one's end.
    again = restore(store, found, choose(found), folder / "again")
    async with running(again) as back:
        assert set(await written(back)) == {
            "1 before the backup",
            "2 before the moment",
            "4 on the new timeline",
        }


async def test_a_damaged_backup_is_found_and_not_restored(past: Past, folder: Path) -> None:
    store = past.store
    found = catalog.read(store)
    (backup,) = found.backups
    path = backup.path(backup.parts[0])
    content = bytearray(b"".join(store.chunks(path)))
    content[len(content) // 2] ^= 1
    store.replace(path, bytes(content))
    (verdict,) = verify.verify(store, found).verdicts
    assert verdict.faults == ["base.tar.gz is not what was stored"]
    assert verify.verify(store, found, contents=False).sound
    with pytest.raises(BackupDamaged, match=r"base\.tar\.gz of base_\w+ is not what was stored"):
        restore(store, found, choose(found), folder / "back")
    assert not (folder / "back").exists()
    store.remove(path)
    (verdict,) = verify.verify(store, found, contents=False).verdicts
    assert verdict.faults == ["base.tar.gz is missing"]


async def test_a_missing_segment_is_found_and_the_log_leads_no_further(
    past: Past, folder: Path
) -> None:
    store = past.store
    lost = wal_file(store, 1)
    store.remove(lost)
    found = catalog.read(store)
    report = verify.verify(store, found)
    assert len(report.log_faults) == 1
    assert lost.removeprefix("wal_005/").removesuffix(".gz") in report.log_faults[0]
    with pytest.raises(ArchiveGap, match="does not lead to the end"):
        choose(found)
    with pytest.raises(ArchiveGap, match="what follows is missing"):
        restore(store, found, choose(found, to=past.third), folder / "back")
    assert not (folder / "back").exists()


async def test_a_damaged_segment_is_found_and_not_replayed(past: Past, folder: Path) -> None:
    store = past.store
    path, other = wal_file(store, 1), wal_file(store, 2)
    store.replace(path, store.read(other) or b"")
    found = catalog.read(store)
    (fault,) = verify.verify(store, found).log_faults
    assert "as another segment does" in fault
    with pytest.raises(BackupDamaged, match="as another segment does"):
        restore(store, found, choose(found), folder / "back")
    store.replace(path, packed(b"short"))
    (fault,) = verify.verify(store, found).log_faults
    assert "5 bytes instead of" in fault


async def test_a_moment_that_no_log_leads_to_is_refused(past: Past, folder: Path) -> None:
    store = past.store
    found = catalog.read(store)
    with pytest.raises(RestoreRefused, match="No backup was finished before"):
        choose(found, to=past.first - timedelta(days=1))
    with pytest.raises(RestoreRefused, match="yet to come"):
        choose(found, to=datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(RestoreRefused, match="no time zone"):
        choose(found, to=datetime(2026, 11, 24))  # noqa: DTZ001 the point of it
    # After the last thing that was stored: PostgreSQL itself says that it did not get there.
    with pytest.raises(ArchiveGap, match="was never stored"):
        restore(store, found, choose(found, to=datetime.now(UTC)), folder / "back")


async def test_nothing_is_written_over(past: Past, folder: Path, origin: Origin) -> None:
    store = past.store
    found = catalog.read(store)
    data = origin.postgres.postgres.data
    before = sorted(data.iterdir())
    for taken in (data, origin.postgres.postgres.folder):
        with pytest.raises(RestoreRefused, match="writes over nothing"):
            restore(store, found, choose(found), taken)
    assert sorted(data.iterdir()) == before
    assert origin.postgres.postgres.pid() is not None
