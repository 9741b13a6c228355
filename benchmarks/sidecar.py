"""What the discovery sidecar costs in memory and how late it is, beside the shell loop it replaces.

The sidecar runs as a process beside a real etcd, Patroni as told, and a small API server. Memory is
what the kernel says: the sidecar's after steady work as the leader, and kubectl's at the moment its
patch arrives. A leader change is the leader key in etcd, and Patroni's answer some moments later,
when the promotion is over: the time is counted from there to the slice that names the new leader.
"""

from __future__ import annotations

import os
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.discovery import (
    SCOPE,
    Certificate,
    FakePatroni,
    RunningEtcd,
    SidecarProcess,
    fake_patroni,
    member_of,
    running_etcd,
    self_signed,
    sidecar_process,
)
from tests.support.kube_api import KubeApi, kube_api
from tests.support.waiting import until

console = Console()
LOOP = Path(__file__).parents[1] / "tests" / "integration" / "discovery" / "shell_loop.sh"
KUBECTL = Path(sys.executable).with_name("kubectl")
ENDPOINTS = "api/v1/namespaces/garden/endpoints/postgres-primary"
ADDRESSES = {"pg1": "10.0.0.1", "pg2": "10.0.0.2"}
MIB = 1_048_576


@dataclass(frozen=True)
class Cluster:
    """Two members, their etcd and the API server."""

    patronis: dict[str, FakePatroni]
    etcd: RunningEtcd
    api: KubeApi
    folder: Path
    certificate: Certificate

    def lead(self, name: str, *, promotion_s: float) -> float:
        """Let a member take the lock, and lead after its promotion; when that was."""
        for patroni in self.patronis.values():
            patroni.follow()
        self.etcd.elect(name)
        time.sleep(promotion_s)
        self.patronis[name].lead()
        return time.perf_counter()

    def wait_for(self, says: Callable[[KubeApi], str], name: str) -> float:
        """When what is published leads to a member."""
        with self.api.objects.changed:
            there = self.api.objects.changed.wait_for(
                lambda: says(self.api) == ADDRESSES[name], timeout=30
            )
            assert there
            return time.perf_counter()


def slice_says(api: KubeApi) -> str:
    """Where the sidecar's slice leads."""
    found = api.slice("postgres-primary")
    return found["endpoints"][0]["addresses"][0] if found else ""


def loop_says(api: KubeApi) -> str:
    """Where the loop's Endpoints lead."""
    subsets = api.objects.get(ENDPOINTS).get("subsets")
    return subsets[0]["addresses"][0]["ip"] if subsets else ""


@contextmanager
def cluster() -> Generator[Cluster]:
    """All that the sidecar stands between; etcd and the API server speak TLS, as in production."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = self_signed(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key)
        yield Cluster(
            {name: stack.enter_context(fake_patroni(name)) for name in ADDRESSES},
            stack.enter_context(running_etcd(folder, tls=certificate)),
            stack.enter_context(kube_api(tls=context)),
            folder,
            certificate,
        )


@contextmanager
def sidecars(on: Cluster) -> Generator[dict[str, SidecarProcess]]:
    """One per member, ready."""
    with ExitStack() as stack:
        started: dict[str, SidecarProcess] = {}
        for name, patroni in on.patronis.items():
            told = {"member": name, "scope": SCOPE, "address": ADDRESSES[name]}
            told |= {"patroni-url": patroni.url, "etcd-urls": on.etcd.url}
            told |= {"api-url": on.api.url, "namespace": "garden"}
            authority, key = str(on.certificate.file), str(on.certificate.key)
            told |= {"api-ca": authority, "etcd-ca": authority}
            told |= {"etcd-cert": authority, "etcd-key": key}
            words = [word for flag, value in told.items() for word in (f"--{flag}", value)]
            log = on.folder / f"{name}.log"
            started[name] = stack.enter_context(sidecar_process(*words, log=log))
        for sidecar in started.values():
            until(lambda s=sidecar: s.asked("/readyz")[0], lambda n: n == 200, within_s=15)
        yield started


@contextmanager
def loops(on: Cluster) -> Generator[None]:
    """The shell loop of each member, with its own ten seconds."""
    metadata = {"name": "postgres-primary", "namespace": "garden"}
    document = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    on.api.objects.create(ENDPOINTS, document)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, patroni in on.patronis.items():
            env = {"PATH": f"{KUBECTL.parent}:{os.environ['PATH']}", "HOME": str(on.folder)}
            env |= {"PATRONI": patroni.url, "ADDRESS": ADDRESSES[name]}
            env |= {
                "SERVER": on.api.url,
                "NAMESPACE": "garden",
                "AUTHORITY": str(on.certificate.file),
            }
            env |= {"TOKEN": "t"}
            command = ["/bin/sh", str(LOOP)]
            quiet = subprocess.DEVNULL
            started.append(subprocess.Popen(command, env=env, stdout=quiet, start_new_session=True))
        yield
    finally:
        for process in started:
            os.killpg(process.pid, 9)
            process.wait()


def kubectl_bytes(on: Cluster) -> int:
    """kubectl's memory while the API server considers its patch."""
    seen: list[int] = []

    def look() -> None:
        children = psutil.Process().children(recursive=True)
        seen.extend(p.memory_info().rss for p in children if p.name() == "kubectl")

    patch = '{"subsets":[{"addresses":[{"ip":"10.0.0.9"}],"ports":[{"port":5432}]}]}'
    server = f"--server {on.api.url} --certificate-authority {on.certificate.file} --token t"
    asked = f"{server} -n garden patch endpoints postgres-primary --type merge -p".split()
    on.api.before_write = look
    env = {"HOME": str(on.folder), "PATH": os.environ["PATH"]}
    subprocess.run([KUBECTL, *asked, patch], env=env, stdout=subprocess.DEVNULL, check=True)
    return max(seen)


def sidecar_bytes(on: Cluster, steady_s: float) -> tuple[int, int]:
    """The sidecar's memory as a leader and as a follower after steady work."""
    on.patronis["pg1"].members = [member_of("pg2", "10.0.0.2"), member_of("pg3", "10.0.0.3")]
    on.lead("pg1", promotion_s=0)
    with sidecars(on) as started:
        on.wait_for(slice_says, "pg1")
        for _ in track(range(round(steady_s)), "Leading", console=console):
            time.sleep(1)
        leader, follower = (
            psutil.Process(s.process.pid).memory_info().rss for s in started.values()
        )
        return leader, follower


def lateness(
    on: Cluster, says: Callable[[KubeApi], str], rounds: int, *, about: str
) -> list[float]:
    """Seconds from the end of each promotion to what names the new leader."""
    took: list[float] = []
    on.lead("pg1", promotion_s=0)
    on.wait_for(says, "pg1")
    for n in track(range(rounds), about, console=console):
        name = ("pg2", "pg1")[n % 2]
        time.sleep(random.uniform(0, 1))
        writable = on.lead(name, promotion_s=random.uniform(0.1, 2.0))
        took.append(on.wait_for(says, name) - writable)
    return took


def main(
    rounds: Annotated[int, typer.Option(min=1, help="leader changes under our sidecars")] = 20,
    loop_rounds: Annotated[int, typer.Option(min=1, help="and under the shell loops")] = 5,
    steady_s: Annotated[float, typer.Option(min=1, help="steady work before a look")] = 60,
) -> None:
    """Measure, and print two tables."""
    with cluster() as on:
        leader, follower = sidecar_bytes(on, steady_s)
        with sidecars(on):
            ours = lateness(on, slice_says, rounds, about="Changing the leader")
        with loops(on):
            theirs = lateness(on, loop_says, loop_rounds, about="Under the shell loop")
        kubectl = kubectl_bytes(on)
    memory = Table(title=f"Resident memory after {steady_s:g} s", title_justify="left")
    memory.add_column("What")
    memory.add_column("MiB", justify="right")
    for what, size in (
        ("sidecar of the leader", leader),
        ("sidecar of a replica", follower),
        ("the shell loop's kubectl alone", kubectl),
    ):
        memory.add_row(what, f"{size / MIB:.1f}")
    console.print(memory)
    console.print("Target: 32 MiB for a sidecar.")
    late = Table(title="From writable to published, in seconds", title_justify="left")
    for name in ("What", "changes", "median", "worst"):
        late.add_column(name, justify="left" if name == "What" else "right")
    for what, took in (("sidecar", ours), ("shell loop", theirs)):
        figures = (f"{statistics.median(took):.2f}", f"{max(took):.2f}")
        late.add_row(what, str(len(took)), *figures)
    console.print(late)
    console.print("Target: 1.5 s.")


if __name__ == "__main__":
    typer.run(main)
