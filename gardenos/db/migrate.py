"""Forward-only migrations: numbered SQL files, each applied once, in order, in one transaction.

An advisory lock makes concurrent runs wait for each other; a checksum per file makes an edited
migration an error instead of a difference nobody knows of.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from gardenos.core.errors import DatabaseUnavailable, GardenOSError
from gardenos.db.session import UNREACHABLE

_FILE = re.compile(r"^(?P<number>\d{4})_(?P<name>\w+)\.sql$")
_LOCK = 0x6741_7264_656E  # "gArden": any constant, the same for every run
MINIMUM_SERVER = 18


class MigrationError(GardenOSError):
    """The database cannot be brought to this version's schema."""

    code = "migration-failed"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `migrations/`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def available() -> list[Migration]:
    """The migrations this version ships, in order."""
    found: list[Migration] = []
    for entry in files(__package__ or "gardenos.db").joinpath("migrations").iterdir():
        match = _FILE.match(entry.name)
        if match:
            sql = entry.read_text("utf-8")
            found.append(Migration(int(match["number"]), match["name"], sql))
    found.sort(key=lambda migration: migration.number)
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError("The migrations shipped are not numbered 1..n without a gap.")
    return found


def pending(applied: Sequence[tuple[int, str]], shipped: Sequence[Migration]) -> list[Migration]:
    """What to apply, given `(number, checksum)` of what has been. Raises `MigrationError`."""
    by_number = {migration.number: migration for migration in shipped}
    for number, checksum in applied:
        migration = by_number.get(number)
        if migration is None:
            raise MigrationError(
                f"The database has migration {number}, which this version does not know. "
                "Install the GardenOS version that last ran here, or a newer one."
            )
        if migration.checksum != checksum:
            raise MigrationError(
                f"Migration {number:04d}_{migration.name} was applied with another text. "
                "Applied migrations never change: restore the file and add a new one."
            )
    done = {number for number, _ in applied}
    return [migration for migration in shipped if migration.number not in done]


_PREPARE = """
CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION gardenos_owner;
SET ROLE gardenos_owner;
CREATE TABLE IF NOT EXISTS app.migrations (
  number     integer PRIMARY KEY,
  name       text NOT NULL,
  checksum   text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
RESET ROLE;
"""


async def _apply(conn: asyncpg.Connection[asyncpg.Record], migration: Migration) -> None:
    async with conn.transaction():
        await conn.execute("SET LOCAL ROLE gardenos_owner")
        try:
            await conn.execute(migration.sql)
        except asyncpg.PostgresError as error:
            raise MigrationError(
                f"Migration {migration.number:04d}_{migration.name} failed and was undone: {error}"
            ) from error
        await conn.execute("RESET ROLE")
        await conn.execute(
            "INSERT INTO app.migrations (number, name, checksum) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )


async def migrate(
    admin_dsn: str,
    *,
    app_password: str | None = None,
    on_progress: Callable[[Migration], None] | None = None,
    shipped: Sequence[Migration] | None = None,
) -> list[Migration]:
    """Bring the database at `admin_dsn` to this version's schema; what was applied now.

    The login must be allowed to create roles and schemas. `app_password` becomes the password of
    the app's login `gardenos_app`; `shipped` takes the place of `available()`. Raises
    `MigrationError`, `DatabaseUnavailable`.
    """
    wanted = available() if shipped is None else shipped
    try:
        conn = await asyncpg.connect(admin_dsn, timeout=10)
    except UNREACHABLE as error:
        raise DatabaseUnavailable(f"The database does not answer: {error}") from error
    except asyncpg.PostgresError as error:
        raise MigrationError(f"The database refused the admin login: {error}") from error
    try:
        return await _migrate(conn, wanted, app_password, on_progress)
    except UNREACHABLE as error:
        raise DatabaseUnavailable(f"The database went away during a migration: {error}") from error
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"The database cannot be made ready for migrations: {error}. Its admin login has to "
            "be a superuser, or to own the database and be allowed to create roles."
        ) from error
    finally:
        await conn.close()


async def _migrate(
    conn: asyncpg.Connection[asyncpg.Record],
    shipped: Sequence[Migration],
    app_password: str | None,
    on_progress: Callable[[Migration], None] | None,
) -> list[Migration]:
    if conn.get_server_version().major < MINIMUM_SERVER:
        raise MigrationError(
            f"GardenOS needs PostgreSQL {MINIMUM_SERVER} or newer; this server is "
            f"{conn.get_server_version().major}."
        )
    await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
    await conn.execute(files("gardenos.db").joinpath("roles.sql").read_text("utf-8"))
    if app_password is not None:
        quoted = await conn.fetchval("SELECT quote_literal($1)", app_password)
        await conn.execute(f"ALTER ROLE gardenos_app PASSWORD {quoted}")
    await conn.execute(_PREPARE)
    rows = await conn.fetch("SELECT number, checksum FROM app.migrations ORDER BY number")
    todo = pending([(row["number"], row["checksum"]) for row in rows], shipped)
    for migration in todo:
        if on_progress:
            on_progress(migration)
        await _apply(conn, migration)
    return todo
