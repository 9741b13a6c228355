"""The database of an installation: the embedded server, or the one that the environment names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from gardenos.cli import secrets
from gardenos.cli.home import Home
from gardenos.cli.problems import CommandFailed
from gardenos.core.config import ENV_PREFIX, Settings
from gardenos.core.errors import DatabaseUnavailable
from gardenos.db import migrate
from gardenos.db.embedded import DATABASE, EmbeddedPostgres, ensure_database
from gardenos.db.migrate import Migration
from gardenos.db.session import UNREACHABLE

_APP_LOGIN = "gardenos_app"
_MAINTENANCE = "postgres"
_CHOICES = ("embedded", "lab")
_HANGS_UP = "connection_lost"
_HUNG_UP = "connections are closed at once, as by a proxy that has no server to lead to"
_WRITE_IT = "Write it as postgresql://user:password@host:5432/database."


@dataclass(frozen=True, slots=True)
class Plan:
    """Which database an installation uses, and as whom."""

    app_dsn: str = field(repr=False)
    admin_dsn: str | None = field(repr=False)
    """None where somebody else migrates a database of their own."""
    embedded: EmbeddedPostgres | None

    @property
    def where(self) -> str:
        """The server and database, without login and password."""
        if self.embedded:
            return f"embedded, in {self.embedded.folder}"
        return address(self.app_dsn)


def plan(home: Home, settings: Settings) -> Plan:
    """Which database this installation uses; call it after the embedded server's secrets exist.

    Raises `CommandFailed` where the environment names only an administrator's login.
    """
    if is_external(home, settings):
        if settings.database_url is None:
            raise CommandFailed(
                "GARDENOS_ADMIN_DATABASE_URL is set, but GARDENOS_DATABASE_URL is not.",
                todo=f"Set it to the same database with the login {_APP_LOGIN} "
                "and a password of your choice.",
            )
        admin = settings.admin_database_url
        return Plan(
            app_dsn=_checked(settings.database_url.get_secret_value(), "GARDENOS_DATABASE_URL"),
            admin_dsn=_checked(admin.get_secret_value(), "GARDENOS_ADMIN_DATABASE_URL")
            if admin
            else None,
            embedded=None,
        )
    server = home.postgres
    app = secrets.read(home, secrets.APP_PASSWORD) or ""
    superuser = secrets.read(home, secrets.SUPERUSER_PASSWORD) or ""
    return Plan(
        app_dsn=server.dsn(_APP_LOGIN, app),
        admin_dsn=server.dsn("postgres", superuser),
        embedded=server,
    )


def is_external(home: Home, settings: Settings) -> bool:
    """Whether the database is somebody else's: named by the environment or by a mounted secret."""
    by_environment = any(
        os.environ.get(f"{ENV_PREFIX}{name}") for name in ("DATABASE_URL", "ADMIN_DATABASE_URL")
    )
    ours = secrets.read(home, secrets.SUPERUSER_PASSWORD) is not None
    chosen = secrets.read(home, secrets.ADMIN_DATABASE_URL) is not None
    return by_environment or (settings.database_url is not None and (chosen or not ours))


def is_labs(home: Home, settings: Settings) -> bool:
    """Whether the database is that of the installation's own lab."""
    url = settings.database_url
    return url is not None and _leads_to_lab(home, url.get_secret_value())


def _leads_to_lab(home: Home, dsn: str) -> bool:
    from gardenos.cli import lab

    return lab.is_at(home, address(dsn).partition("/")[0])


def choose(home: Home, which: str) -> None:
    """Use the lab's database from now on, or the embedded one again. Raises `CommandFailed`."""
    if which not in _CHOICES:
        raise CommandFailed(
            f"There is no database {which}.", todo=f"There are: {', '.join(_CHOICES)}."
        )
    to_lab = which == "lab"
    if to_lab is (secrets.read(home, secrets.ADMIN_DATABASE_URL) is not None):
        return
    if home.running():
        raise CommandFailed("GardenOS runs on another database.", todo="Run `gardenos down` first.")
    if to_lab:
        from gardenos.cli import lab
        from gardenos.lab.bring_up import environment

        told = environment(lab.folder(home))
        secrets.put(home, secrets.DATABASE_URL, told["GARDENOS_DATABASE_URL"])
        secrets.put(home, secrets.ADMIN_DATABASE_URL, told["GARDENOS_ADMIN_DATABASE_URL"])
    else:
        secrets.drop(home, secrets.DATABASE_URL)
        secrets.drop(home, secrets.ADMIN_DATABASE_URL)


def bring_up_to_date(
    chosen: Plan, on_progress: Callable[[Migration], None] | None = None
) -> list[Migration]:
    """Create the database where it is missing and apply the migrations; those applied now.

    Raises `CommandFailed`, `DatabaseUnavailable`, `MigrationError`.
    """
    return asyncio.run(_bring_up_to_date(chosen, on_progress))


async def _bring_up_to_date(
    chosen: Plan, on_progress: Callable[[Migration], None] | None
) -> list[Migration]:
    if chosen.admin_dsn is None:
        await check_login(chosen.app_dsn)
        return []
    if not await _exists(chosen.admin_dsn):
        name = _database_of(chosen.admin_dsn)
        await ensure_database(_in_database(chosen.admin_dsn, _MAINTENANCE), name)
    user, password = _login_of(chosen.app_dsn)
    applied = await migrate.migrate(
        chosen.admin_dsn,
        app_password=password if user == _APP_LOGIN else None,
        on_progress=on_progress,
    )
    await check_login(chosen.app_dsn)
    return applied


async def _exists(dsn: str) -> bool:
    try:
        with connecting(dsn):
            conn = await asyncpg.connect(dsn, timeout=10)
    except _NoSuchDatabase:
        return False
    await conn.close()
    return True


def require(chosen: Plan) -> None:
    """Raise `CommandFailed` unless the server answers and lets the logins in, as far as it can be known.

    A database that `up` has yet to make does not count against it.
    """
    if chosen.admin_dsn is None:
        asyncio.run(check_login(chosen.app_dsn))
    else:
        asyncio.run(_exists(chosen.admin_dsn))


async def check_login(dsn: str) -> None:
    """Raise unless the app's login works and is one that row-level security binds."""
    from gardenos.db.pool import open_database

    with connecting(dsn):
        database = await open_database(dsn, min_size=1, max_size=1, name="gardenos-cli")
    await database.pool.close()


class _NoSuchDatabase(CommandFailed):
    """The server is there, the database is not."""


@contextmanager
def connecting(dsn: str) -> Generator[None]:
    """Turn whatever keeps a connection from being made into `CommandFailed`."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise unreachable(dsn, error.__cause__ or error) from error
    except UNREACHABLE as error:
        raise unreachable(dsn, error) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise _NoSuchDatabase(
            f"There is no database {_database_of(dsn)} at {address(dsn)}.",
            todo="Run `gardenos up` with GARDENOS_ADMIN_DATABASE_URL set, which makes it.",
        ) from error
    except asyncpg.PostgresError as error:
        raise refused(dsn, error) from error
    except (ValueError, asyncpg.InterfaceError) as error:
        raise CommandFailed(
            f"The address {address(dsn)} of the database is not usable: {error}.", todo=_WRITE_IT
        ) from error


def unreachable(dsn: str, error: BaseException) -> CommandFailed:
    """What to say where nobody answers."""
    said = _HUNG_UP if _HANGS_UP in str(error) else str(error) or type(error).__name__
    if _leads_to_lab(Home.default(), dsn):
        return CommandFailed(
            f"The lab at {address(dsn)} leads to no database: {said}.",
            todo="See `gardenos lab status`. When a node dies, another leads within half a minute; "
            "`gardenos lab up` starts what does not run.",
        )
    return CommandFailed(
        f"The database at {address(dsn)} does not answer: {said}.",
        todo="Start it, or correct GARDENOS_DATABASE_URL and GARDENOS_ADMIN_DATABASE_URL. "
        "Without these variables GardenOS brings its own PostgreSQL.",
    )


def refused(dsn: str, error: BaseException) -> CommandFailed:
    """What to say where the server does not let us in."""
    return CommandFailed(
        f"The database at {address(dsn)} refused the login {_login_of(dsn)[0]}: {error}.",
        todo="Correct user and password in GARDENOS_DATABASE_URL and GARDENOS_ADMIN_DATABASE_URL.",
    )


def address(dsn: str) -> str:
    """Server and database of a connection string, fit to be shown whatever its password looks like."""
    behind_login = dsn.rpartition("@")[2] if "@" in dsn else dsn.partition("://")[2]
    return behind_login.partition("?")[0] or "an unnamed server"


def _checked(dsn: str, name: str) -> str:
    # What is wrong is not told in the parser's words: they quote, and it may be the password.
    if dsn.partition("://")[0] not in ("postgresql", "postgres"):
        raise CommandFailed(f"{name} is not a PostgreSQL URL.", todo=_WRITE_IT)
    if not _is_readable(dsn):
        raise CommandFailed(
            f"{name} cannot be taken apart into user, password, host and database.",
            todo=f"{_WRITE_IT} In user and password, characters such as / ? # @ : need encoding: "
            "%2F %3F %23 %40 %3A.",
        )
    return dsn


def _is_readable(dsn: str) -> bool:
    """Whether the parts are where they seem to be: an unencoded / ? or # ends the server's part."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return False
    login, at, server = parts.netloc.rpartition("@")
    # Without a login, what stands where a port should may be a password.
    port = server.partition(":")[2]
    return "@" not in "".join((login, *parts[2:])) and bool(at or not port or port.isdecimal())


def _login_of(dsn: str) -> tuple[str, str]:
    parts = urlsplit(dsn)
    return unquote(parts.username or ""), unquote(parts.password or "")


def _database_of(dsn: str) -> str:
    return unquote(urlsplit(dsn).path.removeprefix("/")) or DATABASE


def _in_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


def answers(dsn: str) -> bool:
    """Whether a server takes this login."""
    try:
        return asyncio.run(_exists(dsn))
    except CommandFailed:
        return False


async def waiting_migrations(admin_dsn: str) -> list[Migration]:
    """The migrations that are not applied yet."""
    with connecting(admin_dsn):
        conn = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        rows = await conn.fetch("SELECT number, checksum FROM app.migrations ORDER BY number")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        rows = []
    finally:
        await conn.close()
    return migrate.pending([(row["number"], row["checksum"]) for row in rows], migrate.available())
