"""What happens between a read and a write, and while the API server is not itself."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from gardenos.discovery.cycle import Sidecar
from gardenos.discovery.figures import Figures
from gardenos.discovery.kubernetes import KubernetesStore
from gardenos.discovery.slices import Slice, parse
from gardenos.discovery.store import SliceStore
from gardenos.discovery.wire import JsonClient, trust
from tests.support.discovery import FakePatroni, RunningEtcd, self_signed
from tests.support.kube_api import KubeApi, Mode, kube_api
from tests.support.waiting import until

Patronis = dict[str, FakePatroni]
MakeSidecar = Callable[..., Sidecar]
SOON_S = 10.0


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


class Interrupted:
    """A store in whose owner something happens between its decision and its write."""

    def __init__(self, store: SliceStore, meanwhile: Callable[[], object]) -> None:
        self._store = store
        self._meanwhile = meanwhile
        self.read = store.read
        self.close = store.close

    def write(self, wanted: Slice) -> None:
        self._meanwhile()
        self._store.write(wanted)


def holder(api: KubeApi) -> str:
    document = api.slice("postgres-primary")
    seen = parse("postgres-primary", document or {})
    assert isinstance(seen, Slice)
    return seen.holder


def test_an_old_leader_that_was_paused_before_its_write_cannot_overwrite_the_new_one(
    make_sidecar: MakeSidecar,
    kubernetes: Callable[[], SliceStore],
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
) -> None:
    def fail_over() -> None:
        patronis["pg1"].follow()
        patronis["pg2"].lead(timeline=2)
        etcd.elect("pg2")
        pg2.run()

    etcd.elect("pg1")
    patronis["pg1"].lead()
    figures = Figures()
    pg2 = make_sidecar("pg2")
    pg1 = make_sidecar("pg1", store=Interrupted(kubernetes(), fail_over), figures=figures)
    done = pg1.run()
    assert done.sentence.startswith("Wrote nothing: postgres-primary has changed")
    assert done.soon
    assert figures.get("conflicts_total") == 1
    assert holder(api) == "pg2"
    for _ in range(3):
        pg1.run()
    assert holder(api) == "pg2"


def test_after_a_conflict_it_observes_again_and_does_not_write_what_it_had(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    def take() -> None:
        patronis["pg1"].follow()
        patronis["pg2"].lead()
        etcd.elect("pg2")
        pg2.run()

    etcd.elect("pg1")
    patronis["pg1"].lead()
    pg1, pg2 = make_sidecar("pg1"), make_sidecar("pg2")
    pg1.run()
    api.before_write = take  # on arrival of pg1's write
    etcd.elect("pg1")
    pg1.run()
    writes = [r for r in api.requests if r.method == "PUT"]
    assert holder(api) == "pg2"
    pg1.run()
    assert [r for r in api.requests if r.method == "PUT"] == writes


def test_what_was_seen_before_a_long_pause_is_not_written(
    *,
    make_sidecar: MakeSidecar,
    kubernetes: Callable[[], SliceStore],
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
    clock: Clock,
) -> None:
    class Slow:
        """A store whose reader is stopped for a minute right after it has read."""

        def __init__(self) -> None:
            store = kubernetes()
            self._read = store.read
            self.write = store.write
            self.close = store.close

        def read(self, service: str) -> object:
            found = self._read(service)
            clock.advance(60.0)
            return found

    etcd.elect("pg1")
    patronis["pg1"].lead()
    figures = Figures()
    done = make_sidecar("pg1", store=Slow(), figures=figures).run()
    assert done.sentence == "Wrote nothing: what was seen is 60 s old."
    assert done.soon
    assert figures.get("late_total") == 1
    assert api.slice("postgres-primary") is None


@pytest.mark.parametrize("mode", ["error", "hang", "slow"])
def test_while_the_api_server_is_away_it_is_left_alone_more_and_more(
    *,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
    clock: Clock,
    mode: Mode,
) -> None:
    etcd.elect("pg1")
    patronis["pg1"].lead()
    figures = Figures()
    pg1 = make_sidecar("pg1", figures=figures)
    pg1.run()
    before = api.slice("postgres-primary")
    api.fault(mode)
    tried: list[int] = []
    count = len(api.requests)
    for second in range(16):
        failed = figures.get("store_failures_total")
        done = pg1.run()
        assert "the API server" in done.sentence or "the keeper of the slices" in done.sentence
        tried += [second] * int(figures.get("store_failures_total") - failed)
        clock.advance(1.0)
    assert tried == [0, 1, 3, 7, 12]
    # A busy server may take in a request after who sent it has given up.
    until(lambda: len(api.requests) - count, lambda asked: asked == len(tried), within_s=SOON_S)
    assert figures.get("store_up") == 0
    assert figures.get("store_failures_total") == 5
    assert api.slice("postgres-primary") == before
    api.fault("ok")
    clock.advance(5.0)
    assert "says pg1" in pg1.run().sentence
    assert figures.get("store_up") == 1


def test_a_failover_during_an_outage_of_the_api_server_is_published_after_it(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi, clock: Clock
) -> None:
    etcd.elect("pg1")
    patronis["pg1"].lead()
    pg1, pg2 = make_sidecar("pg1"), make_sidecar("pg2")
    pg1.run()
    api.fault("error")
    patronis["pg1"].follow()
    patronis["pg2"].lead(timeline=2)
    etcd.elect("pg2")
    for _ in range(3):
        pg1.run()
        pg2.run()
        clock.advance(1.0)
    assert holder(api) == "pg1"
    api.fault("ok")
    clock.advance(5.0)
    pg2.run()
    assert holder(api) == "pg2"


@pytest.mark.parametrize("mode", ["lose", "hang"])
def test_a_write_whose_answer_is_lost_is_looked_at_and_not_repeated(
    *,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
    clock: Clock,
    mode: Mode,
) -> None:
    etcd.elect("pg1")
    patronis["pg1"].lead()
    pg1 = make_sidecar("pg1")
    api.fault(mode, methods=["POST"])
    assert pg1.run().sentence.startswith("Wrote nothing: the API server does not answer")
    api.fault("ok")
    clock.advance(5.0)
    pg1.run()
    assert holder(api) == "pg1"
    clock.advance(5.0)
    assert "says pg1" in pg1.run().sentence


@pytest.mark.parametrize(
    ("status", "hint"),
    [(403, "get, create and update on endpointslices"), (401, "check --api-token")],
)
def test_a_refusal_of_the_api_server_says_what_to_do(
    *,
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
    status: int,
    hint: str,
) -> None:
    etcd.elect("pg1")
    patronis["pg1"].lead()
    api.fault("error", status=status)
    assert hint in make_sidecar("pg1").run().sentence


def test_a_token_that_was_replaced_is_read_again(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi, token: Path
) -> None:
    etcd.elect("pg1")
    patronis["pg1"].lead()
    api.token = "first"
    pg1 = make_sidecar("pg1")
    pg1.run()
    api.token = "second"
    token.write_text("second\n")
    assert "says pg1" in pg1.run().sentence
    assert api.requests[-1].authorization == "Bearer second"


def test_a_missing_token_is_told(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, token: Path
) -> None:
    etcd.elect("pg1")
    patronis["pg1"].lead()
    token.unlink()
    assert f"the token {token} cannot be read" in make_sidecar("pg1").run().sentence


def test_over_tls_the_api_server_is_believed_if_the_clusters_authority_signed_it(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, tmp_path: Path
) -> None:
    etcd.elect("pg1")
    patronis["pg1"].lead()
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    with kube_api(tls=context) as api:
        for ca, says in ((None, "certificate verify failed"), (certificate.file, "Published")):
            client = JsonClient(api.url, timeout_s=2, context=trust(ca))
            store = KubernetesStore(client, namespace="garden", token=None)
            sidecar = make_sidecar("pg1", store=store)
            assert says in sidecar.run().sentence
            sidecar.close()
    assert holder(api) == "pg1"
