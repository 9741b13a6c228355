from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore
from pydantic import SecretStr

from gardenos.backup.errors import StoreUnusable
from gardenos.backup.store import Place, Store, packed, unpacked


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Place(url=str(tmp_path / "backups")).open()
    return Store(MemoryStore(), "memory", folder=None)


def test_a_file_is_created_once(store: Store) -> None:
    assert store.create("wal_005/1.gz", b"first")
    assert not store.create("wal_005/1.gz", b"second")
    assert store.read("wal_005/1.gz") == b"first"


def test_a_file_may_be_replaced(store: Store, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"0123456789" * 1_000_000)
    store.replace("base/1", b"small")
    store.replace("base/1", large)
    assert b"".join(store.chunks("base/1")) == large.read_bytes()


def test_what_is_not_there_is_none_and_may_be_removed(store: Store) -> None:
    assert store.read("wal_005/1.gz") is None
    with pytest.raises(FileNotFoundError):
        list(store.chunks("wal_005/1.gz"))
    store.remove("wal_005/1.gz")


def test_files_come_by_name_with_their_sizes(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.create(f"wal_005/{name}", name.encode() * 3)
    store.create("other/d", b"")
    store.remove("wal_005/c")
    assert [(file.name, file.size) for file in store.files("wal_005")] == [("a", 3), ("b", 3)]


def test_a_folder_that_is_no_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match="GARDENOS_BACKUP_URL"):
        Place(url=str(tmp_path / "file")).open()


def test_a_place_that_fails_later_is_a_sentence(tmp_path: Path) -> None:
    store = Place(url=str(tmp_path / "backups")).open()
    (tmp_path / "backups").rmdir()
    (tmp_path / "backups").touch()
    with pytest.raises(StoreUnusable, match="cannot be used"):
        store.create("wal_005/1.gz", b"")


def test_an_unknown_kind_of_place_is_a_sentence() -> None:
    with pytest.raises(StoreUnusable, match="not to ftp://"):
        Place(url="ftp://example.org/backups").open()


def test_a_bucket_that_does_not_answer_is_a_sentence_without_its_key() -> None:
    store = Place(
        url="s3://bucket/prefix",
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key_id=SecretStr("an-id"),
        s3_secret_access_key=SecretStr("a-secret"),
    ).open(retries=0)
    with pytest.raises(StoreUnusable, match="s3://bucket/prefix, cannot be used") as caught:
        store.read("cluster.json")
    assert "a-secret" not in str(caught.value)


def test_what_is_packed_unpacks_and_damage_shows() -> None:
    content = bytes(range(256)) * 1000
    whole = packed(content)
    assert packed(content) == whole
    assert unpacked(whole) == content
    for damaged in (b"", whole[:-1], whole[:100] + b"\xff\xff" + whole[102:], b"plain"):
        with pytest.raises(ValueError, match="does not unpack"):
            unpacked(damaged)
