"""What commands print with: one console for results, one for errors, and a line per finished step."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.markup import escape

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Say: TypeAlias = Callable[[str], None]


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
