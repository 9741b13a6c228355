"""`backup` and `restore` as they are typed, from the first backup to a database of before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
import typer
from typer.testing import CliRunner, Result

from gardenos.backup import server as servers
from gardenos.backup.errors import RestoreRefused, StoreUnusable
from gardenos.cli import database, secrets
from gardenos.cli.backup import backup_commands, restore
from gardenos.cli.home import Home
from gardenos.cli.problems import CommandFailed
from gardenos.core.errors import GardenOSError
from tests.integration.backup.conftest import fill_segments, write

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.backup.conftest import Origin

Typed: TypeAlias = Callable[..., Result]


@pytest.fixture
def typed(origin: Origin, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Runs a command line in an installation whose database is `origin`; it must succeed."""
    commands = typer.Typer()
    commands.add_typer(backup_commands, name="backup")
    commands.command()(restore)
    (folder / "home").mkdir(mode=0o711)
    monkeypatch.setenv("GARDENOS_HOME", str(folder / "home"))
    monkeypatch.setenv("GARDENOS_BACKUP_DATABASE_URL", origin.dsn)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, fails: type[GardenOSError] | None = None) -> Result:
        done = CliRunner().invoke(commands, words)
        if fails is None:
            assert done.exit_code in (0, 1), done.output
            assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        else:
            assert isinstance(done.exception, fails), done.output
        return done

    return run


async def test_from_the_first_backup_to_a_database_of_before(
    typed: Typed, conn: AdminConnection, folder: Path
) -> None:
    async def say(*words: str, fails: type[GardenOSError] | None = None) -> str:
        # The commands have a loop of their own.
        done = await asyncio.to_thread(typed, *words, fails=fails)
        return str(done.exception) if fails else done.output

    assert "There is no log after it" in await say("backup")
    assert "its own end" in await say("backup", "list")
    assert "segments." in await say("backup", "archive", "--once")
    second = await say("backup", "--keep", "1")
    assert "Removed base_" in second
    assert "1 backups stay" in second
    await fill_segments(conn, 2)
    moment = await write(conn, "before", rows=3)
    await write(conn, "after", rows=3)
    assert "Stored 2 segments" in await say("backup", "archive", "--once")
    assert "sound, leads to" in await say("backup", "verify")
    back = folder / "back"
    words = ("restore", "--to", moment.isoformat(), "--into", str(back))
    assert "every table checked" in await say(*words)
    assert (back / "data" / "PG_VERSION").read_text() == "18\n"
    assert "writes over nothing" in await say(*words, fails=RestoreRefused)
    assert "no longer" in await say("backup", "archive", "--stop")
    assert not await servers.is_held(conn)


def test_damage_ends_with_a_failure_and_says_what_to_do(typed: Typed, folder: Path) -> None:
    typed("backup")
    backups = folder / "home" / "backups"
    (lost,) = backups.rglob("pg_wal.tar.gz")
    lost.unlink()
    done = typed("backup", "verify", "--quick")
    assert done.exit_code == 1
    assert "pg_wal.tar.gz is missing" in done.output
    assert "Make a full backup now" in done.output


def test_a_dry_run_removes_nothing(typed: Typed, folder: Path) -> None:
    typed("backup")
    typed("backup")
    before = sorted((folder / "home" / "backups").rglob("*"))
    assert "Would remove base_" in typed("backup", "prune", "--keep", "1", "--dry-run").output
    assert sorted((folder / "home" / "backups").rglob("*")) == before


def test_what_cannot_be_meant_is_a_sentence(typed: Typed) -> None:
    assert "There is no backup in" in typed("backup", "list").output
    assert typed("backup", "verify").exit_code == 1
    assert "no moment" in str(typed("restore", "--to", "noon", fails=CommandFailed).exception)
    assert "no backup yet" in str(typed("restore", fails=RestoreRefused).exception)
    typed("backup")
    named = typed("restore", "--from", "base_0", fails=StoreUnusable)
    assert "`gardenos backup list`" in str(named.exception)


def test_without_a_running_database_it_says_how_to_start_it(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GARDENOS_BACKUP_DATABASE_URL")
    failed = typed("backup", fails=CommandFailed)
    assert isinstance(failed.exception, CommandFailed)
    assert failed.exception.todo == "Run `gardenos up`."


def test_a_backup_says_in_json_what_it_is(typed: Typed, folder: Path) -> None:
    typed("backup")
    (sentinel,) = (folder / "home" / "backups").rglob("*_backup_stop_sentinel.json")
    said = json.loads(sentinel.read_text("utf-8"))
    assert said["format"] == "gardenos-backup/1"
    assert sentinel.name.startswith(said["name"])


def test_an_installation_comes_back_as_the_page_says(
    typed: Typed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GARDENOS_BACKUP_DATABASE_URL")
    for name in ("GARDENOS_DATABASE_URL", "GARDENOS_ADMIN_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    home = Home.default()
    home.make()
    secrets.ensure(home, {**secrets.GENERATORS, **secrets.EMBEDDED})
    password = secrets.read(home, secrets.SUPERUSER_PASSWORD)
    assert password
    server = home.postgres
    server.initialise(password)
    server.start({"fsync": "off"})
    try:
        chosen = database.plan(home, home.settings())
        database.bring_up_to_date(chosen)
        typed("backup", "archive", "--once")
        typed("backup")
        assert "every table checked" in typed("restore").output
    finally:
        server.stop()
    (restored,) = (path for path in home.folder.iterdir() if path.name.startswith("restored-"))
    server.folder.rename(folder / "before")
    restored.rename(server.folder)
    server.start({"fsync": "off"})
    try:
        # The migrations find nothing to do, and the app's login is let in with the secrets there are.
        assert database.bring_up_to_date(chosen) == []
        database.require(chosen)
    finally:
        server.stop()
