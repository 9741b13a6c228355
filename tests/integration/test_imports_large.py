"""A file of 50,000 rows: every row once, and no copy of the file in memory."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, BinaryIO

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import httpx

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


async def peak_of(api: httpx.AsyncClient, path: Path) -> tuple[int, dict[str, int]]:
    """The most memory an import of the file took beyond what was taken before; and its report."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    with path.open("rb") as file:
        answer = await post(api, file)
    _, peak = tracemalloc.get_traced_memory()
    assert answer.status_code == 201, answer.text
    return peak - before, answer.json()


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
    api: httpx.AsyncClient, admin: AdminConnection, tmp_path: Path
) -> None:
    small = write(tmp_path / "small.csv", first=0, rows=5_000)
    large = write(tmp_path / "large.csv", first=5_000, rows=50_000)
    await peak_of(api, write(tmp_path / "first.csv", first=60_000, rows=2_500))
    some, _ = await peak_of(api, small)
    most, report = await peak_of(api, large)
    size = large.stat().st_size
    print(
        f"\n{size / MIB:.1f} MiB in 50,000 rows took {most / MIB:.1f} MiB at most, "
        f"{small.stat().st_size / MIB:.1f} MiB in 5,000 rows {some / MIB:.1f} MiB"
    )
    # Ten times the rows in about the same memory, which could not hold the file once.
    assert most < 1.5 * some + MIB
    assert most < size
    assert (report["rows_read"], report["imported"], report["rejected"]) == (50_000, 49_500, 500)
    stored = await admin.fetchrow(
        "SELECT count(*), count(DISTINCT external_id), min(external_id::integer) AS first,"
        " max(external_id::integer) AS last FROM leads WHERE import_id = $1::uuid",
        report["id"],
    )
    assert stored is not None
    assert tuple(stored) == (49_500, 49_500, 5_000, 54_998)
