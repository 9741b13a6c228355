"""The leader key in a real etcd: read with a majority behind it, and watched."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from gardenos.discovery.etcd import Access, Etcd, Watch, leader_key
from gardenos.discovery.evidence import EtcdSaid, Leader, Nobody, Unknown
from gardenos.discovery.wire import JsonClient, trust
from tests.support.discovery import SCOPE, RunningEtcd, free_port, running_etcd, self_signed
from tests.support.waiting import until

KEY = leader_key("/service/", SCOPE)
SOON_S = 10.0


def said(access: Access) -> EtcdSaid:
    etcd = Etcd(access, KEY)
    try:
        return etcd.leader()
    finally:
        etcd.close()


def test_the_key_is_patronis_however_the_namespace_is_written() -> None:
    assert KEY == leader_key("service", SCOPE) == "/service/garden/leader"


def test_the_leader_is_read_with_the_revision_that_created_its_key(etcd: RunningEtcd) -> None:
    access = Access([etcd.url])
    assert said(access) == Nobody()
    first = etcd.elect("pg1")
    assert said(access) == Leader("pg1", first)
    second = etcd.elect("pg2")
    assert said(access) == Leader("pg2", second)
    assert second > first


def test_a_term_lasts_as_long_as_the_key_does(etcd: RunningEtcd) -> None:
    term = etcd.elect("pg1")
    etcd.ask("/v3/kv/put", key="L3NlcnZpY2UvZ2FyZGVuL2xlYWRlcg==", value="cGcx")
    assert said(Access([etcd.url])) == Leader("pg1", term)


def test_an_endpoint_that_is_down_does_not_matter(etcd: RunningEtcd) -> None:
    term = etcd.elect("pg1")
    down = f"http://127.0.0.1:{free_port()}"
    assert said(Access([down, etcd.url])) == Leader("pg1", term)


def test_an_endpoint_that_just_failed_is_asked_last(etcd: RunningEtcd, tmp_path: Path) -> None:
    etcd.elect("pg1")
    with running_etcd(tmp_path) as other:
        reader = Etcd(Access([other.url, etcd.url]), KEY, timeout_s=0.5)
        assert reader.leader() == Nobody()
        with other.stopped():
            assert isinstance(reader.leader(), Leader)
        assert isinstance(reader.leader(), Leader), "it stays with the one that answers"
        reader.close()


def test_an_etcd_that_hangs_says_nothing_in_time(etcd: RunningEtcd) -> None:
    etcd.elect("pg1")
    with etcd.stopped():
        silent = said(Access([etcd.url]))
    assert isinstance(silent, Unknown)
    assert "does not answer within 1 s" in silent.why


def test_what_is_no_etcd_is_told(etcd: RunningEtcd, tmp_path: Path) -> None:
    assert isinstance(said(Access([f"http://127.0.0.1:{free_port()}"])), Unknown)


@pytest.fixture
def guarded(tmp_path: Path) -> Generator[RunningEtcd]:
    """An etcd that asks for a user."""
    with running_etcd(tmp_path) as etcd:
        etcd.ask("/v3/auth/user/add", name="root", password="secret")
        etcd.ask("/v3/auth/role/add", name="root")
        etcd.ask("/v3/auth/user/grant", user="root", role="root")
        etcd.elect("pg1")
        etcd.ask("/v3/auth/enable")
        yield etcd


def test_an_etcd_with_users_is_asked_as_one_of_them(guarded: RunningEtcd) -> None:
    assert isinstance(said(Access([guarded.url], user="root", password="secret")), Leader)
    for access in (Access([guarded.url]), Access([guarded.url], user="root", password="wrong")):
        refused = said(access)
        assert isinstance(refused, Unknown)
        assert "etcd at" in refused.why


def test_a_token_that_is_no_longer_valid_is_replaced(guarded: RunningEtcd) -> None:
    access = Access([guarded.url], user="root", password="secret")
    reader = Etcd(access, KEY)
    assert isinstance(reader.leader(), Leader)
    client = JsonClient(guarded.url, timeout_s=5)
    # With its users off and on again, etcd knows no token it gave before.
    client.request("POST", "/v3/auth/disable", send={}, headers=access.authenticate(client))
    client.request("POST", "/v3/auth/enable", send={})
    client.close()
    assert isinstance(reader.leader(), Leader)
    reader.close()


def test_over_tls_the_authority_is_checked_on_both_sides(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with running_etcd(tmp_path, tls=certificate) as etcd:
        term = etcd.elect("pg1")
        assert said(Access([etcd.url], certificate.context())) == Leader("pg1", term)
        stranger = said(Access([etcd.url], trust(certificate.file)))
        assert isinstance(stranger, Unknown), "it shows no certificate"
        doubted = said(Access([etcd.url], trust(None)))
        assert isinstance(doubted, Unknown)
        assert "certificate verify failed" in doubted.why


class Wakes:
    """Counts wakes, and lets a test wait for one."""

    def __init__(self) -> None:
        self._called = threading.Semaphore(0)

    def __call__(self) -> None:
        self._called.release()

    def another(self) -> bool:
        return self._called.acquire(timeout=SOON_S)

    def none(self) -> bool:
        """Whether there was none that nobody has waited for."""
        return not self._called.acquire(blocking=False)


@pytest.fixture
def wakes() -> Wakes:
    return Wakes()


def is_open(watch: Watch, at: RunningEtcd) -> None:
    until(lambda: watch.at, lambda url: url == at.url, within_s=SOON_S)


def test_the_watch_wakes_at_every_change(etcd: RunningEtcd, wakes: Wakes) -> None:
    watch = Watch(Access([etcd.url]), KEY, wakes)
    watch.start()
    is_open(watch, etcd)
    assert wakes.none(), "its beginning is no change"
    etcd.elect("pg1")
    assert wakes.another()
    etcd.vacate()
    assert wakes.another()
    watch.stop()
    etcd.elect("pg2")  # lets its thread see that it has ended
    watch.join(SOON_S)
    assert watch.at == ""
    assert wakes.none()


def test_the_watch_goes_on_at_another_endpoint(
    tmp_path: Path, etcd: RunningEtcd, wakes: Wakes
) -> None:
    with running_etcd(tmp_path) as first:
        watch = Watch(Access([first.url, etcd.url]), KEY, wakes)
        watch.start()
        is_open(watch, first)
    is_open(watch, etcd)
    etcd.elect("pg1")
    assert wakes.another()
    watch.stop()
    etcd.elect("pg2")
    watch.join(SOON_S)


def test_the_watch_authenticates(guarded: RunningEtcd, wakes: Wakes) -> None:
    watch = Watch(Access([guarded.url], user="root", password="secret"), KEY, wakes)
    watch.start()
    is_open(watch, guarded)
    watch.stop()
