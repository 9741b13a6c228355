"""`backup` and `restore` of the lab as they are typed, across a switchover."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from benchmarks._failover_stage import Stage
from gardenos.backup.restore import Restored
from gardenos.lab import faults
from gardenos.lab.bring_up import admin_url
from tests.support.garden import GARDENOS
from tests.support.waiting import until

if TYPE_CHECKING:
    from typing import TypeAlias

Typed: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"


@pytest.fixture
def folder(stage: Stage) -> Generator[Path]:
    """A folder beside the lab, which PostgreSQL's own user may enter."""
    made = stage.layout.folder.parent / "kept"
    made.mkdir(mode=0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@pytest.fixture
def typed(stage: Stage, folder: Path) -> Typed:
    """Runs a command whose database is the lab's."""
    stage.make_well(failsafe=True, synchronous=True, brief=False)
    ours = {n: v for n, v in os.environ.items() if not n.startswith("GARDENOS_")}
    told = {
        "GARDENOS_HOME": str(folder / "home"),
        "GARDENOS_BACKUP_DATABASE_URL": admin_url(stage.layout, stage.lab.passwords),
    }
    (folder / "home").mkdir(mode=0o711)

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GARDENOS, *words], env=ours | told, capture_output=True, text=True, check=False
        )

    return run


def execute(dsn: str, sql: str, *values: object) -> list[tuple[object, ...]]:
    async def fetch() -> list[tuple[object, ...]]:
        conn = await asyncpg.connect(dsn, timeout=10)
        try:
            return [tuple(row) for row in await conn.fetch(sql, *values)]
        finally:
            await conn.close()

    return asyncio.run(fetch())


def test_an_archive_goes_on_after_a_switchover_and_what_is_restored_needs_no_cluster(
    stage: Stage, typed: Typed, folder: Path
) -> None:
    def write(name: str) -> None:
        execute(admin, "INSERT INTO agencies (name) SELECT $1 FROM generate_series(1, 100)", name)

    def ok(*words: str | Path) -> str:
        done = typed(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    admin = admin_url(stage.layout, stage.lab.passwords)
    ok("backup", "archive", "--once")
    ok("backup")
    write("before the switchover")
    led = stage.leader()
    assert faults.switch_over(stage.lab) != led
    until(lambda: typed("backup", "archive", "--once").returncode, lambda n: n == 0, within_s=60)
    write("after the switchover")
    ok("backup", "archive", "--once")
    assert "sound, leads to" in ok("backup", "verify")
    assert "every table checked" in ok("restore", "--into", folder / "back")
    ok("backup", "archive", "--stop")
    server = Restored(folder / "back")
    server.start()
    try:
        dsn = server.dsn("postgres", stage.lab.passwords.superuser)
        found = execute(
            dsn, "SELECT name, count(*) FROM agencies WHERE name LIKE '%switchover' GROUP BY 1"
        )
        assert set(found) == {("before the switchover", 100), ("after the switchover", 100)}
        execute(dsn, "INSERT INTO agencies (name) VALUES ('acknowledged by it alone')")
    finally:
        server.stop()
