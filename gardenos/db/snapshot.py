"""The schema the migrations lead to, as one file to read and to review: `schema.sql`.

`python -m gardenos.db.snapshot` writes it anew after a migration was added.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from gardenos.core.errors import GardenOSError
from gardenos.db import migrate
from gardenos.db.embedded import EmbeddedPostgres, binary, ensure_database

FILE = Path(__file__).with_name("schema.sql")
HEADER = "-- What the migrations make; written by `python -m gardenos.db.snapshot`, never run.\n"
_NOISE = re.compile(
    r"^(--\s*$|-- (Dumped|Name:|PostgreSQL database dump).*|\\(un)?restrict .*|SET .*|"
    r"SELECT pg_catalog\.set_config\('search_path'.*)\n",
    re.MULTILINE,
)
"""Headings, session settings, and what differs between two dumps of one schema: versions, tokens."""
_BLANK_LINES = re.compile(r"\n{3,}")


class SnapshotError(GardenOSError):
    """The schema cannot be dumped. pg_dump says why."""

    code = "snapshot-failed"


def normalise(dump: str) -> str:
    """A dump without what changes when the schema does not."""
    return HEADER + "\n" + _BLANK_LINES.sub("\n\n", _NOISE.sub("", dump)).strip() + "\n"


def dump(dsn: str) -> str:
    """The schema of the database at `dsn`: tables, functions, policies, owners and grants."""
    parts = urlsplit(dsn)
    # A password on the command line is everybody's to read; in the environment it is not.
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    address = urlunsplit(parts._replace(netloc=f"{user}@{host}"))
    done = subprocess.run(  # noqa: S603 our own binary
        [binary("pg_dump"), "--schema-only", "--exclude-schema=pg_*", address],
        env={"PGPASSWORD": unquote(password), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SnapshotError(f"pg_dump failed: {done.stderr.strip()}")
    return normalise(done.stdout)


def take() -> str:
    """The schema of a fresh database that all migrations were applied to."""
    with tempfile.TemporaryDirectory(prefix="gos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        postgres = EmbeddedPostgres(Path(folder) / "pg")
        password = secrets.token_hex(16)
        postgres.initialise(password)
        postgres.start({"fsync": "off"})
        try:
            admin = postgres.dsn("postgres", password)
            asyncio.run(_migrated(postgres.dsn("postgres", password, database="postgres"), admin))
            return dump(admin)
        finally:
            postgres.stop()


async def _migrated(maintenance: str, admin: str) -> None:
    await ensure_database(maintenance)
    await migrate.migrate(admin)


if __name__ == "__main__":
    FILE.write_text(take(), "utf-8")
    sys.stdout.write(f"{FILE} is what the migrations make.\n")
