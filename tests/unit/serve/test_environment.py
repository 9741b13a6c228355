from __future__ import annotations

import os
from pathlib import Path

import pytest

from gardenos.core.config import Settings
from gardenos.serve.environment import (
    Ports,
    RayFolderRefused,
    haproxy_folder,
    prepare_folders,
    ray_environment,
    ray_folder,
    ray_token_file,
)

NODE_ID = "f" * 56
HOMES = [
    Path("/srv/g"),
    Path("/srv/gardenos/production/.garden"),
    Path("/home/somebody/Kunden und Projekte/.garden"),
    Path("/very" * 40),
]


@pytest.mark.parametrize("home", HOMES)
def test_sockets_fit_wherever_the_home_is(home: Path) -> None:
    session = "/session_2026-01-01_00-00-00_000000_4194304/sockets/dash_ServeHead"
    assert len(os.fsencode(f"{ray_folder(home)}{session}")) <= 107
    assert len(os.fsencode(haproxy_folder(home) / NODE_ID / "metrics.sock")) <= 97


@pytest.mark.parametrize("home", HOMES)
def test_no_path_that_haproxy_reads_needs_quotes(home: Path) -> None:
    environment = ray_environment(Settings(home=home), home)
    paths = [value for name, value in environment.items() if "HAPROXY" in name and "/" in value]
    assert len(paths) == 5
    assert not [path for path in paths if " " in path]


def test_two_homes_never_share_a_short_folder() -> None:
    first, second = Path("/a" * 60), Path("/b" * 60)
    assert ray_folder(first) != ray_folder(second)


def test_folders_and_token_are_for_this_user_alone(tmp_path: Path) -> None:
    home = tmp_path / "h"
    prepare_folders(home)
    token = ray_token_file(home).read_text()
    assert len(token) == 64
    assert ray_token_file(home).stat().st_mode & 0o777 == 0o600
    assert haproxy_folder(home).stat().st_mode & 0o777 == 0o700
    prepare_folders(home)
    assert ray_token_file(home).read_text() == token


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "h"
    taken = ray_folder(home)
    taken.parent.mkdir(parents=True, exist_ok=True)
    taken.symlink_to(tmp_path)
    try:
        with pytest.raises(RayFolderRefused):
            prepare_folders(home)
    finally:
        taken.unlink()


def test_two_installations_differ_in_every_port_once_three_differ() -> None:
    one = Ports.of(Settings()).all()
    other = Ports.of(Settings(http_port=8001, dashboard_port=8266, ray_port=6380)).all()
    assert not set(one.values()) & set(other.values())
    assert len(set(one.values())) == len(one)


@pytest.mark.parametrize("port", [80, 8000, 64_900, 65_535])
def test_every_port_is_one(port: int) -> None:
    ports = Ports(http=port, dashboard=port, gcs=port)
    assert all(1 <= number <= 65_535 for number in ports.all().values())
    assert 30_000 <= ports.replicas.start < ports.replicas.stop <= 40_050
