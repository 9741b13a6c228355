"""`gardenos test`, `check`, `bench` and `chaos`: for those who change GardenOS."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from gardenos.cli import documents
from gardenos.cli.cluster import ROOT
from gardenos.cli.problems import CommandFailed
from gardenos.cli.screen import console, table
from gardenos.core.config import ENV_PREFIX, Settings

_BENCHMARKS = ROOT / "benchmarks"
_IN_PARALLEL = ("-n", "auto", "--dist", "loadscope", "--max-worker-restart", "2")
"""Before the arguments, so that their own `-n` counts; tests/conftest.py says how many is `auto`."""
_SLOWEST = 25


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold for the sources; `run` gives its complaints, empty where it holds."""

    name: str
    command: str
    """What was run, to be typed again."""
    run: Callable[[], str]


def environment() -> dict[str, str]:
    """The environment for tests: without the settings of the installation of whoever runs them."""
    settings = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    others = (f"{ENV_PREFIX}BACKUP_", f"{ENV_PREFIX}DISCOVERY_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and not name.startswith(others)
    }
    # Tests start programs of this environment by name.
    return kept | {"PATH": f"{_bin()}{os.pathsep}{kept.get('PATH', '')}"}


def test(arguments: Sequence[str]) -> int:
    """Run pytest on the whole suite, or on what the arguments name; its exit code.

    It ends with the slowest, and with what failed and what was skipped, each with the reason.
    """
    _need_checkout()
    shared = _IN_PARALLEL if in_parallel(arguments) else ()
    command = [sys.executable, "-m", "pytest", "-ra", f"--durations={_SLOWEST}"]
    command += [*shared, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def in_parallel(arguments: Sequence[str]) -> bool:
    """Whether processes share the tests: not those of one file, nor tests that are to be watched.

    Processes take seconds to start, and what a test prints is not seen from them.
    """
    if {"-s", "--capture=no", "--pdb"} & set(arguments):
        return False
    named = (argument.partition("::")[0] for argument in arguments if argument[:1] != "-")
    return not any(name.endswith(".py") for name in named)


def checks() -> list[Check]:
    """All of them, quick ones first."""
    return [
        _program("style", ["ruff", "check", "--quiet", "."]),
        _program("format", ["ruff", "format", "--check", "--quiet", "."]),
        _program("imports", ["lint-imports", "--no-logo", "--no-cache"]),
        Check("docs", "./garden check docs", lambda: "\n".join(documents.complaints(ROOT))),
        _program("types", ["pyright"]),
    ]


def check(names: Sequence[str]) -> bool:
    """Run the checks (or the named ones) and print what each complains of; whether all pass."""
    _need_checkout()
    chosen = [one for one in checks() if not names or one.name in names]
    unknown = set(names) - {one.name for one in chosen}
    if unknown:
        known = ", ".join(one.name for one in checks())
        raise CommandFailed(
            f"There is no check {', '.join(sorted(unknown))}.", todo=f"There are: {known}."
        )
    passed = [_passes(one) for one in chosen]
    return all(passed)


def _passes(one: Check) -> bool:
    began = time.monotonic()
    with console.status(f"Checking: {one.name}"):
        complaints = one.run().strip()
    took = f"[dim]{time.monotonic() - began:.1f} s[/]"
    if not complaints:
        console.print(f"[green]✓[/] {one.name} {took}")
        return True
    console.print(f"[red]✗[/] {one.name}, as `{one.command}` says: {took}")
    console.print(complaints, markup=False)
    return False


def benchmarks() -> list[str]:
    """The names of the benchmarks."""
    if not _BENCHMARKS.is_dir():
        return []
    return sorted(path.stem for path in _BENCHMARKS.glob("*.py") if not path.stem.startswith("_"))


def list_benchmarks() -> None:
    """Print each benchmark with the first line of what it says about itself."""
    _need_checkout()
    listed = table("Benchmark", "What it measures")
    for name in benchmarks():
        source = (_BENCHMARKS / f"{name}.py").read_text("utf-8")
        said = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        listed.add_row(name, escape(said))
    console.print(listed if listed.row_count else "There are no benchmarks yet.")


def bench(name: str, arguments: Sequence[str]) -> int:
    """Run a benchmark of `benchmarks/`; its exit code."""
    _need_checkout()
    if name not in benchmarks():
        raise CommandFailed(
            f"There is no benchmark {name}.",
            todo=f"There are: {', '.join(benchmarks()) or 'none yet'}.",
        )
    # As a module: benchmarks share what brings up an installation with the tests.
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def chaos(*, minutes: float, seed: int | None) -> int:
    """Break an installation of its own under load, by a plan drawn from the seed.

    The exit code: 1 where a promise was broken.
    """
    _need_checkout()
    command = [sys.executable, "-m", "tests.chaos.run", "--minutes", f"{minutes:g}"]
    if seed is not None:
        command += ["--seed", str(seed)]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def _program(name: str, command: list[str]) -> Check:
    def run() -> str:
        program = _bin() / command[0]
        if not program.exists():
            return f"{command[0]} is not installed. Run ./garden, which installs all of it."
        done = subprocess.run(
            [str(program), *command[1:]],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return ""
        return f"{done.stdout}\n{done.stderr}".strip() or f"It ended with {done.returncode}."

    return Check(name, " ".join(command), run)


def _bin() -> Path:
    return Path(sys.executable).parent


def _need_checkout() -> None:
    if not (ROOT / "tests").is_dir():
        raise CommandFailed(
            "This command needs a checkout of GardenOS.",
            todo="Get one, and run it through its ./garden.",
        )
