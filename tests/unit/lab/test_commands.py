"""What `gardenos lab` says where there is nothing to do it to."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gardenos.cli import database, logs, status
from gardenos.cli.home import Home
from gardenos.cli.lab import commands
from gardenos.cli.problems import CommandFailed
from gardenos.core.config import Settings
from gardenos.lab import programs, state
from gardenos.lab.bring_up import environment
from gardenos.lab.errors import LabError, LabRefused
from gardenos.lab.layout import Layout
from gardenos.lab.state import State


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation without a lab; others may enter it, so that the lab is kept in it."""
    monkeypatch.setenv("GARDENOS_HOME", str(tmp_path))
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


@pytest.fixture
def stopped(home: Path) -> Path:
    """A lab that was there once and does not run."""
    run = home / "lab" / "run"
    run.mkdir(parents=True)
    state.write(run, State(base_port=20_000))
    return home


def lab(*arguments: str) -> Result:
    return CliRunner().invoke(commands, list(arguments))


@pytest.mark.parametrize("command", [["status"], ["switchover"], ["kill", "pg1"]])
def test_without_a_lab_a_command_says_how_to_make_one(home: Path, command: list[str]) -> None:
    error = lab(*command).exception
    assert isinstance(error, CommandFailed)
    assert error.detail == "There is no lab here."
    assert "`gardenos lab up`" in error.todo
    assert not (home / "lab").exists()


def test_without_a_lab_there_is_nothing_to_stop(home: Path) -> None:
    done = lab("down")
    assert done.exit_code == 0
    assert "nothing to stop" in done.output
    assert not (home / "lab").exists()


def test_without_a_lab_it_has_no_address(home: Path) -> None:
    with pytest.raises(LabRefused, match="There is no lab here"):
        environment(home / "lab")


def test_a_lab_keeps_its_ports(stopped: Path) -> None:
    error = lab("up", "--port", "21000").exception
    assert isinstance(error, CommandFailed)
    assert error.detail == "This lab has its ports from 20000 on."
    assert str(stopped / "lab") in error.todo


@pytest.mark.usefixtures("stopped")
def test_what_cannot_be_done_to_a_part_is_refused_in_a_sentence() -> None:
    told = {
        ("kill", "pg9"): "The lab has no pg9.",
        ("kill", "haproxy1", "--how", "postgres"): "haproxy1 is no PostgreSQL",
        ("kill", "pg1"): "pg1 does not run.",
        ("switchover",): "The lab has no leader",
        ("kill", "pg1", "--how", "magic"): "There is no `--how magic`.",
    }
    for command, sentence in told.items():
        error = lab(*command).exception
        assert isinstance(error, LabError | CommandFailed)
        assert sentence in error.detail


@pytest.mark.usefixtures("stopped")
def test_the_status_of_a_lab_that_does_not_run_is_not_well() -> None:
    done = lab("status")
    assert done.exit_code == 1
    assert "gone" in done.output
    assert "lab up" in done.output


def test_a_lab_without_a_leader_is_told_from_a_database_that_is_away(stopped: Path) -> None:
    hung_up = ConnectionError("unexpected connection_lost() call")
    there = f"postgresql://gardenos_app:hush@{Layout(stopped, 20_000).ways_in}/gardenos"
    labs = database.unreachable(there, hung_up)
    assert labs.detail.startswith(
        "The lab at 127.0.0.1:20000,127.0.0.1:20003/gardenos leads to no "
    )
    assert "closed at once" in labs.detail
    assert "`gardenos lab up`" in labs.todo
    elsewhere = database.unreachable(there.replace("20000", "20001"), hung_up)
    assert elsewhere.detail.startswith("The database at 127.0.0.1:20001,127.0.0.1:20003/gardenos")
    assert "GARDENOS_DATABASE_URL" in elsewhere.todo
    assert "hush" not in labs.detail + elsewhere.detail


def test_the_status_of_gardenos_names_the_lab(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{Layout(stopped, 20_000).ways_in}/gardenos"
    monkeypatch.setenv("GARDENOS_DATABASE_URL", f"postgresql://gardenos_app:hush@{address}")
    home = Home(stopped)
    first = status.parts(home, Settings.load(stopped))[0]
    assert (first.name, first.runs, first.where) == ("PostgreSQL", False, address)
    assert "lab status` says more" in first.said


def test_the_logs_of_a_lab_are_shown_by_its_name(stopped: Path) -> None:
    (stopped / "lab" / "logs").mkdir()
    (stopped / "lab" / "logs" / "pg1.log").write_text("promoted self to leader\n")
    assert logs.files(Home(stopped), "lab") == {stopped / "lab" / "logs" / "pg1.log": "lab"}


def test_this_environment_has_what_a_lab_needs() -> None:
    assert programs.missing() == []
