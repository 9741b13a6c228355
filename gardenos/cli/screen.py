"""What commands print with: consoles, tables, a line per finished step, names as people know them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

import gardenos

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Say: TypeAlias = Callable[[str], None]


def program() -> str:
    """What to type to run these commands: the script of a checkout, else the installed program."""
    return "./garden" if (Path(gardenos.__file__).parents[1] / "garden").is_file() else "gardenos"


def to_type(sentence: str) -> str:
    """A sentence whose `gardenos ...` can be typed as it stands."""
    return sentence.replace("`gardenos ", f"`{program()} ")


def near(path: Path) -> str:
    """A path as seen from the working folder, where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def table(*columns: Column | str, title: str | None = None) -> Table:
    """A table that cuts nothing off: what is too long for its column goes on in the next line."""
    made = Table(*columns, title=title, title_justify="left")
    for column in made.columns:
        column.overflow = "fold"
    return made


@contextmanager
def step(doing: str) -> Generator[Say]:
    """Show `doing` while the block runs, then a line with what it said last and how long it took.

    The block says what it has done by calling what it is given; before that, the same call tells
    what it waits for.
    """
    said = doing
    began = time.monotonic()
    with console.status(escape(doing)) as status:

        def say(what: str) -> None:
            nonlocal said
            said = what
            status.update(escape(what))

        yield say
    took = time.monotonic() - began
    console.print(f"[green]✓[/] {escape(said)} [dim]{took:.1f} s[/]")
