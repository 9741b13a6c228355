from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gardenos.cli import database, secrets
from gardenos.cli.database import Plan
from gardenos.cli.home import Home
from gardenos.cli.problems import CommandFailed
from gardenos.db import migrate
from gardenos.db.pool import PrivilegedRole

if TYPE_CHECKING:
    from gardenos.testing.postgres import PostgresServer

APP = "postgresql://gardenos_app:p%40ss@db.example.org:5432/crm"
ADMIN = "postgresql://root:secret@db.example.org/crm"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("GARDENOS_DATABASE_URL", "GARDENOS_ADMIN_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    home = Home(tmp_path)
    home.make()
    return home


def planned(home: Home) -> Plan:
    return database.plan(home, home.settings())


@pytest.fixture
def nobody() -> str:
    """The address of a database that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"postgresql://gardenos_app:hush@127.0.0.1:{free.getsockname()[1]}/crm"


def test_without_an_address_the_embedded_server_is_used(home: Home) -> None:
    secrets.ensure(home, secrets.EMBEDDED)
    chosen = planned(home)
    assert chosen.embedded is not None
    assert chosen.embedded.folder == home.postgres.folder
    # What `up` wrote for the app does not make the database somebody else's.
    secrets.put(home, secrets.DATABASE_URL, chosen.app_dsn)
    assert planned(home) == chosen


def test_an_address_in_the_environment_is_used(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.ensure(home, secrets.EMBEDDED)
    monkeypatch.setenv("GARDENOS_DATABASE_URL", APP)
    monkeypatch.setenv("GARDENOS_ADMIN_DATABASE_URL", ADMIN)
    assert planned(home) == Plan(APP, ADMIN, None)


def test_an_address_mounted_as_a_secret_is_used(home: Home) -> None:
    secrets.put(home, secrets.DATABASE_URL, APP)
    assert planned(home) == Plan(APP, None, None)


def test_an_administrator_alone_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARDENOS_ADMIN_DATABASE_URL", ADMIN)
    with pytest.raises(CommandFailed, match="GARDENOS_DATABASE_URL is not"):
        planned(home)


def test_an_address_of_something_else_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GARDENOS_DATABASE_URL", "mysql://root@localhost/crm")
    with pytest.raises(CommandFailed, match="GARDENOS_DATABASE_URL is not a PostgreSQL URL"):
        planned(home)


def test_passwords_are_never_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARDENOS_DATABASE_URL", APP)
    chosen = planned(home)
    assert chosen.where == "db.example.org:5432/crm"
    assert "p%40ss" not in repr(chosen)
    assert "p@ss" not in repr(chosen)


@pytest.mark.parametrize("password", ["hu/sh", "hu?sh", "hu#sh", "hu@sh", "[hush"])
def test_a_password_that_was_not_encoded_is_refused_and_not_shown(
    home: Home, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    dsn = f"postgresql://gardenos_app:{password}@db.example.org:5432/crm"
    monkeypatch.setenv("GARDENOS_DATABASE_URL", dsn)
    with pytest.raises(
        CommandFailed, match="GARDENOS_DATABASE_URL cannot be taken apart"
    ) as caught:
        planned(home)
    assert "%2F" in caught.value.todo
    assert database.address(dsn) == "db.example.org:5432/crm"


def test_an_address_without_a_host_does_not_show_its_password(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GARDENOS_DATABASE_URL", "postgresql://gardenos_app:hush/crm")
    with pytest.raises(CommandFailed, match="cannot be taken apart") as caught:
        planned(home)
    assert "hush" not in caught.value.detail + caught.value.todo


@pytest.mark.parametrize("server", ["127.0.0.1:5432", "[::1]:5432", "one:5432,two:5433", ""])
def test_every_way_to_name_servers_is_taken(
    home: Home, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    dsn = f"postgresql://gardenos_app:hush@{server}/crm?host=/var/run/postgresql"
    monkeypatch.setenv("GARDENOS_DATABASE_URL", dsn)
    assert planned(home).app_dsn == dsn
    assert planned(home).where == f"{server}/crm"


def test_a_database_is_required_before_anything_is_started(
    server: PostgresServer, database_name: str, nobody: str
) -> None:
    app, admin = server.app(database_name), server.admin(database_name)
    database.require(Plan(app, admin, None))
    database.require(Plan(app, None, None))
    database.require(Plan(server.app("not_made_yet"), server.admin("not_made_yet"), None))
    for missing in (Plan(nobody, nobody, None), Plan(nobody, None, None)):
        with pytest.raises(CommandFailed, match="does not answer"):
            database.require(missing)
    with pytest.raises(CommandFailed, match="There is no database not_made_yet"):
        database.require(Plan(server.app("not_made_yet"), None, None))


@pytest.mark.parametrize("as_admin", [True, False])
def test_an_unreachable_database_is_one_sentence_without_its_password(
    nobody: str, as_admin: bool
) -> None:
    chosen = Plan(nobody, nobody if as_admin else None, None)
    with pytest.raises(CommandFailed) as caught:
        database.bring_up_to_date(chosen)
    assert "does not answer" in caught.value.detail
    assert "127.0.0.1" in caught.value.detail
    assert "GARDENOS_DATABASE_URL" in caught.value.todo
    assert "hush" not in caught.value.detail
    assert database.answers(nobody) is False


def test_a_wrong_password_names_the_login(server: PostgresServer) -> None:
    wrong = server.postgres.dsn("postgres", "wrong")
    with pytest.raises(CommandFailed) as caught:
        database.bring_up_to_date(Plan(wrong, wrong, None))
    assert "refused the login postgres" in caught.value.detail


def test_a_database_that_is_missing_is_made_and_migrated(server: PostgresServer) -> None:
    name = "made_by_up"
    chosen = Plan(server.app(name), server.admin(name), None)
    applied = database.bring_up_to_date(chosen)
    assert applied == migrate.available()
    assert database.bring_up_to_date(chosen) == []


def test_an_app_login_that_bypasses_row_level_security_is_refused(
    server: PostgresServer, database_name: str
) -> None:
    superuser = server.admin(database_name)
    with pytest.raises(PrivilegedRole):
        database.bring_up_to_date(Plan(superuser, superuser, None))


async def test_waiting_migrations_are_named(server: PostgresServer, database_name: str) -> None:
    assert await database.waiting_migrations(server.admin("postgres")) == migrate.available()
    assert await database.waiting_migrations(server.admin(database_name)) == []
