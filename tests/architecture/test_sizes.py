"""A file is read in one sitting, a function at one glance."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_LINES = 450
FUNCTION_LINES = 50
"""Without its docstring. What we aim at is 400 and 40; beyond these it is an error."""


def our_files() -> list[Path]:
    """The Python files git keeps; where there is no git, those in our folders."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listed = subprocess.run(
            [git, "ls-files", "-z", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
        return [path for path in paths if path.exists()]
    folders = ("gardenos", "tests", "benchmarks")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first, last = node.lineno, node.end_lineno or node.lineno
    docstring = node.body[0] if ast.get_docstring(node) else None
    spared = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return last - first + 1 - spared


def offenders(name: str, source: str) -> list[str]:
    found: list[str] = []
    lines = len(source.splitlines())
    if lines > FILE_LINES:
        found.append(f"{name} has {lines} lines; more than {FILE_LINES} are too many")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = function_lines(node)
            if length > FUNCTION_LINES:
                found.append(
                    f"{name}:{node.lineno} {node.name} has {length} lines; "
                    f"more than {FUNCTION_LINES} are too many"
                )
    return found


def test_no_file_or_function_is_too_long() -> None:
    files = our_files()
    assert files
    found = [
        offence
        for path in files
        for offence in offenders(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


def test_a_long_file_and_a_long_function_are_found() -> None:
    body = "\n".join(["    x = 1"] * FUNCTION_LINES)
    assert offenders("long.py", f"def f():\n{body}\n") == [
        "long.py:1 f has 51 lines; more than 50 are too many"
    ]
    assert offenders("long.py", "x = 1\n" * (FILE_LINES + 1)) == [
        "long.py has 451 lines; more than 450 are too many"
    ]


def test_a_docstring_costs_nothing() -> None:
    docstring = '    """' + "\n    Says much.\n" * FUNCTION_LINES + '    """'
    assert offenders("said.py", f"def f():\n{docstring}\n    return 1\n") == []
