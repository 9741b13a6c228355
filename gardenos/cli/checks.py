"""What `check` and `test` run: the same on a laptop and in CI."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
"""The checkout; only a checkout has tests and sources to check."""
_BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Check:
    """One tool, and what its success means."""

    name: str
    means: str
    command: Sequence[str]


CHECKS = (
    Check("ruff", "no lint", ("ruff", "check")),
    Check("format", "formatted", ("ruff", "format", "--check")),
    Check("pyright", "types hold, strictly", ("pyright",)),
    Check("imports", "layers hold", ("lint-imports",)),
    Check(
        "architecture",
        "names, sizes, schema snapshot, docs",
        ("pytest", "-q", "tests/architecture", "-p", "no:cacheprovider"),
    ),
)


def _run(command: Sequence[str]) -> int:
    program, *args = command
    return subprocess.run([_BIN / program, *args], cwd=ROOT, check=False).returncode


def check(console: Console) -> int:
    """Run every check to its end and print a table of them; the number that failed."""
    table = Table("check", "says", "took", title="check")
    failed = 0
    for item in CHECKS:
        console.rule(item.name, style="dim")
        began = time.perf_counter()
        code = _run(item.command)
        failed += code != 0
        verdict = f"[green]{item.means}" if code == 0 else "[red]failed, see above"
        table.add_row(item.name, verdict, f"{time.perf_counter() - began:.1f} s")
    console.print(table)
    return failed


def test(args: Sequence[str]) -> int:
    """Run the test suite, or what `args` select of it; pytest's exit code."""
    return _run(["pytest", *args])
