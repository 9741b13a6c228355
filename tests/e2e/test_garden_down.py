"""`down`, and an `up` that cannot be or is broken off: nothing runs after them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator

import pytest

from tests.support.garden import GARDENOS, Garden, new_garden

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture
def empty() -> Generator[Garden]:
    """A home where nothing was ever started."""
    yield from new_garden()


def test_down_stops_everything_and_can_be_repeated(garden: Garden) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    with bystander:
        said = garden.ok("down")
        assert said.index("Ray") < said.index("PostgreSQL")
        assert garden.nothing_runs()
        assert garden.run("status").returncode == 1
        assert "nothing to stop" in garden.ok("down")
        assert bystander.poll() is None
        bystander.kill()


def test_an_unreachable_database_is_one_sentence_and_nothing_is_started(empty: Garden) -> None:
    dsn = "postgresql://gardenos_app:x@127.0.0.1:1/crm"
    done = Garden(empty.home, empty.ports | {"GARDENOS_DATABASE_URL": dsn}).run("up")
    assert done.returncode == 1
    assert "127.0.0.1:1/crm does not answer" in done.stderr
    assert empty.nothing_runs()


def test_what_is_no_address_is_refused_before_anything_is_started(empty: Garden) -> None:
    done = empty.run("up", "--email", "nobody")
    assert done.returncode == 1
    assert "'nobody' is not an e-mail address" in done.stderr
    assert not empty.home.folder.exists()


def test_a_taken_port_is_one_sentence_and_nothing_is_started(empty: Garden) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(empty.ports["GARDENOS_HTTP_PORT"])))
        taken.listen()
        done = empty.run("up")
    assert done.returncode == 1
    assert f"Port {empty.ports['GARDENOS_HTTP_PORT']}" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert empty.nothing_runs()


def test_an_interrupted_up_stops_what_it_had_started(empty: Garden) -> None:
    up = subprocess.Popen(
        [GARDENOS, "up"],
        env=empty.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with up:
        assert up.stdout is not None
        watchdog = threading.Timer(120, up.kill)
        watchdog.start()
        seen = ""
        for line in up.stdout:
            seen += line
            if "schema is up to date" in line:
                assert not empty.nothing_runs()
                up.send_signal(signal.SIGINT)
        watchdog.cancel()
    assert up.returncode == 130, seen
    assert "stopped again" in seen
    assert empty.nothing_runs()
