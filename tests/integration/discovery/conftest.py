"""A real etcd, the fake API server, and a cluster of two members with Patroni as told."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from gardenos.discovery.backoff import Backoff
from gardenos.discovery.cycle import Services, Sidecar
from gardenos.discovery.etcd import Access, Etcd, leader_key
from gardenos.discovery.evidence import Member
from gardenos.discovery.figures import Figures
from gardenos.discovery.kubernetes import KubernetesStore
from gardenos.discovery.patroni import Patroni
from gardenos.discovery.store import SliceStore
from gardenos.discovery.wire import JsonClient
from tests.support.discovery import SCOPE, FakePatroni, RunningEtcd, fake_patroni, running_etcd
from tests.support.kube_api import KubeApi, kube_api

ADDRESSES = {"pg1": "10.0.0.1", "pg2": "10.0.0.2"}


class SteppedClock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


MakeSidecar: TypeAlias = Callable[..., Sidecar]


@pytest.fixture(scope="session")
def shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningEtcd]:
    with running_etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture
def etcd(shared_etcd: RunningEtcd) -> RunningEtcd:
    """An etcd without a leader key."""
    shared_etcd.vacate()
    return shared_etcd


@pytest.fixture
def api() -> Generator[KubeApi]:
    with kube_api() as api:
        yield api


@pytest.fixture
def patronis() -> Generator[dict[str, FakePatroni]]:
    """Both members' Patroni; both follow."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(fake_patroni(name)) for name in ADDRESSES}


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first")
    return file


@pytest.fixture
def kubernetes(api: KubeApi, token: Path) -> Callable[[], SliceStore]:
    """Makes a keeper of slices in the API, each with its own connection."""

    def make() -> SliceStore:
        client = JsonClient(api.url, timeout_s=0.5)
        return KubernetesStore(client, namespace="garden", token=token)

    return make


@pytest.fixture
def make_sidecar(
    etcd: RunningEtcd,
    patronis: dict[str, FakePatroni],
    clock: SteppedClock,
    kubernetes: Callable[[], SliceStore],
) -> Generator[MakeSidecar]:
    """Makes a sidecar of `pg1` or `pg2`, to be run cycle by cycle on the test's clock."""

    def make(
        name: str, *, figures: Figures | None = None, store: SliceStore | None = None
    ) -> Sidecar:
        made = Sidecar(
            Member(name, ADDRESSES[name], 5432),
            patroni=Patroni(JsonClient(patronis[name].url, timeout_s=0.5), name=name, scope=SCOPE),
            etcd=Etcd(Access([etcd.url]), leader_key("service", SCOPE), timeout_s=0.5),
            store=store or kubernetes(),
            services=Services(),
            ttl_s=20.0,
            figures=figures or Figures(),
            clock=clock,
            backoff=Backoff(base_s=1.0, cap_s=5.0, uniform=lambda _low, high: high),
        )
        stack.callback(made.close)
        return made

    with ExitStack() as stack:
        yield make
