"""What a lab consists of and where each part listens: names, ports, folders. Decides, starts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

BASE_PORT = 17_000
PORTS = 31
"""How many ports a lab takes, from its base port on."""
HOST = "127.0.0.1"
_FIRST_HOST = 10
NUMBERS = (1, 2, 3)
PROXY_NUMBERS = (1, 2)
NODES = tuple(f"pg{n}" for n in NUMBERS)
ETCDS = tuple(f"etcd{n}" for n in NUMBERS)
PROXIES = tuple(f"haproxy{n}" for n in PROXY_NUMBERS)
SIDECARS = tuple(f"sidecar{n}" for n in NUMBERS)
WIRES = "wires"
PARTS = (WIRES, *ETCDS, *NODES, *PROXIES, *SIDECARS)
"""In the order in which they start."""


class Address(NamedTuple):
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """As HTTP."""
        return f"http://{self}"


class Reach(StrEnum):
    """Whom a link leads to."""

    POSTGRES = "postgres"
    PATRONI = "patroni"
    ETCD = "etcd"
    API = "api"


@dataclass(frozen=True, slots=True)
class Link:
    """A way between a node and the rest: whatever crosses the node's border crosses one of these."""

    node: str
    reach: Reach
    inbound: bool
    """Into the node; else out of it."""
    listens: Address
    leads_to: Address


@dataclass(frozen=True, slots=True)
class Layout:
    """The ports of one lab, all from its base port, and its folders."""

    folder: Path
    base: int = BASE_PORT

    def write(self, proxy: int) -> Address:
        """Where an HAProxy leads to the leader."""
        return Address(HOST, self.base + 3 * (proxy - 1))

    @property
    def ways_in(self) -> str:
        """Where both HAProxies lead to the leader, as connection strings name several servers."""
        return ",".join(str(self.write(proxy)) for proxy in PROXY_NUMBERS)

    def read(self, proxy: int) -> Address:
        """Where an HAProxy leads to a replica."""
        return Address(HOST, self.base + 3 * (proxy - 1) + 1)

    def metrics(self, proxy: int) -> Address:
        """An HAProxy's Prometheus metrics."""
        return Address(HOST, self.base + 3 * (proxy - 1) + 2)

    def postgres(self, node: int) -> Address:
        """Where PostgreSQL itself listens; others come through `postgres_door`."""
        return Address(_host(node), self.base + 10)

    def patroni(self, node: int) -> Address:
        """Where Patroni itself listens; others come through `patroni_door`."""
        return Address(_host(node), self.base + 11)

    def postgres_door(self, node: int) -> Address:
        """The address of a node's PostgreSQL for everybody else."""
        return Address(_host(node), self.base + 12)

    def patroni_door(self, node: int) -> Address:
        """The address of a node's Patroni for everybody else."""
        return Address(_host(node), self.base + 13)

    def etcd_way(self, node: int, etcd: int) -> Address:
        """Where a node finds an etcd member."""
        return Address(_host(node), self.base + 13 + etcd)

    def api_way(self, node: int) -> Address:
        """Where a node finds the API server."""
        return Address(_host(node), self.base + 17)

    def sidecar(self, node: int) -> Address:
        """A sidecar's health and metrics."""
        return Address(_host(node), self.base + 18)

    def etcd_client(self, etcd: int) -> Address:
        """Where an etcd member takes clients."""
        return Address(HOST, self.base + 20 + 2 * (etcd - 1))

    def etcd_peer(self, etcd: int) -> Address:
        """Where an etcd member takes its peers."""
        return Address(HOST, self.base + 21 + 2 * (etcd - 1))

    @property
    def api(self) -> Address:
        """The API server that keeps the slices, where there is one."""
        return Address(HOST, self.base + 30)

    def links(self) -> Iterator[Link]:
        """Every way into and out of a node."""
        for n, node in zip(NUMBERS, NODES, strict=True):
            yield Link(node, Reach.POSTGRES, True, self.postgres_door(n), self.postgres(n))
            yield Link(node, Reach.PATRONI, True, self.patroni_door(n), self.patroni(n))
            for e in NUMBERS:
                yield Link(node, Reach.ETCD, False, self.etcd_way(n, e), self.etcd_client(e))
            yield Link(node, Reach.API, False, self.api_way(n), self.api)

    def listeners(self) -> dict[str, list[Address]]:
        """Where each part listens, by its name."""
        return {
            WIRES: [link.listens for link in self.links()],
            **{f"etcd{n}": [self.etcd_client(n), self.etcd_peer(n)] for n in NUMBERS},
            **{f"pg{n}": [self.postgres(n), self.patroni(n)] for n in NUMBERS},
            **{
                f"haproxy{n}": [self.write(n), self.read(n), self.metrics(n)] for n in PROXY_NUMBERS
            },
            **{f"sidecar{n}": [self.sidecar(n)] for n in NUMBERS},
        }

    @property
    def secrets(self) -> Path:
        """One file per password."""
        return self.folder / "secrets"

    @property
    def logs(self) -> Path:
        """One file per part."""
        return self.folder / "logs"

    @property
    def slices(self) -> Path:
        """Where the sidecars publish, unless they have an API server."""
        return self.folder / "discovery"

    @property
    def run(self) -> Path:
        """State, cuts, lock."""
        return self.folder / "run"

    def part(self, name: str) -> Path:
        """The folder of one part: its settings, its data, its working folder."""
        return self.folder / name

    def data(self, node: str) -> Path:
        """A node's PostgreSQL data."""
        return self.part(node) / "data"


def number(name: str) -> int:
    """The number at the end of a part's name."""
    return int(name[-1])


def node_at(host: str) -> str:
    """Whose address this is."""
    return f"pg{int(host.rpartition('.')[2]) - _FIRST_HOST}"


def _host(node: int) -> str:
    # The whole of 127/8 is this machine: each node has an address of its own, as its port it has
    # in common with the others, which is how an EndpointSlice wants it.
    return f"127.0.0.{_FIRST_HOST + node}"
