from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from obstore.store import MemoryStore

from gardenos.backup import catalog
from gardenos.backup.catalog import Backup, Catalog, Cluster, Part
from gardenos.backup.retention import carry_out, decide
from gardenos.backup.store import Store, packed
from gardenos.backup.wal import Segment, format_lsn

SIZE = 16 * 1024 * 1024
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def backup(number: int) -> Backup:
    start = Segment(1, number).start(size=SIZE)
    at = NOW - timedelta(days=100 - number)
    return Backup(
        name=f"base_{Segment(1, number).name(size=SIZE)}",
        system_identifier=7,
        version=180006,
        segment_size=SIZE,
        timeline=1,
        start_lsn=format_lsn(start),
        finish_lsn=format_lsn(start),
        started_at=at,
        finished_at=at,
        data_size=1,
        parts=[Part(name="base.tar.gz", size=1, sha256="0")],
    )


@pytest.fixture
def store() -> Store:
    """Backups at segments 10, 20 and 30, the log from 5 to 35, and one backup without an end."""
    made = Store(MemoryStore(), "memory", folder=None)
    cluster = Cluster(system_identifier=7, segment_size=SIZE)
    made.create(catalog.CLUSTER, cluster.model_dump_json().encode())
    for number in (10, 20, 30):
        one = backup(number)
        made.create(one.path(one.parts[0]), b"0")
        made.create(catalog.sentinel(one.name), one.model_dump_json().encode())
    for number in range(5, 36):
        made.create(f"wal_005/{Segment(1, number).name(size=SIZE)}.gz", packed(b""))
    made.create("wal_005/00000002.history.gz", packed(b"1\t0/1E000000\tfailover\n"))
    made.create(f"wal_005/{Segment(1, 36).name(size=SIZE)}.partial.gz", packed(b""))
    made.create(f"basebackups_005/base_{Segment(1, 33).name(size=SIZE)}/base.tar.gz", b"0")
    return made


def left(store: Store) -> tuple[list[int], list[int]]:
    found = catalog.read(store)
    return (
        [one.first_segment.number for one in found.backups],
        sorted(segment.number for segment in found.log.segments),
    )


def clock(found: Catalog) -> datetime:
    """Now, as the store's own times have it."""
    return max(file.at for files in found.unfinished.values() for file in files)


def test_the_newest_stay_with_all_the_log_they_need(store: Store) -> None:
    found = catalog.read(store)
    carry_out(store, decide(found, keep=2, now=clock(found)))
    assert left(store) == ([20, 30], list(range(20, 36)))
    log = catalog.read(store).log
    assert log.partial is not None
    assert set(log.histories) == {2}


def test_nothing_goes_while_there_are_no_more_than_are_kept(store: Store) -> None:
    found = catalog.read(store)
    decided = decide(found, keep=3, now=clock(found))
    assert decided.backups == []
    # What is older than every backup leads nowhere.
    assert len(decided.log) == 5


def test_without_a_backup_no_log_goes(store: Store) -> None:
    for one in catalog.read(store).backups:
        store.remove(catalog.sentinel(one.name))
    found = catalog.read(store)
    assert decide(found, keep=1, now=clock(found)).log == []


def test_a_backup_in_the_making_stays_and_one_given_up_goes(store: Store) -> None:
    found = catalog.read(store)
    assert decide(found, keep=3, now=clock(found)).unfinished == []
    decided = decide(found, keep=3, now=clock(found) + timedelta(days=1, seconds=1))
    assert decided.unfinished == [f"base_{Segment(1, 33).name(size=SIZE)}"]
    carry_out(store, decided)
    assert catalog.read(store).unfinished == {}


def test_a_removal_that_breaks_off_leaves_no_backup_that_looks_whole(store: Store) -> None:
    found = catalog.read(store)
    store.remove(catalog.sentinel(found.backups[0].name))
    after = catalog.read(store)
    assert [one.first_segment.number for one in after.backups] == [20, 30]
    assert found.backups[0].name in after.unfinished


def test_none_cannot_be_kept(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one"):
        decide(catalog.read(store), keep=0, now=NOW)
