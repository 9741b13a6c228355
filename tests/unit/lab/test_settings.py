from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gardenos.lab import programs, settings
from gardenos.lab.layout import NUMBERS, PROXY_NUMBERS, Layout
from gardenos.lab.passwords import Passwords

LAYOUT = Layout(Path("/lab"), 20_000)
PASSWORDS = Passwords("s-secret", "a-secret", "r-secret", "w-secret", "p-secret")


def test_a_member_behaves_as_on_kubernetes() -> None:
    told = settings.patroni(LAYOUT, "pg2", PASSWORDS, programs=Path("/bin"))
    assert told["bootstrap"]["dcs"] == settings.shared_patroni()["bootstrap"]["dcs"]


def test_patronis_times_fit_each_other() -> None:
    told = settings.shared_patroni()["bootstrap"]["dcs"]
    assert told["loop_wait"] + 2 * told["retry_timeout"] <= told["ttl"]


def test_the_shared_settings_name_nobody_and_nothing_secret() -> None:
    assert set(settings.shared_patroni()) == {"bootstrap"}
    assert set(settings.shared_patroni()["bootstrap"]) == {"dcs", "initdb"}


def test_a_member_is_known_by_its_door_and_goes_out_over_its_wires() -> None:
    told = settings.patroni(LAYOUT, "pg2", PASSWORDS, programs=Path("/bin"))
    assert told["postgresql"]["connect_address"] == str(LAYOUT.postgres_door(2))
    assert told["restapi"]["connect_address"] == str(LAYOUT.patroni_door(2))
    assert told["etcd3"]["hosts"] == [str(LAYOUT.etcd_way(2, e)) for e in NUMBERS]
    assert told["etcd3"]["use_proxies"] is True


def test_nobody_gets_in_without_a_password() -> None:
    told = settings.patroni(LAYOUT, "pg1", PASSWORDS, programs=Path("/bin"))
    assert told["postgresql"]["pg_hba"]
    assert all(line.endswith(" scram-sha-256") for line in told["postgresql"]["pg_hba"])
    assert {"auth": "scram-sha-256"} in told["bootstrap"]["initdb"]


@pytest.mark.skipif(bool(programs.missing()), reason="the group lab is not installed")
@pytest.mark.parametrize("proxy", PROXY_NUMBERS)
def test_haproxy_takes_the_shared_settings_and_the_labs_servers(tmp_path: Path, proxy: int) -> None:
    servers = tmp_path / "10-servers.cfg"
    servers.write_text(settings.haproxy_servers(LAYOUT))
    command = [programs.installed().haproxy, "-c", "-f", settings.shared_haproxy(), "-f", servers]
    environment = settings.haproxy_environment(LAYOUT, proxy)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_sessions_to_a_server_that_is_down_are_ended() -> None:
    shared = settings.shared_haproxy().read_text("utf-8")
    assert "on-marked-down shutdown-sessions" in shared


def test_a_sidecar_sees_the_world_from_its_node() -> None:
    flags = " ".join(settings.sidecar(LAYOUT, "sidecar3", to_api=False))
    assert f"--member pg3 --scope {settings.SCOPE}" in flags
    assert f"--patroni-url {LAYOUT.patroni(3).url}" in flags
    assert f"--slice-dir {LAYOUT.slices}" in flags
    assert f"--ttl {settings.ttl()}" in flags
    api = " ".join(settings.sidecar(LAYOUT, "sidecar3", to_api=True))
    assert f"--api-url {LAYOUT.api_way(3).url}" in api
    assert "--slice-dir" not in api


def test_passwords_are_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    made = Passwords.ensure(tmp_path / "secrets")
    assert Passwords.ensure(tmp_path / "secrets") == made
    files = list((tmp_path / "secrets").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert len({file.read_text() for file in files}) == len(files) == 5
    assert made.superuser not in repr(made)
