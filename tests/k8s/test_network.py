"""Who may reach whom in the data plane, both ends' policies taken together."""

from __future__ import annotations

import copy

import pytest

from tests.k8s.manifests import OVERLAYS, named, overlay, pods
from tests.k8s.reach import Peer, may_reach

POSTGRES, PATRONI, DISCOVERY, BG_MON = 5432, 8008, 8011, 8080
READ, HAPROXY_METRICS = 5433, 8404
ETCD, ETCD_PEER, ETCD_METRICS = 2379, 2380, 2381
CLIENT = Peer({"gardenos.io/postgres-client": "true"})
MONITORING = Peer({"app.kubernetes.io/name": "prometheus"}, namespace="monitoring")
STRANGER = Peer({"app.kubernetes.io/name": "studio"})
ELSEWHERE = Peer({"gardenos.io/postgres-client": "true"}, namespace="default")


def ours(name: str) -> Peer:
    (pod,) = (pod for pod in pods(overlay("hetzner")) if pod.owner.endswith(f"/{name}"))
    return Peer(pod.labels, pod=pod)


ALLOWED = [
    ("client", "haproxy", {POSTGRES, READ}),
    ("client", "postgres", {POSTGRES}),
    ("haproxy", "postgres", {POSTGRES, PATRONI}),
    ("postgres", "postgres", {POSTGRES, PATRONI}),
    ("postgres", "etcd", {ETCD}),
    ("etcd", "etcd", {ETCD_PEER}),
    ("monitoring", "postgres", {PATRONI, DISCOVERY}),
    ("monitoring", "haproxy", {HAPROXY_METRICS}),
    ("monitoring", "etcd", {ETCD_METRICS}),
]
PORTS = {
    "postgres": {POSTGRES, PATRONI, DISCOVERY, BG_MON},
    "haproxy": {POSTGRES, READ, HAPROXY_METRICS},
    "etcd": {ETCD, ETCD_PEER, ETCD_METRICS},
}


def peer(name: str) -> Peer:
    known = {
        "client": CLIENT,
        "monitoring": MONITORING,
        "stranger": STRANGER,
        "elsewhere": ELSEWHERE,
    }
    return known.get(name) or ours(name)


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("target", PORTS)
@pytest.mark.parametrize(
    "source",
    ["client", "haproxy", "postgres", "etcd", "monitoring", "stranger", "elsewhere"],
)
def test_a_pod_reaches_what_it_needs_and_nothing_else(name: str, source: str, target: str) -> None:
    reached = {
        port for port in PORTS[target] if may_reach(overlay(name), peer(source), peer(target), port)
    }
    wanted = {port for s, t, ports in ALLOWED if (s, t) == (source, target) for port in ports}
    assert reached == wanted


def test_a_policy_that_is_missing_on_either_side_is_felt() -> None:
    way = (ours("haproxy"), ours("postgres"), PATRONI)
    for side, direction in (("haproxy", "egress"), ("postgres", "ingress")):
        documents = copy.deepcopy(list(overlay("hetzner")))
        assert may_reach(documents, *way)
        named(documents, "NetworkPolicy", side)["spec"][direction] = []
        assert not may_reach(documents, *way)


def test_without_the_default_policy_a_stranger_gets_out() -> None:
    documents = copy.deepcopy(list(overlay("hetzner")))
    outside = Peer({}, namespace="default")
    assert not may_reach(documents, STRANGER, outside, 80)
    documents.remove(named(documents, "NetworkPolicy", "default-deny"))
    documents.remove(named(documents, "NetworkPolicy", "dns"))
    assert may_reach(documents, STRANGER, outside, 80)
