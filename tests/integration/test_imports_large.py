"""A file of 50,000 rows: staged, carried out by a task, every row once, and no copy of it in memory."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from gardenos.core.claims import Claims
from gardenos.core.ids import ImportId
from gardenos.crm.transfer.service import AT_ONCE
from gardenos.crm.transfer.work import step

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import httpx

    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

MIB = 1_048_576
MAPPING = {"fields": {"external_id": "id", "email": "email"}, "custom": {"about": "about"}}


@pytest.fixture
def traced() -> Generator[None]:
    """Counts what Python allocates while the test runs."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def write(path: Path, *, first: int, rows: int) -> Path:
    """A file of about 125 bytes a row, one in a hundred of them faulty."""
    with path.open("w", encoding="utf-8") as file:
        file.write("id,email,about\n")
        for n in range(first, first + rows):
            address = "nobody" if n % 100 == 99 else f"person-{n}@example.com"
            file.write(f"{n},{address},{'Called about the offer. ' * 4}\n")
    return path


async def peak_of(
    api: httpx.AsyncClient, db: Database, owner: Claims, path: Path
) -> tuple[int, dict[str, Any]]:
    """The most memory an import of the file took beyond what was taken before; and the import."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    with path.open("rb") as file:
        answer = await post(api, file)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["state"], found["rows_read"]) == ("running", 0)
    assert found["rows_total"] > AT_ONCE
    finished = False
    while not finished:
        async with db.session(owner) as session:
            finished = (await step(session, ImportId(found["id"]))).finished
    _, peak = tracemalloc.get_traced_memory()
    return peak - before, (await api.get(answer.headers["location"])).json()


async def post(api: httpx.AsyncClient, file: BinaryIO) -> httpx.Response:
    return await api.post(
        "/v1/imports",
        files={"file": ("many.csv", file)},
        data={"mapping": json.dumps(MAPPING)},
        headers={"Idempotency-Key": file.name[-200:]},
        timeout=120,
    )


@pytest.mark.usefixtures("traced")
async def test_memory_does_not_grow_with_the_file(
    api: httpx.AsyncClient, admin: AdminConnection, db: Database, owner: Claims, tmp_path: Path
) -> None:
    small = write(tmp_path / "small.csv", first=0, rows=12_000)
    large = write(tmp_path / "large.csv", first=20_000, rows=50_000)
    await peak_of(api, db, owner, write(tmp_path / "first.csv", first=80_000, rows=10_001))
    some, _ = await peak_of(api, db, owner, small)
    most, found = await peak_of(api, db, owner, large)
    print(
        f"\n{large.stat().st_size / MIB:.1f} MiB in 50,000 rows took {most / MIB:.1f} MiB at most, "
        f"{small.stat().st_size / MIB:.1f} MiB in 12,000 rows {some / MIB:.1f} MiB"
    )
    # Four times the rows in about the same memory.
    assert most < 1.5 * some + MIB
    assert (found["state"], found["rows_read"]) == ("finished", 50_000)
    assert (found["imported"], found["rejected"]) == (49_500, 500)
    stored = await admin.fetchrow(
        "SELECT count(*), count(DISTINCT external_id), min(external_id::integer) AS first,"
        " max(external_id::integer) AS last FROM leads WHERE import_id = $1::uuid",
        found["id"],
    )
    assert stored is not None
    assert tuple(stored) == (49_500, 49_500, 20_000, 69_998)
