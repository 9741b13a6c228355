"""Each defect of the shell loop that this sidecar replaces, shown on the loop and not on ours.

The loop runs as it is, with the real curl, grep and kubectl; only its `sleep` is the test's, which
lets it go on one round at a time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from gardenos.discovery.cycle import Sidecar
from tests.support.discovery import FakePatroni, RunningEtcd, status_of
from tests.support.kube_api import KubeApi

LOOP = Path(__file__).with_name("shell_loop.sh")
ENDPOINTS = "api/v1/namespaces/garden/endpoints/postgres-primary"
ADDRESSES = {"pg1": "10.0.0.1", "pg2": "10.0.0.2"}
Patronis = dict[str, FakePatroni]
MakeSidecar = Callable[..., Sidecar]

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the loop needs curl")

SLEEP = """#!/bin/sh
echo "$1" > "$TOLD"
read -r _ < "$GO"
"""


class ShellLoop:
    """The loop of one member, at rest in its `sleep` between two rounds."""

    def __init__(self, member: str, *, patroni: FakePatroni, api: KubeApi, folder: Path) -> None:
        self._told, self._go = folder / f"{member}-told", folder / f"{member}-go"
        for pipe in (self._told, self._go):
            os.mkfifo(pipe)
        tools = folder / f"{member}-bin"
        tools.mkdir()
        (tools / "sleep").write_text(SLEEP)
        (tools / "sleep").chmod(0o755)
        (tools / "kubectl").symlink_to(Path(sys.executable).with_name("kubectl"))
        env = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TOLD": str(self._told),
            "GO": str(self._go),
            "PATRONI": patroni.url,
            "ADDRESS": ADDRESSES[member],
            "SERVER": api.url,
            "NAMESPACE": "garden",
            "AUTHORITY": "",
            "TOKEN": "t",
        }
        self.process = subprocess.Popen(
            ["/bin/sh", LOOP], env=env, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def rest(self) -> str:
        """Wait until it has done a round; how long it means to sleep."""
        return self._told.read_text().strip()

    def next_round(self) -> None:
        """Let it do another."""
        self._go.write_text("go\n")
        self.rest()


@pytest.fixture
def start_loop(
    patronis: Patronis, api: KubeApi, tmp_path: Path
) -> Generator[Callable[[str], ShellLoop]]:
    """Starts the loop of a member; it has done its first round, unless told otherwise."""
    metadata = {"name": "postgres-primary", "namespace": "garden"}
    document = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    api.objects.create(ENDPOINTS, document)
    with contextlib.ExitStack() as stack:

        def start(member: str) -> ShellLoop:
            loop = ShellLoop(member, patroni=patronis[member], api=api, folder=tmp_path)
            stack.callback(loop.process.wait)
            stack.callback(os.killpg, loop.process.pid, 9)
            return loop

        yield start


StartLoop = Callable[[str], ShellLoop]


def loop_says(api: KubeApi) -> str:
    """Where the loop's Endpoints lead."""
    subsets = api.objects.get(ENDPOINTS).get("subsets")
    return subsets[0]["addresses"][0]["ip"] if subsets else ""


def ours_says(api: KubeApi) -> str:
    """Where our slice leads those that look for a ready endpoint."""
    endpoints = (api.slice("postgres-primary") or {"endpoints": []})["endpoints"]
    return next((e["addresses"][0] for e in endpoints if e["conditions"]["ready"]), "")


def test_the_loop_works_as_long_as_nothing_happens(
    start_loop: StartLoop, patronis: Patronis, api: KubeApi
) -> None:
    patronis["pg1"].lead()
    start_loop("pg1").rest()
    assert loop_says(api) == "10.0.0.1"


def test_a_503_still_counts_as_primary_to_the_loop(
    start_loop: StartLoop,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
) -> None:
    """A primary that has lost its lock answers 503, and its body says primary still."""
    patronis["pg1"].status, patronis["pg1"].body = 503, status_of("pg1", role="primary")
    etcd.elect("pg2")
    start_loop("pg1").rest()
    assert loop_says(api) == "10.0.0.1"
    ours = make_sidecar("pg1")
    for _ in range(3):
        ours.run()
    assert ours_says(api) == ""


def test_a_replica_counts_as_primary_to_the_loop_if_any_name_holds_the_word(
    start_loop: StartLoop,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
) -> None:
    """Such as the scope of a cluster that is called after its service."""
    body = status_of("pg1", role="replica")
    body["patroni"]["scope"] = "postgres-primary"
    patronis["pg1"].status, patronis["pg1"].body = 503, body
    etcd.elect("pg2")
    start_loop("pg1").rest()
    assert loop_says(api) == "10.0.0.1"
    make_sidecar("pg1").run()
    body["patroni"]["scope"] = "garden"
    body["tags"] = {"was": "primary"}
    make_sidecar("pg1").run()
    assert ours_says(api) == ""


def test_the_loop_publishes_a_leader_that_does_not_take_connections_yet(
    start_loop: StartLoop,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
) -> None:
    patronis["pg1"].lead(state="starting")
    etcd.elect("pg1")
    start_loop("pg1").rest()
    assert loop_says(api) == "10.0.0.1"
    ours = make_sidecar("pg1")
    ours.run()
    assert ours_says(api) == ""
    patronis["pg1"].lead()
    ours.run()
    assert ours_says(api) == "10.0.0.1"


def test_an_old_leaders_loop_overwrites_the_new_one(
    start_loop: StartLoop,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
) -> None:
    """Its patch is under way while another leader is made: it compares nothing."""
    patronis["pg1"].lead()
    etcd.elect("pg1")
    new_leader_published = threading.Event()

    def fail_over() -> None:
        patronis["pg1"].follow()
        patronis["pg2"].lead()
        etcd.elect("pg2")
        start_loop("pg2").rest()
        assert loop_says(api) == "10.0.0.2"
        new_leader_published.set()

    api.before_write = fail_over
    start_loop("pg1").rest()
    assert new_leader_published.is_set()
    assert loop_says(api) == "10.0.0.1"

    def fail_over_ours() -> None:
        patronis["pg1"].follow()
        patronis["pg2"].lead()
        etcd.elect("pg2")
        two.run()

    patronis["pg2"].follow()
    patronis["pg1"].lead()
    etcd.elect("pg1")
    one, two = make_sidecar("pg1"), make_sidecar("pg2")
    api.before_write = fail_over_ours
    assert one.run().sentence.startswith("Wrote nothing: postgres-primary has changed")
    assert ours_says(api) == "10.0.0.2"


def test_the_loop_never_withdraws_a_leader_that_is_gone(
    start_loop: StartLoop,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
) -> None:
    patronis["pg1"].lead()
    etcd.elect("pg1")
    loop, ours = start_loop("pg1"), make_sidecar("pg1")
    loop.rest()
    ours.run()
    patronis["pg1"].follow()
    for _ in range(3):
        loop.next_round()
        ours.run()
    assert loop_says(api) == "10.0.0.1"
    assert ours_says(api) == ""


def test_the_loop_looks_again_only_after_ten_seconds(
    start_loop: StartLoop, patronis: Patronis, api: KubeApi
) -> None:
    """Ours is woken by the leader key: `test_a_change_of_the_leader_key_begins_a_cycle_at_once`."""
    loop = start_loop("pg1")
    assert loop.rest() == "10"
    patronis["pg1"].lead()
    assert loop_says(api) == ""
    loop.next_round()
    assert loop_says(api) == "10.0.0.1"


def test_the_loop_asks_an_endpoint_that_patroni_no_longer_documents_and_ours_does_not(
    start_loop: StartLoop, make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd
) -> None:
    start_loop("pg1").rest()
    assert patronis["pg1"].requests == ["/master"]
    make_sidecar("pg2").run()
    assert patronis["pg2"].requests == ["/primary"]
