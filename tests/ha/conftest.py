"""One lab for all tests of this folder: it takes half a minute to come up."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from benchmarks._failover_faults import every
from benchmarks._failover_run import Result, once
from benchmarks._failover_stage import Stage, staged
from gardenos.lab import programs
from tests.support.lab import free_base_port


@contextlib.contextmanager
def silently(_doing: str) -> Generator[Callable[[str], None]]:
    """A step that shows nothing."""
    yield lambda _said: None


step: Callable[[str], AbstractContextManager[Callable[[str], None]]] = silently


@pytest.fixture(scope="session")
def stage() -> Generator[Stage]:
    """A highly available PostgreSQL that runs, and may be broken."""
    absent = programs.missing()
    if absent:
        reason = f"the group lab is not installed: {', '.join(absent)}"
        print(f"skipped: {reason}")
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="gos-ha-"))
    folder.chmod(0o711)
    try:
        with staged(folder / "lab", base_port=free_base_port(), step=step) as stage:
            yield stage
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run(stage: Stage, tmp_path: Path) -> Callable[[str], Result]:
    """Runs a fault of the matrix once."""
    return lambda name: once(stage, every()[name], tmp_path, lambda _said: None)
