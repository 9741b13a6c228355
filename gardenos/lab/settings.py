"""What each part of a lab is told. Patroni's and HAProxy's settings are those of `k8s/base`.

Only names, addresses, passwords and sizes are the lab's own; everything that decides how the
cluster behaves stands in the files that Kubernetes mounts too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import gardenos
from gardenos.lab.errors import LabRefused
from gardenos.lab.layout import HOST, NUMBERS, Layout, number
from gardenos.lab.passwords import Passwords

SCOPE = "gardenos"
NAMESPACE = "service"
"""Below which Patroni keeps its keys in etcd."""
KUBERNETES_NAMESPACE = "garden"
_SHARED = Path(gardenos.__file__).parents[1] / "k8s" / "base"
_PATRONI = _SHARED / "postgres" / "patroni.yaml"
_HAPROXY = _SHARED / "haproxy" / "00-shared.cfg"
_SIZES = {"shared_buffers": "128MB"}


def shared_patroni() -> dict[str, Any]:
    """Patroni's settings as everywhere. Raises `LabRefused` without a checkout."""
    _need(_PATRONI)
    return yaml.safe_load(_PATRONI.read_text("utf-8"))


def shared_haproxy() -> Path:
    """The file with HAProxy's settings as everywhere. Raises `LabRefused` without a checkout."""
    _need(_HAPROXY)
    return _HAPROXY


def ttl() -> int:
    """How many seconds a leader's lock outlives the leader."""
    return shared_patroni()["bootstrap"]["dcs"]["ttl"]


def _need(path: Path) -> None:
    if not path.is_file():
        raise LabRefused(
            f"The lab's settings are missing: {path}. It runs from a checkout of GardenOS only."
        )


def patroni(layout: Layout, node: str, passwords: Passwords, *, programs: Path) -> dict[str, Any]:
    """The settings of one member: the shared ones, and who and where it is."""
    n = number(node)
    return {
        "scope": SCOPE,
        "namespace": f"/{NAMESPACE}/",
        "name": node,
        "restapi": {
            "listen": str(layout.patroni(n)),
            "connect_address": str(layout.patroni_door(n)),
            "authentication": {"username": "patroni", "password": passwords.patroni},
        },
        # Proxies: else Patroni would ask etcd for its members' own addresses and go round the wires.
        "etcd3": {"hosts": [str(layout.etcd_way(n, e)) for e in NUMBERS], "use_proxies": True},
        "bootstrap": _bootstrap(),
        "postgresql": {
            "listen": str(layout.postgres(n)),
            "connect_address": str(layout.postgres_door(n)),
            "data_dir": str(layout.data(node)),
            "bin_dir": str(programs),
            "pgpass": str(layout.part(node) / "pgpass"),
            "authentication": {
                "superuser": {"username": "postgres", "password": passwords.superuser},
                "replication": {"username": "replicator", "password": passwords.replicator},
                "rewind": {"username": "rewinder", "password": passwords.rewind},
            },
            # TCP only: a socket's path is short, a home's may be long.
            "parameters": {"unix_socket_directories": "", **_SIZES},
            "pg_hba": [
                "host all all 127.0.0.0/8 scram-sha-256",
                # `./garden backup` comes as the superuser.
                "host replication replicator,postgres 127.0.0.0/8 scram-sha-256",
            ],
        },
    }


def _bootstrap() -> dict[str, Any]:
    shared = shared_patroni()["bootstrap"]
    return {**shared, "initdb": [*shared["initdb"], {"auth": "scram-sha-256"}]}


def haproxy_servers(layout: Layout) -> str:
    """The server lines that `00-shared.cfg` leaves to each environment."""
    lines: list[str] = []
    for backend, defaults in (("postgres-primary", "primary"), ("postgres-replicas", "replica")):
        lines.append(f"backend {backend} from {defaults}")
        lines += [
            f"    server pg{n} {layout.postgres_door(n)} check port {layout.patroni_door(n).port}"
            for n in NUMBERS
        ]
    return "\n".join(lines) + "\n"


def haproxy_environment(layout: Layout, proxy: int) -> dict[str, str]:
    """What `00-shared.cfg` takes from the environment."""
    return {
        "HAPROXY_ADDRESS": HOST,
        "HAPROXY_WRITE_PORT": str(layout.write(proxy).port),
        "HAPROXY_READ_PORT": str(layout.read(proxy).port),
        "HAPROXY_METRICS_PORT": str(layout.metrics(proxy).port),
    }


def etcd(layout: Layout, name: str) -> list[str]:
    """The flags of one etcd member."""
    n = number(name)
    peers = ",".join(f"etcd{e}={layout.etcd_peer(e).url}" for e in NUMBERS)
    return [
        f"--name={name}",
        f"--data-dir={layout.part(name) / 'data'}",
        f"--listen-client-urls={layout.etcd_client(n).url}",
        f"--advertise-client-urls={layout.etcd_client(n).url}",
        f"--listen-peer-urls={layout.etcd_peer(n).url}",
        f"--initial-advertise-peer-urls={layout.etcd_peer(n).url}",
        f"--initial-cluster={peers}",
        "--initial-cluster-token=gardenos-lab",
        "--logger=zap",
        "--log-level=warn",
    ]


def sidecar(layout: Layout, name: str, *, to_api: bool) -> list[str]:
    """The flags of one discovery sidecar, which sees the world from its node."""
    n = number(name)
    target = (
        ["--api-url", layout.api_way(n).url, "--namespace", KUBERNETES_NAMESPACE]
        if to_api
        else ["--slice-dir", str(layout.slices)]
    )
    return [
        *("--member", f"pg{n}", "--scope", SCOPE, "--patroni-namespace", NAMESPACE),
        *("--address", layout.postgres_door(n).host, "--port", str(layout.postgres_door(n).port)),
        *("--patroni-url", layout.patroni(n).url),
        *("--etcd-urls", ",".join(layout.etcd_way(n, e).url for e in NUMBERS)),
        *("--ttl", str(ttl()), "--listen", str(layout.sidecar(n))),
        *target,
    ]
