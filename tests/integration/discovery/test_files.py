from __future__ import annotations

import fcntl
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gardenos.discovery.files import FileStore
from gardenos.discovery.slices import Endpoint, Foreign, Slice
from gardenos.discovery.store import Conflict, StoreAway

WANTED = Slice("s", "pg1", 1, 1, "one", 5432, (Endpoint("pg1", "127.0.0.1"),))


def read(store: FileStore) -> Slice:
    found = store.read("s")
    assert isinstance(found, Slice)
    return found


def test_a_slice_is_a_file_as_kubernetes_would_have_it(tmp_path: Path) -> None:
    FileStore(tmp_path).write(WANTED)
    document = json.loads((tmp_path / "s.json").read_text())
    assert (document["apiVersion"], document["kind"]) == ("discovery.k8s.io/v1", "EndpointSlice")
    assert document["endpoints"][0]["addresses"] == ["127.0.0.1"]
    assert document["metadata"]["resourceVersion"] == "1"


def test_a_write_over_another_version_conflicts(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    assert store.read("s") is None
    store.write(WANTED)
    with pytest.raises(Conflict):
        store.write(WANTED)  # it was to be the first
    seen = read(store)
    store.write(replace(seen, term=2))
    with pytest.raises(Conflict):
        store.write(replace(seen, term=3))
    assert (read(store).term, read(store).version) == (2, "2")


def test_of_many_that_write_over_one_version_one_succeeds(tmp_path: Path) -> None:
    FileStore(tmp_path).write(WANTED)
    seen = read(FileStore(tmp_path))

    def attempt(term: int) -> int:
        try:
            FileStore(tmp_path).write(replace(seen, term=term))
        except Conflict:
            return 0
        return term

    with ThreadPoolExecutor(8) as pool:
        written = [term for term in pool.map(attempt, range(2, 34)) if term]
    assert written == [read(FileStore(tmp_path)).term]


def test_a_lock_that_nobody_gives_back_is_told_and_not_waited_for(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreAway, match="is held by another process"):
            FileStore(tmp_path).write(WANTED)
    FileStore(tmp_path).write(WANTED)


def test_a_file_of_something_else_is_foreign_and_stays(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("not JSON")
    assert isinstance(FileStore(tmp_path).read("s"), Foreign)
    with pytest.raises(Conflict):
        FileStore(tmp_path).write(WANTED)
    assert (tmp_path / "s.json").read_text() == "not JSON"


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreAway, match="cannot be written: No such file"):
        FileStore(tmp_path / "gone").write(WANTED)
    assert list(tmp_path.iterdir()) == []
