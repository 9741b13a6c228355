"""`up`, `status`, `up` again, kill -9 of parts and of everything, `down`: what a newcomer relies on."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator

import httpx
import psutil
import pytest

from gardenos.cli import cluster, processes
from tests.support.garden import GARDENOS, Garden, new_garden

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
_PASSWORD = re.compile(r"Password\s+(\S+)")
_EMAIL = re.compile(r"Administrator\s+(\S+)")


@pytest.fixture
def empty() -> Generator[Garden]:
    """A home where nothing was ever started."""
    yield from new_garden()


@pytest.fixture(scope="module")
def first_up() -> Generator[tuple[Garden, str]]:
    """An installation, and what its first `up` printed."""
    for garden in new_garden():
        yield garden, garden.ok("up")


@pytest.fixture
def garden(first_up: tuple[Garden, str]) -> Garden:
    """The installation, up."""
    garden, _ = first_up
    garden.ok("up")
    return garden


def test_the_first_up_shows_addresses_and_a_password_that_works(
    first_up: tuple[Garden, str],
) -> None:
    garden, said = first_up
    assert f"{garden.url}/docs" in said
    assert "./garden up --demo" in said
    email, password = _EMAIL.findall(said), _PASSWORD.findall(said)
    assert len(email) == len(password) == 1
    answer = httpx.post(
        f"{garden.url}/auth/v1/token",
        params={"grant_type": "password"},
        json={"email": email[0], "password": password[0]},
    )
    assert answer.is_success, answer.text
    kept = [path for path in garden.home.folder.rglob("*") if path.is_file()]
    assert not [path for path in kept if password[0].encode() in path.read_bytes()]


def test_status_names_every_part(garden: Garden) -> None:
    said = garden.ok("status")
    assert "does not run" not in said
    for part in ("PostgreSQL", "Ray", "Gateway", "AIOrchestrator", "API"):
        assert part in said


def test_up_again_says_so_and_starts_nothing(garden: Garden) -> None:
    before = {process.pid for process in processes.marked(garden.home.folder)}
    said = garden.ok("up")
    assert "GardenOS was up already." in said
    assert "Password" not in said
    assert before <= {process.pid for process in processes.marked(garden.home.folder)}


def test_up_restarts_a_killed_postgresql_and_nothing_else(garden: Garden) -> None:
    before = garden.home.running()
    pid = garden.home.postgres.pid()
    assert pid is not None
    assert before is not None
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=10)
    assert garden.run("status").returncode == 1
    said = garden.ok("up")
    assert "started again: PostgreSQL." in said
    assert garden.home.running() == before
    with garden.client() as client:
        assert client.get("/v1/leads").is_success


def test_killing_everything_loses_nothing(garden: Garden) -> None:
    with garden.client() as client:
        lead = client.post("/v1/leads", json={"first_name": "Ida"}).raise_for_status().json()
    garden.kill_everything()
    assert garden.run("status").returncode == 1
    said = garden.ok("up")
    assert "Password" not in said
    with garden.client() as client:
        found = client.get(f"/v1/leads/{lead['id']}").raise_for_status().json()
    assert found["first_name"] == "Ida"


def shown_in_the_readme() -> list[str]:
    """The lines of the transcript that are the same on every machine."""
    readme = (cluster.ROOT / "README.md").read_text("utf-8")
    transcript = readme.partition("$ ./garden up --demo\n")[2].partition("```")[0]
    _, _, of_the_demo = transcript.partition("\nImport of")
    return [line for line in of_the_demo.splitlines() if line.strip() not in ("", "...")]


def test_the_demo_says_what_the_readme_shows_and_can_be_run_twice(garden: Garden) -> None:
    said = Garden(garden.home, garden.ports | {"COLUMNS": "80"}).ok("up", "--demo")
    shown = shown_in_the_readme()
    assert len(shown) > 20
    assert [line for line in shown if line not in said] == []
    with garden.client() as client:
        before = client.get("/v1/leads", params={"limit": 1, "total": "true"}).json()["total"]
        assert "The ten best leads" in garden.ok("up", "--demo")
        assert (
            client.get("/v1/leads", params={"limit": 1, "total": "true"}).json()["total"] == before
        )


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
