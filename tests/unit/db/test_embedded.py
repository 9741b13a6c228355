"""The embedded server where homes are oddly named, killed without warning, or not to be had."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path

import asyncpg
import pytest
from psutil import Process

from gardenos.db.embedded import EmbeddedPostgres, EmbeddedPostgresError, ensure_database, reachable

PASSWORD = "it's: 100% \\ secret/?#"


@pytest.fixture
def home() -> Generator[Path]:
    """A folder that the server's own user may enter, with a name that shells and URLs stumble on."""
    folder = Path(tempfile.mkdtemp(prefix="gos-"))
    folder.chmod(0o711)
    odd = folder / "it's a %41 home & co"
    odd.mkdir(0o711)
    try:
        yield odd
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(home: Path) -> Generator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(home / "pg")
    postgres.initialise(PASSWORD)
    try:
        yield postgres
    finally:
        postgres.stop()


async def answer(postgres: EmbeddedPostgres, query: str) -> object:
    conn = await asyncpg.connect(postgres.dsn("postgres", PASSWORD, database="postgres"))
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


async def test_it_serves_from_an_oddly_named_home_and_after_kill_9(
    postgres: EmbeddedPostgres,
) -> None:
    assert postgres.pid() is None
    postgres.start()
    first = postgres.pid()
    assert first is not None
    postgres.start()
    assert postgres.pid() == first
    await ensure_database(postgres.dsn("postgres", PASSWORD, database="postgres"), "Garten Größe")
    await ensure_database(postgres.dsn("postgres", PASSWORD, database="postgres"), "Garten Größe")
    os.kill(first, signal.SIGKILL)
    Process(first).wait(15)
    assert (postgres.data / "postmaster.pid").exists()
    assert postgres.pid() is None
    postgres.start()
    assert postgres.pid() not in (None, first)
    kept = "SELECT count(*) FROM pg_database WHERE datname = 'Garten Größe'"
    assert await answer(postgres, kept) == 1
    assert await answer(postgres, "SHOW fsync") == "on"
    assert await answer(postgres, "SHOW listen_addresses") == ""
    postgres.stop()
    assert postgres.pid() is None
    postgres.stop()


async def test_nobody_gets_in_without_the_password(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    for wrong in ("", "postgres", PASSWORD + "x"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.dsn("postgres", wrong, database="postgres"))
    for file in postgres.folder.iterdir():
        if not file.is_socket():
            assert PASSWORD.encode() not in (file.read_bytes() if file.is_file() else b"")
    assert stat.S_IMODE(postgres.data.stat().st_mode) == 0o700


def test_what_was_begun_and_not_finished_is_begun_again(home: Path) -> None:
    postgres = EmbeddedPostgres(home / "pg")
    half_made = postgres.folder / "data.partial"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18")
    postgres.initialise(PASSWORD)
    assert (postgres.data / "global").is_dir()
    assert {path.name for path in postgres.folder.iterdir()} == {"data"}


def test_a_pid_file_of_another_process_is_stale(home: Path) -> None:
    postgres = EmbeddedPostgres(home / "pg")
    postgres.data.mkdir(parents=True)
    for content in (f"{os.getpid()}\n", "", "no number\n", "4194999\n"):
        (postgres.data / "postmaster.pid").write_text(content)
        assert postgres.pid() is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 100, "too long for a Unix socket"),
        ("a,b", "holds ','"),
        ("$HOME", r"holds '\$'"),
        ('"quoted"', """holds '"'"""),
    ],
)
def test_a_home_that_will_not_do_is_refused_before_anything_is_made(
    home: Path, name: str, why: str
) -> None:
    with pytest.raises(EmbeddedPostgresError, match=f"{why}.*Set GARDENOS_HOME"):
        EmbeddedPostgres(home / name).initialise(PASSWORD)
    assert list(home.iterdir()) == []


def test_a_start_that_fails_quotes_the_log(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"(?s)did not start.*no_such_setting"):
        postgres.start({"no_such_setting": "1"})
    assert postgres.pid() is None


def test_a_private_folder_keeps_its_server_where_the_servers_user_gets_to(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    wished = private / "postgres"
    kept = reachable(wished)
    # Only root has another user run the server.
    assert (kept == wished) == (os.geteuid() != 0)
    assert kept == reachable(wished) != reachable(private / "another")
    (wished / "data").mkdir(parents=True)
    assert reachable(wished) == wished
