"""What a lab's parts say: Patroni of its members, HAProxy of its servers, the sidecars' slices."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from gardenos.discovery.slices import Slice, parse
from gardenos.lab.layout import ETCDS, NODES, NUMBERS, Layout, number
from gardenos.lab.settings import KUBERNETES_NAMESPACE

PRIMARY_SERVICE, REPLICAS_SERVICE = "postgres-primary", "postgres-replicas"
_SERVER = re.compile(
    r'^haproxy_server_status\{proxy="(?P<proxy>[^"]+)",server="(?P<server>[^"]+)",state="UP"\} 1$'
)
_LEADERS = frozenset({"leader", "standby_leader"})
_QUICK_S = 2.0


@dataclass(frozen=True, slots=True)
class Member:
    """A PostgreSQL as its cluster knows it."""

    name: str
    role: str = ""
    """`leader`, `quorum_standby`, `replica`; empty where nobody knows of it."""
    state: str = "gone"
    timeline: int | None = None
    lag: int | None = None
    """In bytes behind the leader; None where unknown."""

    @property
    def leads(self) -> bool:
        """Whether it is the leader, as far as the cluster knows."""
        return self.role in _LEADERS

    @property
    def well(self) -> bool:
        """Whether it does its part: a running leader, a streaming replica that keeps up."""
        if self.leads:
            return self.state == "running"
        return self.state == "streaming" and self.lag == 0


def members(layout: Layout) -> list[Member]:
    """Every member, as the first Patroni that answers sees them; all gone where none does."""
    for n in NUMBERS:
        with contextlib.suppress(httpx.HTTPError, ValueError):
            answer = httpx.get(f"{layout.patroni(n).url}/cluster", timeout=_QUICK_S)
            return read_cluster(answer.json())
    return [Member(name) for name in NODES]


def read_cluster(document: dict[str, Any]) -> list[Member]:
    """The members of what `GET /cluster` answers, every node of the lab among them."""
    known = {one["name"]: one for one in document.get("members", [])}
    return [_member(name, known.get(name)) for name in NODES]


def _member(name: str, said: dict[str, Any] | None) -> Member:
    if said is None:
        return Member(name)
    lag = said.get("lag", 0 if said.get("role") in _LEADERS else None)
    return Member(
        name,
        role=str(said.get("role", "")),
        state=str(said.get("state", "")),
        timeline=said.get("timeline"),
        lag=lag if isinstance(lag, int) else None,
    )


def leader(found: Iterable[Member]) -> str | None:
    """The leader's name, where there is one."""
    return next((one.name for one in found if one.leads and one.state == "running"), None)


def all_well(found: list[Member]) -> bool:
    """A leader and two replicas that follow it on its timeline without lag."""
    one_timeline = len({one.timeline for one in found}) == 1
    return all(one.well for one in found) and leader(found) is not None and one_timeline


def synchronous(found: Iterable[Member]) -> bool:
    """Whether a commit waits for another member."""
    return any(one.role in {"quorum_standby", "sync_standby"} for one in found)


def primary_answers(layout: Layout, node: str, *, timeout_s: float = _QUICK_S) -> bool:
    """Whether this node's Patroni says that it is the primary, as HAProxy asks it."""
    url = f"{layout.patroni(number(node)).url}/primary"
    with contextlib.suppress(httpx.HTTPError):
        return httpx.request("OPTIONS", url, timeout=timeout_s).is_success
    return False


def etcd_health(layout: Layout) -> dict[str, bool]:
    """Whether each etcd member answers and sees a majority."""
    return {name: _healthy(f"{layout.etcd_client(number(name)).url}/health") for name in ETCDS}


def _healthy(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError, ValueError):
        return httpx.get(url, timeout=_QUICK_S).json().get("health") == "true"
    return False


def servers(layout: Layout, proxy: int) -> dict[str, list[str]] | None:
    """By backend, the members an HAProxy sends connections to; None where it does not answer."""
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(f"{layout.metrics(proxy).url}/metrics", timeout=_QUICK_S)
        return read_servers(answer.text)
    return None


def read_servers(metrics: str) -> dict[str, list[str]]:
    """The servers that are up, by backend, of HAProxy's Prometheus metrics."""
    found: dict[str, list[str]] = {}
    for line in metrics.splitlines():
        match = _SERVER.match(line)
        if match:
            found.setdefault(match["proxy"], []).append(match["server"])
    return found


def slice_of(layout: Layout, service: str, *, to_api: bool) -> Slice | None:
    """What the sidecars publish for a service; None where they never did, or nobody can be asked."""
    document = _from_api(layout, service) if to_api else _from_file(layout, service)
    found = parse(service, document) if document else None
    return found if isinstance(found, Slice) else None


def _from_file(layout: Layout, service: str) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        return json.loads((layout.slices / f"{service}.json").read_bytes())
    return None


def _from_api(layout: Layout, service: str) -> dict[str, Any] | None:
    path = f"apis/discovery.k8s.io/v1/namespaces/{KUBERNETES_NAMESPACE}/endpointslices/{service}"
    with contextlib.suppress(httpx.HTTPError, ValueError):
        answer = httpx.get(f"{layout.api.url}/{path}", timeout=_QUICK_S)
        return answer.json() if answer.is_success else None
    return None
