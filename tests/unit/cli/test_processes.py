from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from gardenos.cli import processes
from gardenos.cli.processes import MARK, ProcessRecord

_SLEEPS = "import signal, sys; print('up', flush=True); signal.pause()"
_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + _SLEEPS
_PARENT = f"""
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {_SLEEPS!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""


def start(code: str, home: Path | None = None) -> tuple[subprocess.Popen[str], str]:
    """A Python that runs `code`, and the first line it printed."""
    mark = {MARK: str(home)} if home else {}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **mark},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.fixture
def sleeper() -> Generator[subprocess.Popen[str]]:
    process, _ = start(_SLEEPS)
    with process:
        yield process
        process.kill()


def test_a_recorded_process_is_found_again(sleeper: subprocess.Popen[str]) -> None:
    record = ProcessRecord.of(sleeper.pid)
    assert record is not None
    found = ProcessRecord.model_validate_json(record.model_dump_json()).process()
    assert found is not None
    assert found.pid == sleeper.pid


def test_a_reused_pid_is_not_taken_for_the_recorded_process(
    sleeper: subprocess.Popen[str],
) -> None:
    record = ProcessRecord.of(sleeper.pid)
    assert record is not None
    stale = record.model_copy(update={"create_time": record.create_time - 60})
    assert stale.process() is None


def test_an_ended_process_is_gone_even_before_it_is_reaped(
    sleeper: subprocess.Popen[str],
) -> None:
    record = ProcessRecord.of(sleeper.pid)
    assert record is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert record.process() is None
    sleeper.wait()
    assert record.process() is None
    assert ProcessRecord.of(sleeper.pid) is None


def test_orphans_are_found_by_the_mark_they_inherited(tmp_path: Path) -> None:
    parent, child_pid = start(_PARENT, tmp_path)
    with parent:
        assert {process.pid for process in processes.marked(tmp_path)} == {
            parent.pid,
            int(child_pid),
        }
        parent.kill()
        parent.wait()
        orphans = processes.marked(tmp_path)
        assert [process.pid for process in orphans] == [int(child_pid)]
        assert processes.end(orphans, grace_s=5) == []
    assert processes.marked(tmp_path) == []


def test_another_installations_processes_are_not_found(tmp_path: Path) -> None:
    process, _ = start(_SLEEPS, tmp_path / "other")
    with process:
        assert processes.marked(tmp_path) == []
        process.kill()


def test_a_process_that_ignores_the_request_to_end_is_killed() -> None:
    process, _ = start(_DEAF)
    with process:
        deaf = psutil.Process(process.pid)
        assert processes.end([deaf], grace_s=0.1) == []
        assert not deaf.is_running()


def test_descendants_are_ended_with_the_first() -> None:
    parent, child_pid = start(_PARENT)
    with parent:
        first = psutil.Process(parent.pid)
        family = processes.family(first)
        assert {process.pid for process in family} == {parent.pid, int(child_pid)}
        assert processes.end([first], family, grace_s=0.2) == []
    assert not any(process.is_running() for process in family)
