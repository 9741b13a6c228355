"""Running PostgreSQL's own programs, with no password among their arguments, and what they say."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from gardenos.backup.watch import Progress
from gardenos.db.embedded import binary

_SIZES = re.compile(r"(\d+)/(\d+) kB")
_KILO = 1024


class ProgramFailed(Exception):
    """A program of PostgreSQL's ended with a failure; the message is what it said."""


def run(
    program: str,
    arguments: Sequence[str | Path],
    *,
    dsn: str | None = None,
    database: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Run a program to its end; what it printed. `database` is another one than the DSN names.

    Raises `ProgramFailed`.
    """
    login: list[str] = []
    # No more of our environment than it needs: that may name another server.
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    if dsn is not None:
        without, password = _apart(dsn, database)
        # pg_amcheck has no --dbname: its own connection string is the maintenance database.
        option = "--maintenance-db" if program == "pg_amcheck" else "--dbname"
        login = [f"{option}={without}"]
        if program != "pg_isready":
            login.append("--no-password")
        environment["PGPASSWORD"] = password
    process = subprocess.Popen(  # noqa: S603
        [binary(program), *login, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said: list[str] = []
    with process:
        assert process.stdout is not None  # noqa: S101 it is a pipe
        try:
            for line in process.stdout:
                if sizes := _SIZES.search(line):
                    if progress:
                        progress(int(sizes[1]) * _KILO, int(sizes[2]) * _KILO)
                elif line.strip():
                    said.append(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise ProgramFailed(" ".join(said[-4:]) or f"it ended with {process.returncode}")
    return "\n".join(said)


def _apart(dsn: str, database: str | None) -> tuple[str, str]:
    """A connection string without its password, and the password: other users see arguments."""
    parts = urlsplit(dsn)
    if database is not None:
        parts = parts._replace(path=f"/{quote(database, safe='')}")
    login, at, server = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{server}")), unquote(password)
