"""`k8s/secrets/generate` makes what the manifests refer to, and a real etcd takes it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import kubernetes_validate
import pytest
import yaml

from tests.k8s.manifests import (
    K8S,
    Document,
    container,
    environment,
    example_secrets,
    named,
    overlay,
)
from tests.support.waiting import until

_FROM_ELSEWHERE = {"postgres-backup"}
"""Who sells the bucket makes these."""


def generate(folder: Path) -> list[Document]:
    done = subprocess.run(
        [K8S / "secrets" / "generate", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all((folder / "secrets.yaml").read_text("utf-8")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("secrets") / "made"
    generate(made)
    return made


@pytest.fixture(scope="module")
def secrets(folder: Path) -> list[Document]:
    return list(yaml.safe_load_all((folder / "secrets.yaml").read_text("utf-8")))


def names_in(certificate: Path) -> str:
    return subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", certificate],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_it_makes_every_secret_of_the_example_with_the_same_keys(secrets: list[Document]) -> None:
    made = {s["metadata"]["name"]: set(s["stringData"]) for s in secrets}
    wanted = {s["metadata"]["name"]: set(s["stringData"]) for s in example_secrets()}
    assert made == {name: keys for name, keys in wanted.items() if name not in _FROM_ELSEWHERE}
    for secret in secrets:
        kubernetes_validate.validate(secret, "1.35", strict=True)
        assert all(secret["stringData"].values())


def test_two_runs_have_nothing_in_common_and_the_second_overwrites_nothing(
    folder: Path, secrets: list[Document], tmp_path: Path
) -> None:
    again = generate(tmp_path / "again")
    first = named(secrets, "Secret", "postgres-passwords")["stringData"]
    second = named(again, "Secret", "postgres-passwords")["stringData"]
    passwords = {*first.values(), *second.values()}
    assert len(passwords) == 6
    assert all(len(password) == 48 for password in passwords)
    before = (folder / "secrets.yaml").read_bytes()
    refused = subprocess.run(
        [K8S / "secrets" / "generate", folder], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "exists already" in refused.stderr
    assert (folder / "secrets.yaml").read_bytes() == before


def test_nobody_else_may_read_them(folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


@pytest.mark.parametrize(
    "name", ["postgres-tls", "etcd-server-tls", "etcd-peer-tls", "etcd-client-tls"]
)
def test_every_certificate_is_signed_by_the_one_authority(folder: Path, name: str) -> None:
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", folder / "ca.crt", folder / f"{name}.crt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_certificates_carry_the_names_that_the_manifests_connect_to(folder: Path) -> None:
    documents = overlay("hetzner")
    etcd = names_in(folder / "etcd-server-tls.crt")
    peers = names_in(folder / "etcd-peer-tls.crt")
    spilo = environment(container(documents, "StatefulSet/postgres", "postgres"), documents)
    for host in yaml.safe_load(f"[{spilo['ETCD3_HOSTS']}]"):
        name = host.partition(":")[0].replace("<metadata.namespace>", "gardenos")
        assert f"DNS:{name}" in etcd
        assert f"DNS:{name}" in peers
    postgres = names_in(folder / "postgres-tls.crt")
    for service in ("haproxy", "postgres-primary", "postgres-replicas", "postgres-2.postgres"):
        assert f"DNS:{service}.gardenos.svc.cluster.local" in postgres


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def etcd_of_the_manifest(folder: Path, data: Path, client: int, health: int) -> Generator[None]:
    """One etcd with the flags of the StatefulSet, on loopback, its certificates from `folder`."""
    command: list[str] = container(overlay("hetzner"), "StatefulSet/etcd", "etcd")["command"]
    peer = free_port()
    replaced = {
        "--name": "etcd-0",
        "--data-dir": str(data),
        "--listen-client-urls": f"https://127.0.0.1:{client}",
        "--advertise-client-urls": f"https://localhost:{client}",
        "--listen-peer-urls": f"https://127.0.0.1:{peer}",
        "--initial-advertise-peer-urls": f"https://localhost:{peer}",
        "--initial-cluster": f"etcd-0=https://localhost:{peer}",
        "--listen-metrics-urls": f"http://127.0.0.1:{health}",
    }
    flags: list[str] = []
    for word in command[1:]:
        flag, _, value = word.partition("=")
        for kind in ("server", "peer"):
            for file, made in (
                ("ca.crt", "ca.crt"),
                ("tls.crt", f"etcd-{kind}-tls.crt"),
                ("tls.key", f"etcd-{kind}-tls.key"),
            ):
                value = value.replace(f"/tls/{kind}/{file}", str(folder / made))
        value = replaced.get(flag, value)
        flags.append(f"{flag}={value}" if value else flag)
    log = data.with_suffix(".log")
    with log.open("wb") as output:
        etcd = subprocess.Popen(
            [Path(sys.executable).with_name("etcd"), *flags], stdout=output, stderr=output
        )
    try:

        def healthy() -> bool:
            assert etcd.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{health}/health", timeout=2) as said:
                    return b'"true"' in said.read()
            except URLError:
                return False

        until(healthy, bool, within_s=30)
        yield
    finally:
        etcd.kill()
        etcd.wait()


def test_an_etcd_of_the_manifest_lets_in_who_has_the_clients_certificate(
    folder: Path, tmp_path: Path
) -> None:
    client, health = free_port(), free_port()
    with etcd_of_the_manifest(folder, tmp_path / "data", client, health):
        trusting = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        with pytest.raises((URLError, ssl.SSLError, ConnectionError)):
            urllib.request.urlopen(
                f"https://localhost:{client}/version", context=trusting, timeout=5
            )
        trusting.load_cert_chain(folder / "etcd-client-tls.crt", folder / "etcd-client-tls.key")
        with urllib.request.urlopen(
            f"https://localhost:{client}/version", context=trusting, timeout=5
        ) as said:
            assert b"etcdserver" in said.read()
        # PostgreSQL's own certificate is one of a server and opens nothing.
        posing = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        posing.load_cert_chain(folder / "postgres-tls.crt", folder / "postgres-tls.key")
        with pytest.raises((URLError, ssl.SSLError, ConnectionError)):
            urllib.request.urlopen(f"https://localhost:{client}/version", context=posing, timeout=5)
