from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gardenos.cli.home import Home, Running
from gardenos.cli.problems import CommandFailed
from gardenos.cli.processes import ProcessRecord
from gardenos.serve.environment import prepare_folders, ray_folder

_HOLDS_THE_LOCK = """
import signal, sys
from pathlib import Path
from gardenos.cli.home import Home
with Home(Path(sys.argv[1])).locked("up"):
    print("locked", flush=True)
    signal.pause()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def running(record: ProcessRecord) -> Running:
    return Running(
        ray=record,
        http_port=18000,
        dashboard_port=18265,
        ray_port=16379,
        started_at=datetime.now(UTC),
    )


def this_process() -> ProcessRecord:
    record = ProcessRecord.of(os.getpid())
    assert record is not None
    return record


def test_what_runs_is_found_again(home: Home) -> None:
    home.record(running(this_process()))
    found = home.running()
    assert found is not None
    assert found.ray.pid == os.getpid()
    home.forget()
    assert home.running() is None


def test_a_state_left_by_a_killed_process_counts_as_nothing_running(home: Home) -> None:
    stale = this_process().model_copy(update={"create_time": 1.0})
    home.record(running(stale))
    assert home.running() is None
    assert home.recorded() is not None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ray": 1}', "\x00"])
def test_a_damaged_state_counts_as_nothing_running(home: Home, text: str) -> None:
    (home.run / "state.json").write_text(text)
    assert home.running() is None


def test_the_ports_of_what_runs_win_over_the_environment(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GARDENOS_HTTP_PORT", "9999")
    assert home.settings().http_port == 9999
    home.record(running(this_process()))
    settings = home.settings()
    assert (settings.http_port, settings.dashboard_port, settings.ray_port) == (18000, 18265, 16379)
    assert settings.public_url == "http://127.0.0.1:18000"


def test_a_public_address_is_kept_whatever_the_port(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GARDENOS_PUBLIC_URL", "https://crm.example.org")
    home.record(running(this_process()))
    assert home.settings().public_url == "https://crm.example.org"


def test_an_unusable_setting_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARDENOS_HTTP_PORT", "eighty")
    with pytest.raises(CommandFailed, match="GARDENOS_HTTP_PORT is not usable"):
        home.settings()


def test_only_one_command_at_a_time_starts_or_stops_an_installation(home: Home) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_THE_LOCK, str(home.folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with (
            pytest.raises(CommandFailed, match=f"`gardenos up`, process {holder.pid}"),
            home.locked("down"),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
    with home.locked("down"):
        pass


def test_what_ray_opens_to_everybody_lies_in_a_folder_that_is_closed(home: Home) -> None:
    prepare_folders(home.folder)
    ray = ray_folder(home.folder)
    ray.chmod(0o777)
    ray.parent.chmod(0o777)
    prepare_folders(home.folder)
    assert ray.parent != home.folder
    assert ray.parent.stat().st_mode & 0o777 == 0o700


def test_a_home_is_closed_to_others(home: Home) -> None:
    for folder in (home.secrets, home.logs, home.run):
        assert folder.stat().st_mode & 0o777 == 0o700
    # PostgreSQL's own user passes through where GardenOS runs as root, and sees nothing.
    assert home.folder.stat().st_mode & 0o077 == (0o011 if os.geteuid() == 0 else 0)
