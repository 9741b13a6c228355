from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gardenos.cli import preflight
from gardenos.cli.preflight import GIB, Finding, Verdict
from gardenos.cli.problems import CommandFailed
from gardenos.serve.environment import Ports


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9), (3, 13, 5)])
def test_the_pythons_of_the_lock_file_are_good(version: tuple[int, int, int]) -> None:
    assert preflight.judge_python(version).verdict is Verdict.GOOD


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 14), (3, 14, 0)])
def test_other_pythons_are_refused_by_name(version: tuple[int, int, int]) -> None:
    finding = preflight.judge_python(version)
    assert finding.verdict is Verdict.BAD
    assert ".".join(map(str, version)) in finding.said
    assert "3.11" in finding.said


@pytest.mark.parametrize(
    ("free", "verdict"),
    [
        (0, Verdict.BAD),
        (preflight.DISK_NEEDED - 1, Verdict.BAD),
        (preflight.DISK_NEEDED, Verdict.DOUBTFUL),
        (preflight.DISK_WANTED, Verdict.GOOD),
    ],
)
def test_a_full_disk_is_refused_and_a_tight_one_named(free: int, verdict: Verdict) -> None:
    assert preflight.judge_disk(free, Path("/data")).verdict is verdict


def test_a_full_disk_names_the_folder_and_the_way_out() -> None:
    finding = preflight.judge_disk(GIB // 2, Path("/data"))
    assert finding.said == "Only 0.5 GiB are free at /data; GardenOS needs 1.0 GiB."
    assert "GARDENOS_HOME" in finding.todo


@pytest.mark.parametrize(
    ("available", "verdict"),
    [(GIB // 2, Verdict.BAD), (2 * GIB, Verdict.DOUBTFUL), (8 * GIB, Verdict.GOOD)],
)
def test_too_little_memory_is_refused(available: int, verdict: Verdict) -> None:
    assert preflight.judge_memory(available).verdict is verdict


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("http", "GARDENOS_HTTP_PORT"),
        ("haproxy_stats", "GARDENOS_HTTP_PORT"),
        ("fallback", "GARDENOS_HTTP_PORT"),
        ("dashboard", "GARDENOS_DASHBOARD_PORT"),
        ("dashboard_metrics", "GARDENOS_DASHBOARD_PORT"),
        ("ray", "GARDENOS_RAY_PORT"),
    ],
)
def test_a_taken_port_names_the_setting_that_moves_it(name: str, setting: str) -> None:
    finding = preflight.judge_port(name, 8000, "nginx (process 7)")
    assert finding.verdict is Verdict.BAD
    assert "Port 8000" in finding.said
    assert "nginx (process 7)" in finding.said
    assert setting in finding.todo


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 what HAProxy does
def test_whoever_listens_on_a_port_is_found(address: str) -> None:
    with socket.socket() as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        holder = preflight.holder_of(port)
        assert holder is not None
        assert f"process {os.getpid()}" in holder
        with pytest.raises(CommandFailed, match=f"Port {port}, which GardenOS needs for http"):
            preflight.refuse(preflight.ports({"http": port}))
    assert preflight.holder_of(port) is None


def test_two_parts_on_one_port_are_refused() -> None:
    findings = preflight.ports(Ports(http=8265, dashboard=8265, gcs=6379).all())
    [finding] = [finding for finding in findings if "twice" in finding.said]
    assert finding.verdict is Verdict.BAD
    assert finding.said == "Port 8265 is wanted twice: for http and for dashboard."
    assert finding.todo == ("Set GARDENOS_HTTP_PORT or GARDENOS_DASHBOARD_PORT to another port.")


def test_only_bad_findings_are_refused() -> None:
    preflight.refuse([Finding("x", Verdict.GOOD, "fine"), Finding("y", Verdict.DOUBTFUL, "tight")])
    with pytest.raises(CommandFailed) as caught:
        preflight.refuse([Finding("z", Verdict.BAD, "It is broken.", "Mend it.")])
    assert caught.value.detail == "It is broken."
    assert caught.value.todo == "Mend it."


def test_a_home_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    obstacle = preflight.obstacle_to(file / "home")
    assert obstacle is not None
    assert str(file) in obstacle
    assert preflight.judge_home(file / "home", obstacle).verdict is Verdict.BAD


def test_looking_at_a_home_leaves_no_trace(tmp_path: Path) -> None:
    home = tmp_path / "not" / "there" / "yet"
    assert preflight.obstacle_to(home) is None
    assert list(tmp_path.iterdir()) == []


def test_available_memory_is_no_more_than_the_machine_has() -> None:
    assert 0 < preflight.available_memory() < 2**50
