"""`up`, `status`, `up` again, kill -9 of parts and of everything: what a newcomer relies on."""

from __future__ import annotations

import os
import re
import signal

import httpx
import psutil
import pytest

from gardenos.cli import cluster, processes
from tests.support.garden import Garden

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
_PASSWORD = re.compile(r"Password\s+(\S+)")
_EMAIL = re.compile(r"Administrator\s+(\S+)")


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
