"""The program as it runs in its container."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gardenos import discovery
from tests.support.discovery import (
    SCOPE,
    FakePatroni,
    RunningEtcd,
    SidecarProcess,
    paused,
    sidecar_process,
)
from tests.support.kube_api import KubeApi
from tests.support.waiting import until

SOON_S = 15.0
Patronis = dict[str, FakePatroni]


def arguments(name: str, address: str, patroni: FakePatroni, etcd: RunningEtcd) -> list[str]:
    told = {
        "member": name,
        "scope": SCOPE,
        "address": address,
        "patroni-url": patroni.url,
        "etcd-urls": etcd.url,
    }
    return [word for flag, value in told.items() for word in (f"--{flag}", value)]


@pytest.fixture
def pair(
    patronis: Patronis, etcd: RunningEtcd, api: KubeApi, token: Path, tmp_path: Path
) -> Generator[dict[str, SidecarProcess]]:
    """Both members' sidecars, ready; nobody leads yet."""
    keeper = ("--api-url", api.url, "--api-token", str(token), "--namespace", "garden")
    one = arguments("pg1", "10.0.0.1", patronis["pg1"], etcd)
    two = arguments("pg2", "10.0.0.2", patronis["pg2"], etcd)
    with (
        sidecar_process(*one, *keeper, log=tmp_path / "pg1.log") as pg1,
        sidecar_process(*two, *keeper, log=tmp_path / "pg2.log") as pg2,
    ):
        for sidecar in (pg1, pg2):
            until(lambda s=sidecar: s.asked("/readyz")[0], lambda n: n == 200, within_s=SOON_S)
        yield {"pg1": pg1, "pg2": pg2}


def holder(api: KubeApi) -> str:
    document: Mapping[str, Any] = api.slice("postgres-primary") or {"metadata": {}}
    return document["metadata"].get("annotations", {}).get("discovery.gardenos/holder", "")


def is_held_by(name: str, api: KubeApi) -> None:
    until(lambda: holder(api), lambda found: found == name, within_s=SOON_S)


def metric(sidecar: SidecarProcess, name: str) -> float:
    lines = sidecar.asked("/metrics")[1].splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_it_follows_the_leader_and_logs_each_sentence_once(
    pair: dict[str, SidecarProcess], patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    patronis["pg1"].lead()
    etcd.elect("pg1")
    is_held_by("pg1", api)
    patronis["pg1"].follow()
    patronis["pg2"].lead(timeline=2)
    etcd.elect("pg2")
    is_held_by("pg2", api)
    before = metric(pair["pg2"], "gardenos_discovery_cycles_total")
    until(
        lambda: metric(pair["pg2"], "gardenos_discovery_cycles_total"),
        lambda n: n > before + 2,
        within_s=SOON_S,
    )
    said = pair["pg2"].said()
    assert sum(line.startswith("Published postgres-primary") for line in said) == 1
    assert all(one != other for one, other in pairwise(said))
    assert metric(pair["pg2"], "gardenos_discovery_leads") == 1
    assert "postgres-primary says pg2" in pair["pg2"].asked("/readyz")[1]
    assert pair["pg2"].asked("/")[0] == 404


def test_a_change_of_the_leader_key_begins_a_cycle_at_once(
    patronis: Patronis, etcd: RunningEtcd, tmp_path: Path
) -> None:
    """With a tick of ten minutes, all that is published is owed to the watch."""
    told = arguments("pg1", "127.0.0.1", patronis["pg1"], etcd)
    keeper = ("--slice-dir", str(tmp_path), "--tick", "600")
    with sidecar_process(*told, *keeper, log=tmp_path / "log") as sidecar:
        until(
            lambda: sidecar.asked("/metrics")[1],
            lambda text: "gardenos_discovery_watch_up 1" in text,
            within_s=SOON_S,
        )
        patronis["pg1"].lead()
        etcd.elect("pg1")
        until((tmp_path / "postgres-primary.json").exists, bool, within_s=SOON_S)


def test_a_sidecar_that_was_stopped_through_a_failover_does_no_harm(
    pair: dict[str, SidecarProcess], patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    patronis["pg1"].lead()
    etcd.elect("pg1")
    is_held_by("pg1", api)
    with paused(pair["pg1"].process):
        patronis["pg1"].follow()
        patronis["pg2"].lead(timeline=2)
        etcd.elect("pg2")
        is_held_by("pg2", api)
        writes = sum(r.method == "PUT" for r in api.requests)
    until(pair["pg1"].said, lambda said: "not its own" in said[-1], within_s=SOON_S)
    assert sum(r.method == "PUT" for r in api.requests) == writes
    assert holder(api) == "pg2"


def test_it_stays_alive_and_ready_while_everyone_is_away(
    pair: dict[str, SidecarProcess], patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    patronis["pg1"].lead()
    etcd.elect("pg1")
    is_held_by("pg1", api)
    kept = api.slice("postgres-primary")
    api.fault("hang")
    until(
        lambda: metric(pair["pg1"], "gardenos_discovery_store_up"),
        lambda up: up == 0,
        within_s=SOON_S,
    )
    with etcd.stopped():
        until(
            lambda: metric(pair["pg1"], "gardenos_discovery_etcd_up"),
            lambda up: up == 0,
            within_s=SOON_S,
        )
        assert [pair["pg1"].asked(path)[0] for path in ("/healthz", "/readyz")] == [200, 200]
    assert api.slice("postgres-primary") == kept


def test_a_signal_ends_it_and_leaves_what_is_published(
    pair: dict[str, SidecarProcess], patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    patronis["pg1"].lead()
    etcd.elect("pg1")
    is_held_by("pg1", api)
    kept = api.slice("postgres-primary")
    began = time.monotonic()
    assert pair["pg1"].stop() == 0
    assert time.monotonic() - began < 5
    assert api.slice("postgres-primary") == kept


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ([], "--member is missing: this member's name, as its Patroni has it."),
        (["--listen", "192.0.2.77:1"], "The sidecar cannot start: "),
    ],
)
def test_it_does_not_start_on_a_wrong_setting(tmp_path: Path, told: list[str], says: str) -> None:
    whole = ["--member", "a", "--scope", "b", "--address", "127.0.0.1"] if told else []
    command = [sys.executable, "-m", "gardenos.discovery", *whole, *told]
    keeper = ["--slice-dir", str(tmp_path)] if told else []
    done = subprocess.run([*command, *keeper], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1


def test_it_runs_from_its_own_folder_on_the_standard_library_alone(tmp_path: Path) -> None:
    shutil.copytree(Path(discovery.__path__[0]), tmp_path / "gardenos" / "discovery")
    look = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "import gardenos.discovery.__main__;"
        "tops = {name.partition('.')[0] for name in sys.modules};"
        "print(*(tops - set(sys.stdlib_module_names) - {'__main__'}))"
    )
    alone = [sys.executable, "-I", "-S", "-c", look]
    done = subprocess.run(alone, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("gardenos", "")
