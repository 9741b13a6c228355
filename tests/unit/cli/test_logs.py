from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gardenos.cli import logs
from gardenos.cli.home import Home
from gardenos.cli.problems import CommandFailed


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.make()
    return home


@pytest.mark.parametrize("lines", [0, 1, 3, 10_000])
def test_the_tail_is_the_last_lines(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "log"
    written = [f"line {number} {'x' * 50}" for number in range(5000)]
    path.write_text("\n".join(written) + "\n")
    assert logs.tail(path, lines) == written[max(0, len(written) - lines) :]


def test_bytes_that_are_no_utf8_are_shown_as_such(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"caf\xe9\n")
    assert logs.tail(path, 5) == ["caf\ufffd"]


def test_an_unknown_component_is_refused_with_those_there_are(home: Home) -> None:
    with pytest.raises(CommandFailed) as caught:
        logs.files(home, "mysql")
    assert "postgres" in caught.value.todo


def test_following_shows_what_is_added_and_files_that_are_new(home: Home) -> None:
    home.ray_log.write_text("old\n")
    follower = subprocess.Popen(
        [sys.executable, "-c", "from gardenos.cli.main import main; main()", "logs", "-f"],
        env={**os.environ, "GARDENOS_HOME": str(home.folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with follower:
        assert follower.stdout is not None
        assert follower.stdout.readline().split() == ["ray", "old"]
        with home.ray_log.open("a") as file:
            file.write("added [by] ray\nhalf")
        assert follower.stdout.readline().split() == ["ray", "added", "[by]", "ray"]
        home.command_log.write_text("failed\n")
        assert follower.stdout.readline().split() == ["gardenos", "failed"]
        with home.ray_log.open("a") as file:
            file.write(" a line\n")
        assert follower.stdout.readline().split() == ["ray", "half", "a", "line"]
        follower.kill()
