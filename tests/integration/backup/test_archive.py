"""The log on its way into the store: nothing is let go that is not stored, and no gap goes unseen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from gardenos.backup import archive, base, catalog, verify
from gardenos.backup import server as servers
from gardenos.backup.errors import ArchiveGap, BackupFailed, StoreUnusable
from gardenos.backup.programs import run
from gardenos.backup.restore import choose, restore
from gardenos.backup.store import Place
from tests.integration.backup.conftest import fill_segments, write, written
from tests.support.waiting import until

if TYPE_CHECKING:
    from gardenos.backup.store import Store
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.backup.conftest import Origin, Running


async def held(conn: AdminConnection) -> int | None:
    """Up to where the server may forget its log."""
    return await conn.fetchval(
        "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = $1", servers.SLOT
    )


async def test_the_server_keeps_what_could_not_be_stored(
    origin: Origin, conn: AdminConnection, store: Store, folder: Path
) -> None:
    server = await origin.describe(conn)
    reached = await archive.catch_up(conn, server, store)
    base.make(server, store)
    await fill_segments(conn, 2)
    reached = await archive.catch_up(conn, server, store, reached=reached)
    assert reached.stored >= 2
    before = await held(conn)
    await fill_segments(conn, 3)
    # The disk of the backups goes away, and something else is in its place.
    (folder / "store").rename(folder / "away")
    (folder / "store").touch()
    with pytest.raises(StoreUnusable, match="cannot be used"):
        await archive.catch_up(conn, server, store, reached=reached)
    await conn.execute("CHECKPOINT")
    assert await held(conn) == before
    (folder / "store").unlink()
    (folder / "away").rename(folder / "store")
    mended = await archive.catch_up(conn, server, store, reached=reached)
    assert mended.stored == 3
    after = await held(conn)
    assert after is not None
    assert before is not None
    assert after > before
    assert verify.verify(store, catalog.read(store)).sound


async def test_where_nothing_was_written_nothing_is_stored(
    origin: Origin, conn: AdminConnection, store: Store
) -> None:
    server = await origin.describe(conn)
    await write(conn, "unfinished", rows=1)
    reached = await archive.catch_up(conn, server, store)
    files = [file.name for file in store.files("wal_005")]
    again = await archive.catch_up(conn, server, store, reached=reached)
    assert (again.segment, again.stored) == (reached.segment, 0)
    # An idle server writes a note of its own now and then, into the unfinished segment.
    assert [file.name for file in store.files("wal_005")] == files


async def test_an_archiver_that_starts_anew_goes_on_where_the_store_ends(
    origin: Origin, conn: AdminConnection, store: Store
) -> None:
    server = await origin.describe(conn)
    await archive.catch_up(conn, server, store)
    await fill_segments(conn, 2)
    first = await archive.catch_up(conn, server, store)
    await fill_segments(conn, 2)
    second = await archive.catch_up(conn, server, store)
    assert (first.stored, second.stored) == (2, 2)
    numbers = sorted(segment.number for segment in catalog.read(store).log.segments)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_an_unfinished_segment_is_stored_and_makes_way_for_the_whole_one(
    origin: Origin, conn: AdminConnection, store: Store
) -> None:
    server = await origin.describe(conn)
    await write(conn, "unfinished", rows=1)
    reached = await archive.catch_up(conn, server, store)
    (partial,) = (file.name for file in store.files("wal_005") if ".partial" in file.name)
    await fill_segments(conn, 1)
    await write(conn, "next", rows=1)
    await archive.catch_up(conn, server, store, reached=reached)
    names = {file.name for file in store.files("wal_005")}
    assert partial not in names
    assert partial.replace(".partial", "") in names


async def test_the_same_segment_again_is_no_fault_and_another_one_is(
    store: Store,
) -> None:
    name = "000000010000000000000007"
    archive.store_file(store, name, b"content")
    archive.store_file(store, name, b"content")
    with pytest.raises(BackupFailed, match="a second server archives into the same place"):
        archive.store_file(store, name, b"other")
    store.replace(f"wal_005/{name}.gz", b"damaged")
    with pytest.raises(BackupFailed, match="it is damaged there"):
        archive.store_file(store, name, b"content")


async def test_a_log_that_the_server_gave_up_keeping_is_a_gap_until_the_next_backup(
    origin: Origin, conn: AdminConnection, store: Store
) -> None:
    server = await origin.describe(conn)
    reached = await archive.catch_up(conn, server, store)
    base.make(server, store)
    reached = await archive.catch_up(conn, server, store, reached=reached)
    await conn.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    await conn.execute("SELECT pg_reload_conf()")
    try:
        await fill_segments(conn, 5)
        await conn.execute("CHECKPOINT")
        with pytest.raises(ArchiveGap, match="max_slot_wal_keep_size"):
            await archive.catch_up(conn, server, store, reached=reached)
    finally:
        await conn.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
        await conn.execute("SELECT pg_reload_conf()")
    assert not await servers.is_held(conn)


async def test_a_log_that_went_while_no_slot_kept_it_is_a_gap(
    origin: Origin, conn: AdminConnection, store: Store
) -> None:
    server = await origin.describe(conn)
    reached = await archive.catch_up(conn, server, store)
    await fill_segments(conn, 1)
    reached = await archive.catch_up(conn, server, store, reached=reached)
    # As after a failover to a member that has no such slot.
    await servers.release_log(conn)
    await fill_segments(conn, 4)
    for _ in range(2):
        await conn.execute("CHECKPOINT")
        await fill_segments(conn, 1)
    with pytest.raises(ArchiveGap, match="no longer has the log"):
        await archive.catch_up(conn, server, store, reached=reached)


async def test_a_slot_that_another_made_and_that_keeps_nothing_is_made_anew(
    origin: Origin, conn: AdminConnection, store: Store
) -> None:
    server = await origin.describe(conn)
    await conn.fetchval("SELECT pg_create_physical_replication_slot($1)", servers.SLOT)
    assert await held(conn) is None
    await archive.catch_up(conn, server, store)
    assert await held(conn) is not None


async def test_one_place_is_one_databases(
    origin: Origin, conn: AdminConnection, store: Store
) -> None:
    server = await origin.describe(conn)
    other = catalog.Cluster(system_identifier=1, segment_size=server.segment_size)
    store.create(catalog.CLUSTER, other.model_dump_json().encode())
    with pytest.raises(StoreUnusable, match="backups of another database"):
        base.make(server, store)
    with pytest.raises(StoreUnusable, match="backups of another database"):
        await archive.catch_up(conn, server, store)
    assert not await servers.is_held(conn)


async def test_a_backup_without_a_log_leads_to_its_own_end(
    origin: Origin, conn: AdminConnection, store: Store, folder: Path, running: Running
) -> None:
    server = await origin.describe(conn)
    await write(conn, "in it")
    base.make(server, store)
    await write(conn, "after it")
    found = catalog.read(store)
    report = verify.verify(store, found)
    assert report.sound
    assert report.verdicts[0].leads_to is None
    done = restore(store, found, choose(found), folder / "back")
    async with running(done) as back:
        names = await written(back)
    assert names["in it"] == 100
    assert "after it" not in names


async def test_a_backup_that_fails_stores_nothing(
    origin: Origin, conn: AdminConnection, folder: Path
) -> None:
    server = await origin.describe(conn)
    store = Place(url=str(folder / "store")).open()
    password = origin.postgres.admin_password
    wrong = type(server)(
        server.dsn.replace(password, "wrong"),
        server.system_identifier,
        server.version,
        server.version_name,
        server.segment_size,
        server.tablespaces,
    )
    with pytest.raises(BackupFailed, match="password authentication failed") as caught:
        base.make(wrong, store)
    assert password not in str(caught.value)
    assert catalog.read(store).backups == []
    assert catalog.read(store).unfinished == {}


async def test_no_password_is_among_a_programs_arguments(
    origin: Origin, conn: AdminConnection
) -> None:
    await conn.execute("SELECT pg_advisory_lock(1)")
    waiting = asyncio.create_task(
        asyncio.to_thread(run, "psql", ["--command=SELECT pg_advisory_lock(1)"], dsn=origin.dsn)
    )

    def arguments() -> list[str]:
        children = psutil.Process().children(recursive=True)
        return [word for child in children if child.name() == "psql" for word in child.cmdline()]

    try:
        seen = await asyncio.to_thread(until, arguments, bool, within_s=20)
    finally:
        await conn.execute("SELECT pg_advisory_unlock(1)")
        await waiting
    assert any(urlsplit(origin.dsn).path.strip("/") in word for word in seen)
    assert not any(origin.postgres.admin_password in word for word in seen)
