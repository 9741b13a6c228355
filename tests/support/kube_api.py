"""A small Kubernetes API server: one resourceVersion for all, compare-and-set, watch, and faults.

It keeps objects of any namespaced kind under `/api/v1` and `/apis/GROUP/VERSION`, as far as the
sidecar and `kubectl patch` need it. `python -m tests.support.kube_api --port N` runs it alone; then
`POST /_fault {"mode": "hang"}` is what `KubeApi.fault` is in a test.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import parse_qs, urlsplit

Json: TypeAlias = dict[str, Any]
Mode: TypeAlias = Literal["ok", "error", "hang", "slow", "lose"]
RESOURCES = {
    "api/v1": {"endpoints": "Endpoints"},
    "apis/discovery.k8s.io/v1": {"endpointslices": "EndpointSlice"},
}


@dataclass(frozen=True)
class Fault:
    """How requests fare from now on."""

    mode: Mode = "ok"
    """error: answered with `status`; hang: no answer until the fault is another; slow: answered
    after `seconds`; lose: done, and the connection closed instead of an answer."""
    seconds: float = 2.0
    status: int = 500
    methods: tuple[str, ...] = ()
    """Only these; none means all."""


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    authorization: str


@dataclass
class Refused(Exception):
    """An answer that is no success, as a Status object says it."""

    code: int
    reason: str
    message: str


@dataclass
class Objects:
    """What is stored, under one counter of versions, and all that happened to it."""

    version: int = 1000
    stored: dict[str, Json] = field(default_factory=dict[str, Json])
    history: list[tuple[int, str, str, Json]] = field(
        default_factory=list[tuple[int, str, str, Json]]
    )
    changed: threading.Condition = field(default_factory=threading.Condition)

    def get(self, key: str) -> Json:
        if key not in self.stored:
            raise Refused(404, "NotFound", f"{key} not found")
        return self.stored[key]

    def create(self, key: str, document: Json) -> Json:
        with self.changed:
            if key in self.stored:
                raise Refused(409, "AlreadyExists", f"{key} already exists")
            if (document.get("metadata") or {}).get("resourceVersion"):
                raise Refused(400, "BadRequest", "resourceVersion should not be set on creation")
            return self._keep("ADDED", key, document)

    def replace(self, key: str, document: Json) -> Json:
        """Without a resourceVersion it overwrites whatever is there, as Kubernetes does."""
        with self.changed:
            present = self.get(key)
            expected = document["metadata"].get("resourceVersion")
            if expected and expected != present["metadata"]["resourceVersion"]:
                raise Refused(409, "Conflict", f"{key}: the object has been modified")
            if document.get("addressType") != present.get("addressType"):
                raise Refused(422, "Invalid", "addressType: field is immutable")
            return self._keep("MODIFIED", key, document)

    def patch(self, key: str, changes: Json) -> Json:
        with self.changed:
            return self.replace(key, merge(self.get(key) | {}, changes))

    def delete(self, key: str) -> Json:
        with self.changed:
            gone = self.get(key)
            del self.stored[key]
            self._record("DELETED", key, gone)
            return gone

    def wait(self, version: int, prefix: str) -> list[tuple[int, str, Json]]:
        """Events of a collection later than a version, once there are any."""

        def later() -> list[tuple[int, str, Json]]:
            return [
                (at, kind, document)
                for at, kind, key, document in self.history
                if at > version and key.startswith(prefix)
            ]

        with self.changed:
            return self.changed.wait_for(later)

    def _keep(self, kind: str, key: str, document: Json) -> Json:
        kept = json.loads(json.dumps(document))
        kept["metadata"]["resourceVersion"] = str(self.version + 1)
        self.stored[key] = kept
        self._record(kind, key, kept)
        return kept

    def _record(self, kind: str, key: str, document: Json) -> None:
        self.version += 1
        self.history.append((self.version, kind, key, document))
        self.changed.notify_all()


def merge(target: Json, changes: Mapping[str, Any]) -> Json:
    """JSON merge patch (RFC 7396)."""
    merged = dict(target)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            below = merged.get(name)
            under = cast("Json", below) if isinstance(below, dict) else {}
            merged[name] = merge(under, cast("Json", value))
        else:
            merged[name] = value
    return merged


class KubeApi:
    """The running server: set a fault, read what it was asked and what it keeps."""

    def __init__(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.objects = Objects()
        self.requests: list[Request] = []
        self.token: str | None = None
        """If set, the only one that is accepted."""
        self.before_write: Callable[[], None] | None = None
        """Called once, when the next write has arrived and before it is looked at."""
        self._fault = Fault()
        self._settled = threading.Condition()
        self._server = _Server(("127.0.0.1", port), self)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if tls:
            # The handshake belongs to the thread of a connection, not to the one that accepts.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    def fault(self, mode: Mode, **more: Any) -> None:
        """Let requests fare so from now on; those that hang under the old one go on."""
        with self._settled:
            self._fault = Fault(mode, **more)
            self._settled.notify_all()

    def slice(self, name: str, namespace: str = "garden") -> Json | None:
        """An EndpointSlice as it is kept."""
        return self.objects.stored.get(
            f"apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}"
        )

    def suffer(self, method: str) -> Fault:
        """Wait as the fault wants it; the fault to obey after that."""
        with self._settled:
            fault = self._fault
            if fault.methods and method not in fault.methods:
                return Fault()
            if fault.mode == "hang":
                self._settled.wait_for(lambda: self._fault is not fault)
                return Fault("lose" if self._fault.mode == "hang" else self._fault.mode)
            if fault.mode == "slow":
                self._settled.wait_for(lambda: self._fault is not fault, fault.seconds)
            return fault

    def start(self) -> None:
        serve = self._server.serve_forever
        threading.Thread(target=serve, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def run(self) -> None:
        """Serve in this thread."""
        self._server.serve_forever()

    def stop(self) -> None:
        self.fault("error")
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, at: tuple[str, int], api: KubeApi) -> None:
        self.api = api
        super().__init__(at, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] set by _Server
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        # Clients that give up are what faults are for.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def _serve(self) -> None:
        path = urlsplit(self.path).path.strip("/")
        length = int(self.headers.get("Content-Length", 0))
        sent: Json = json.loads(self.rfile.read(length) or b"{}")
        if path == "_fault":
            self.server.api.fault(**sent)
            self._answer(200, {})
            return
        try:
            self._obey(path, sent)
        except Refused as refused:
            self._refuse(refused)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 the base names them so

    def _obey(self, path: str, sent: Json) -> None:
        api, authorization = self.server.api, self.headers.get("Authorization", "")
        api.requests.append(Request(self.command, f"/{path}", authorization))
        fault = api.suffer(self.command)
        if fault.mode == "error":
            raise Refused(fault.status, "InternalError", "told to fail")
        if api.token is not None and authorization != f"Bearer {api.token}":
            raise Refused(401, "Unauthorized", "Unauthorized")
        if self.command != "GET" and api.before_write is not None:
            hook, api.before_write = api.before_write, None
            hook()
        query = parse_qs(urlsplit(self.path).query)
        if "watch" in query:
            self._watch(path, since=int(query.get("resourceVersion", ["0"])[0] or 0))
            return
        code, answer = self._do(path, sent)
        if fault.mode == "lose":
            self.close_connection = True
        else:
            self._answer(code, answer)

    def _do(self, path: str, sent: Json) -> tuple[int, Json]:
        objects = self.server.api.objects
        match self.command:
            case "POST":
                return 201, objects.create(f"{path}/{sent['metadata']['name']}", sent)
            case "PUT":
                return 200, objects.replace(path, sent)
            case "PATCH":
                return 200, objects.patch(path, sent)
            case "DELETE":
                return 200, objects.delete(path)
            case _:
                return 200, self._get(path)

    def _get(self, path: str) -> Json:
        """An object, a collection, or what kubectl asks to learn the kinds."""
        objects = self.server.api.objects
        _, in_namespace, rest = path.partition("/namespaces/")
        if rest.count("/") == 2:
            return objects.get(path)
        if in_namespace:
            items = [o for key, o in objects.stored.items() if key.startswith(f"{path}/")]
            return {"kind": "List", "metadata": _version(objects), "items": items}
        if path == "api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "apis":
            version = {"groupVersion": "discovery.k8s.io/v1", "version": "v1"}
            group = {"name": "discovery.k8s.io", "versions": [version]}
            return {"kind": "APIGroupList", "groups": [group | {"preferredVersion": version}]}
        if path in RESOURCES:
            verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
            return {
                "kind": "APIResourceList",
                "groupVersion": path.removeprefix("api/").removeprefix("apis/"),
                "resources": [
                    {"name": name, "kind": kind, "namespaced": True, "verbs": verbs}
                    for name, kind in RESOURCES[path].items()
                ],
            }
        raise Refused(404, "NotFound", f"the server has no {path}")

    def _watch(self, path: str, *, since: int) -> None:
        """Events one per line, until the client or the server closes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                for version, kind, document in self.server.api.objects.wait(since, path):
                    line = json.dumps({"type": kind, "object": document})
                    self.wfile.write(f"{line}\n".encode())
                    since = version

    def _refuse(self, refused: Refused) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": refused.code}
        said = {"reason": refused.reason, "message": refused.message}
        self._answer(refused.code, status | said)

    def _answer(self, code: int, document: Json) -> None:
        body = json.dumps(document).encode()
        with contextlib.suppress(OSError):
            self.send_response(code, HTTPStatus(code).phrase)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base names it so
        """What was asked stands in `KubeApi.requests`."""


def _version(objects: Objects) -> Json:
    return {"resourceVersion": str(objects.version)}


@contextlib.contextmanager
def kube_api(*, tls: ssl.SSLContext | None = None) -> Generator[KubeApi]:
    """The server on a free port, until the block ends."""
    api = KubeApi(tls=tls)
    api.start()
    try:
        yield api
    finally:
        api.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    KubeApi(parser.parse_args().port).run()
