"""`gardenos logs`: the log files of an installation, as they are or as they grow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rich.markup import escape

from gardenos.cli import lab
from gardenos.cli.home import Home
from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console
from gardenos.serve.environment import log_folder

_POLL_S = 0.3
_BLOCK = 64 * 1024
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta")


def patterns(home: Home) -> Mapping[str, tuple[Path, str]]:
    """Where each component logs: a folder and a pattern of file names in it."""
    ray = log_folder(home.folder)
    return {
        "gardenos": (home.logs, "gardenos.log"),
        "postgres": (home.postgres.folder, "server.log"),
        "ray": (home.logs, "ray.log"),
        "workers": (ray, "worker-*.err"),
        "serve": (ray / "serve", "*.log"),
        "haproxy": (ray, "haproxy*"),
        "dashboard": (ray, "dashboard*.log"),
        "lab": (lab.folder(home) / "logs", "*.log"),
    }


_USUAL = ("gardenos", "postgres", "ray", "workers")
"""What is in the files of `serve`, the workers say too."""


def files(home: Home, component: str | None) -> dict[Path, str]:
    """The files of a component (or of the usual ones) that are there now, with its name."""
    known = patterns(home)
    if component is not None and component not in known:
        raise CommandFailed(
            f"There is no component {component}.", todo=f"There are: {', '.join(known)}."
        )
    found: dict[Path, str] = {}
    for name in [component] if component else _USUAL:
        folder, pattern = known[name]
        # The session's folder is a link that a restart points elsewhere.
        for path in sorted(folder.resolve().glob(pattern)) if folder.is_dir() else ():
            if path.is_file():
                found[path] = name
    return found


def show(home: Home, component: str | None, *, lines: int) -> None:
    """The last lines of each file."""
    empty = True
    for path, name in files(home, component).items():
        # Between the listing and the reading a file may have been rotated away.
        with contextlib.suppress(FileNotFoundError):
            empty = empty and not path.stat().st_size
            for line in tail(path, lines):
                _print(name, line)
    if empty:
        console.print("Nothing has been logged yet.")


def follow(home: Home, component: str | None, *, lines: int) -> None:
    """The last lines, then every new one, until Ctrl-C; new files and new sessions included."""
    at: dict[Path, Place] = {}
    for path, name in files(home, component).items():
        with contextlib.suppress(FileNotFoundError):
            at[path] = Place.end_of(path)
            for line in tail(path, lines):
                _print(name, line)
    while True:
        time.sleep(_POLL_S)
        for path, name in files(home, component).items():
            with contextlib.suppress(FileNotFoundError):
                for line in _grown(path, at):
                    _print(name, line)


class Place(NamedTuple):
    """How far a file has been read; another file under its name is read from the start."""

    inode: int
    offset: int

    @classmethod
    def end_of(cls, path: Path) -> Place:
        """Behind everything that is in the file now."""
        found = path.stat()
        return cls(found.st_ino, found.st_size)


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, read from its end."""
    with path.open("rb") as file:
        file.seek(0, 2)
        left = file.tell()
        data = b""
        while left and data.count(b"\n") <= lines:
            step = min(_BLOCK, left)
            left -= step
            file.seek(left)
            data = file.read(step) + data
    return data.decode(errors="replace").splitlines()[-lines:] if lines else []


def _grown(path: Path, at: dict[Path, Place]) -> Iterator[str]:
    """The whole lines added since the last time; a file that shrank was begun anew."""
    end = Place.end_of(path)
    before = at.get(path, end)
    fresh = path not in at or before.inode != end.inode or end.offset < before.offset
    start = 0 if fresh else before.offset
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(end.offset - start)
    whole = data.rfind(b"\n") + 1
    at[path] = Place(end.inode, start + whole)
    yield from data[:whole].decode(errors="replace").splitlines()


def _print(name: str, line: str) -> None:
    colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
    console.print(f"[{colour}]{name:>9}[/] {escape(line)}")
