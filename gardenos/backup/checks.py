"""Whether restored data are sound: every page's checksum, every table and every B-tree."""

from __future__ import annotations

from pathlib import Path

from gardenos.backup.errors import BackupDamaged
from gardenos.backup.programs import ProgramFailed, run

_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn"
_HAS_AMCHECK = "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'"
_DROP_AMCHECK = "DROP EXTENSION amcheck"
_NO_CHECKSUMS = "data checksums are not enabled"


def check_tables(dsn: str) -> None:
    """Look at every table and index with amcheck, and leave no trace of it. Raises `BackupDamaged`.

    `dsn` is a superuser's, of the database postgres.
    """
    databases = _ask(dsn, _DATABASES).splitlines()
    without = [name for name in databases if _ask(dsn, _HAS_AMCHECK, name) == "0"]
    try:
        run("pg_amcheck", ["--all", "--install-missing", "--heapallindexed"], dsn=dsn)
    except ProgramFailed as error:
        raise BackupDamaged(f"A table or index is not sound: {error}.") from error
    for name in without:
        _ask(dsn, _DROP_AMCHECK, name)


def check_pages(data: Path) -> None:
    """Check the checksum of every page of a stopped server. Raises `BackupDamaged`."""
    try:
        run("pg_checksums", ["--check", f"--pgdata={data}"])
    except ProgramFailed as error:
        if _NO_CHECKSUMS not in str(error):
            raise BackupDamaged(f"A page is not sound: {error}.") from error


def _ask(dsn: str, statement: str, database: str = "postgres") -> str:
    return run(
        "psql",
        ["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", f"--command={statement}"],
        dsn=dsn,
        database=database,
    )
