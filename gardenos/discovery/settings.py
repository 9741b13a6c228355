"""What the sidecar is told: flags, or the environment where a flag is not given."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gardenos.discovery.slices import family

PREFIX = "GARDENOS_DISCOVERY_"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts what a pod needs to speak to the API server."""
LAST_PORT = 65535
LONGEST_S = 3600.0
FLAGS: Mapping[str, tuple[str | None, str]] = {
    "member": (None, "this member's name, as its Patroni has it"),
    "scope": (None, "the name of the Patroni cluster"),
    "address": (None, "the IP address at which clients reach this member"),
    "port": ("5432", "PostgreSQL's port there"),
    "patroni-url": ("http://127.0.0.1:8008", "this member's Patroni"),
    "patroni-ca": ("", "file: the authority of Patroni's certificate, for https"),
    "patroni-namespace": ("service", "Patroni's namespace in etcd"),
    "etcd-urls": ("http://127.0.0.1:2379", "etcd's endpoints, with commas between"),
    "etcd-ca": ("", "file: the authority of etcd's certificates, for https"),
    "etcd-cert": ("", "file: the certificate to show to etcd"),
    "etcd-key": ("", "file: its key"),
    "etcd-user": ("", "the user of etcd, if it has users"),
    "etcd-password-file": ("", "file: that user's password"),
    "service": ("postgres-primary", "the service whose slice names the leader"),
    "replicas-service": ("postgres-replicas", "the one of its replicas; empty: none"),
    "slice-dir": ("", "folder: keep the slices there as files, without Kubernetes"),
    "api-url": ("", "the Kubernetes API; in a pod its own"),
    "api-ca": ("", "file: the authority of its certificate; in a pod its own"),
    "api-token": ("", "file: the service account's token; in a pod its own"),
    "namespace": ("", "the namespace of the services; in a pod its own"),
    "ttl": ("20", "Patroni's ttl in seconds: silence for longer withdraws"),
    "tick": ("1", "seconds between two cycles"),
    "listen": ("127.0.0.1:8010", "where /healthz, /readyz and /metrics are answered"),
    "log-level": ("info", "debug, info, warning or error"),
}
"""Every setting: its default (None: it must be given) and what it is."""


class WrongSetting(Exception):
    """A setting is missing or cannot be what it is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings as they were read."""

    member: str
    scope: str
    address: str
    port: int
    patroni_url: str
    patroni_ca: Path | None
    patroni_namespace: str
    etcd_urls: tuple[str, ...]
    etcd_ca: Path | None
    etcd_cert: Path | None
    etcd_key: Path | None
    etcd_user: str
    etcd_password_file: Path | None
    service: str
    replicas_service: str
    slice_dir: Path | None
    api_url: str
    api_ca: Path | None
    api_token: Path | None
    namespace: str
    ttl_s: float
    tick_s: float
    listen: tuple[str, int]
    log_level: str


def variable(flag: str) -> str:
    """The environment variable of a flag."""
    return PREFIX + flag.replace("-", "_").upper()


def read(
    arguments: Sequence[str], environment: Mapping[str, str], *, account: Path = ACCOUNT
) -> Settings:
    """The settings; `WrongSetting` says in one sentence what is wrong with one."""
    parser = argparse.ArgumentParser(
        prog="python -m gardenos.discovery",
        description="Says in EndpointSlices which member of a Patroni cluster leads.",
        epilog=f"--some-flag may also be given as {PREFIX}SOME_FLAG; the flag wins.",
    )
    for flag, (default, about) in FLAGS.items():
        shown = f" (default: {default})" if default else ""
        parser.add_argument(f"--{flag}", help=about + shown, metavar="X")
    given = vars(parser.parse_args(arguments))
    values = {
        flag: _first(given[flag.replace("-", "_")], environment.get(variable(flag)), default)
        for flag, (default, _) in FLAGS.items()
    }
    for flag, value in values.items():
        if value is None:
            raise WrongSetting(f"--{flag} is missing: {FLAGS[flag][1]}.")
    told = {flag: value or "" for flag, value in values.items()}
    return _settings(_in_a_pod(told, environment, account))


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def _in_a_pod(
    told: Mapping[str, str], environment: Mapping[str, str], account: Path
) -> dict[str, str]:
    """Fill in what every pod knows of its API server, unless something else is said."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    filled = dict(told)
    if told["slice-dir"] or told["api-url"] or not host:
        return filled
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    bracketed = f"[{host}]" if ":" in host else host
    filled["api-url"] = f"https://{bracketed}:{port}"
    filled["api-ca"] = told["api-ca"] or str(account / "ca.crt")
    filled["api-token"] = told["api-token"] or str(account / "token")
    namespace = account / "namespace"
    if not told["namespace"] and namespace.is_file():
        filled["namespace"] = namespace.read_text(encoding="ascii").strip()
    return filled


def _settings(told: Mapping[str, str]) -> Settings:
    _check(told)
    return Settings(
        member=told["member"],
        scope=told["scope"],
        address=told["address"],
        port=_whole("port", told),
        patroni_url=_url("patroni-url", told["patroni-url"]),
        patroni_ca=_file("patroni-ca", told),
        patroni_namespace=told["patroni-namespace"],
        etcd_urls=tuple(_url("etcd-urls", url) for url in told["etcd-urls"].split(",")),
        etcd_ca=_file("etcd-ca", told),
        etcd_cert=_file("etcd-cert", told),
        etcd_key=_file("etcd-key", told),
        etcd_user=told["etcd-user"],
        etcd_password_file=_file("etcd-password-file", told),
        service=told["service"],
        replicas_service=told["replicas-service"],
        slice_dir=Path(told["slice-dir"]) if told["slice-dir"] else None,
        api_url=_url("api-url", told["api-url"]) if told["api-url"] else "",
        api_ca=_file("api-ca", told),
        api_token=_file("api-token", told),
        namespace=told["namespace"],
        ttl_s=_seconds("ttl", told),
        tick_s=_seconds("tick", told),
        listen=_listen(told["listen"]),
        log_level=told["log-level"].lower(),
    )


def _check(told: Mapping[str, str]) -> None:
    """What no single flag can know."""
    try:
        family(told["address"])
    except ValueError:
        raise WrongSetting(f"--address {told['address']} is no IP address.") from None
    if bool(told["slice-dir"]) == bool(told["api-url"]):
        raise WrongSetting("Say where the slices are kept: --slice-dir or --api-url, one of them.")
    if told["slice-dir"] and not Path(told["slice-dir"]).is_dir():
        raise WrongSetting(f"--slice-dir {told['slice-dir']} is no folder.")
    if told["api-url"] and not told["namespace"]:
        raise WrongSetting("--namespace is missing: the namespace of the services.")
    if not told["service"] or told["service"] == told["replicas-service"]:
        raise WrongSetting("--service and --replicas-service must be two names.")
    if bool(told["etcd-user"]) != bool(told["etcd-password-file"]):
        raise WrongSetting("--etcd-user and --etcd-password-file go together.")
    if told["log-level"].lower() not in {"debug", "info", "warning", "error"}:
        raise WrongSetting(f"--log-level {told['log-level']} is none of {FLAGS['log-level'][1]}.")


def _url(flag: str, given: str) -> str:
    given = given.strip().rstrip("/")
    try:
        parts = urlsplit(given)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.path
        whole = whole and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole:
        raise WrongSetting(f"--{flag}: {given or 'an empty one'} is no http(s)://host:port.")
    return given


def _file(flag: str, told: Mapping[str, str]) -> Path | None:
    if not told[flag]:
        return None
    path = Path(told[flag])
    if not path.is_file():
        raise WrongSetting(f"--{flag} {path} is no file.")
    return path


def _whole(flag: str, told: Mapping[str, str]) -> int:
    if not told[flag].isdecimal() or not 0 < int(told[flag]) <= LAST_PORT:
        raise WrongSetting(f"--{flag} {told[flag]} is no port.")
    return int(told[flag])


def _seconds(flag: str, told: Mapping[str, str]) -> float:
    try:
        seconds = float(told[flag])
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_S:
        raise WrongSetting(f"--{flag} {told[flag]} is no number of seconds.")
    return seconds


def _listen(given: str) -> tuple[str, int]:
    host, _, port = given.rpartition(":")
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise WrongSetting(f"--listen {given} is no address:port.")
    return host.strip("[]"), int(port)
