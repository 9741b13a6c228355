"""Whether this machine can run GardenOS: each question a pure decision over what was measured."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from gardenos.cli.problems import CommandFailed

GIB = 1024**3
DISK_NEEDED, DISK_WANTED = 1 * GIB, 5 * GIB
MEMORY_NEEDED, MEMORY_WANTED = 1 * GIB, 3 * GIB
OLDEST, TOO_NEW = (3, 11), (3, 14)
_MOVES = {"dashboard": "GARDENOS_DASHBOARD_PORT", "ray": "GARDENOS_RAY_PORT"}
"""The setting that moves a port, by the first word of its name; all others follow GARDENOS_HTTP_PORT."""


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: what was found and, unless it is good, what to do."""

    what: str
    verdict: Verdict
    said: str
    todo: str = ""


def good(what: str, said: str) -> Finding:
    """All is well."""
    return Finding(what, Verdict.GOOD, said)


def doubtful(what: str, said: str, todo: str) -> Finding:
    """It works, perhaps not for long."""
    return Finding(what, Verdict.DOUBTFUL, said, todo)


def bad(what: str, said: str, todo: str) -> Finding:
    """It cannot work."""
    return Finding(what, Verdict.BAD, said, todo)


def refuse(findings: Iterable[Finding]) -> None:
    """Raise `CommandFailed` for the first bad finding."""
    for finding in findings:
        if finding.verdict is Verdict.BAD:
            raise CommandFailed(finding.said, todo=finding.todo)


def judge_python(version: tuple[int, int, int]) -> Finding:
    """GardenOS runs on the versions its lock file was made for."""
    name = ".".join(map(str, version))
    if OLDEST <= version[:2] < TOO_NEW:
        return good("Python", name)
    return bad(
        "Python",
        f"GardenOS needs Python 3.11, 3.12 or 3.13; this is {name}.",
        "Run ./garden, which finds or asks for one that fits, instead of gardenos itself.",
    )


def judge_disk(free: int, folder: Path) -> Finding:
    """PostgreSQL stops when its disk is full, and Ray before that: refuse in time."""
    said = f"{_size(free)} free at {folder}"
    if free < DISK_NEEDED:
        return bad(
            "Disk",
            f"Only {_size(free)} are free at {folder}; GardenOS needs {_size(DISK_NEEDED)}.",
            "Free some space, or set GARDENOS_HOME to a folder on another disk.",
        )
    if free < DISK_WANTED:
        return doubtful("Disk", said, f"Have {_size(DISK_WANTED)} free before real work.")
    return good("Disk", said)


def judge_memory(available: int) -> Finding:
    """Ray's processes, replicas and PostgreSQL together take about two gigabytes."""
    said = f"{_size(available)} available"
    if available < MEMORY_NEEDED:
        return bad(
            "Memory",
            f"Only {_size(available)} of memory are available; "
            f"GardenOS needs {_size(MEMORY_NEEDED)} to start.",
            "Close other programs, or run it on a larger machine.",
        )
    if available < MEMORY_WANTED:
        return doubtful("Memory", said, "It starts, but scaling agents up may not fit.")
    return good("Memory", said)


def judge_port(name: str, port: int, holder: str | None) -> Finding:
    """A port is ours to take unless somebody holds it; `holder` says who, or is None."""
    what = f"Port {port}"
    if holder is None:
        return good(what, f"free, for {name.replace('_', ' ')}")
    return bad(
        what,
        f"Port {port}, which GardenOS needs for {name.replace('_', ' ')}, is taken by {holder}.",
        f"Stop that program, or set {_mover(name)} to another port.",
    )


def judge_second_use(name: str, port: int, first: str) -> Finding:
    """Settings may lead two parts of GardenOS to one port."""
    both = f"{first} and for {name}".replace("_", " ")
    return bad(
        f"Port {port}",
        f"Port {port} is wanted twice: for {both}.",
        f"Set {_mover(first)} or {_mover(name)} to another port.",
    )


def _mover(name: str) -> str:
    """The setting that moves a port."""
    return _MOVES.get(name.partition("_")[0], "GARDENOS_HTTP_PORT")


def judge_home(folder: Path, obstacle: str | None) -> Finding:
    """The home must be a folder that this user can write to."""
    if obstacle is None:
        return good("Home", str(folder))
    return bad(
        "Home",
        f"GardenOS cannot keep its data in {folder}: {obstacle}.",
        "Make it yours, or set GARDENOS_HOME to a folder of your own.",
    )


def machine(home: Path) -> list[Finding]:
    """The checks that hold whether GardenOS runs or not."""
    return [
        judge_python(sys.version_info[:3]),
        judge_home(home, obstacle_to(home)),
        judge_disk(shutil.disk_usage(_nearest(home)).free, home),
        judge_memory(available_memory()),
    ]


def ports(wanted: dict[str, int]) -> list[Finding]:
    """Whether each port is free and wanted once, by what it is for."""
    first: dict[int, str] = {}
    return [
        judge_port(name, port, holder_of(port))
        if first.setdefault(port, name) == name
        else judge_second_use(name, port, first[port])
        for name, port in wanted.items()
    ]


def obstacle_to(folder: Path) -> str | None:
    """Why files cannot be written below `folder`; None where they can. Makes nothing that stays."""
    there = _nearest(folder)
    if not there.is_dir():
        return f"{there} is no folder"
    probe = there / f".gardenos-{os.getpid()}"
    try:
        probe.touch()
    except OSError as error:
        return f"{there} is not writable ({error.strerror})"
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return None


def available_memory() -> int:
    """The memory a new process could have, in bytes; a container's limit counts."""
    available = psutil.virtual_memory().available
    cgroup = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        return min(available, max(0, limit - used))
    return available


def holder_of(port: int) -> str | None:
    """Who listens on `port`, as words; None where nobody does."""
    for address in ("0.0.0.0", "127.0.0.1"):  # noqa: S104 what HAProxy binds, and what Ray does
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno == errno.EACCES:
                    return "the system, which keeps it for the administrator"
                if error.errno == errno.EADDRINUSE:
                    return _listener(port) or "another program"
                raise
    return None


def _listener(port: int) -> str | None:
    with contextlib.suppress(psutil.Error):
        for conn in psutil.net_connections("tcp"):
            if conn.status == psutil.CONN_LISTEN and conn.pid and conn.laddr[1:] == (port,):
                return f"{psutil.Process(conn.pid).name()} (process {conn.pid})"
    return None


def _nearest(folder: Path) -> Path:
    """The folder itself, or the closest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
