"""The leader key of Patroni in etcd v3, through etcd's JSON gateway: a read, and a watch as a hint."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import logging
import ssl
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gardenos.discovery.backoff import Backoff
from gardenos.discovery.evidence import EtcdSaid, Leader, Nobody, Unknown
from gardenos.discovery.wire import Answer, Away, JsonClient, connect

READ_S = 1.0
QUIET_S = 30.0
"""A watch that says nothing for so long may hang on a dead connection: it is opened anew."""
_log = logging.getLogger(__name__)


def leader_key(namespace: str, scope: str) -> str:
    """Where Patroni keeps the name of the leader."""
    return f"/{namespace.strip('/')}/{scope}/leader"


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach etcd: several endpoints, of which one that answers is enough."""

    urls: Sequence[str]
    context: ssl.SSLContext | None = None
    user: str = ""
    password: str = ""

    def authenticate(self, client: JsonClient) -> Mapping[str, str]:
        """The header that proves who we are, where etcd asks for it."""
        if not self.user:
            return {}
        credentials = {"name": self.user, "password": self.password}
        answer = client.request("POST", "/v3/auth/authenticate", send=credentials)
        token = answer.body.get("token")
        if not answer.ok or not token:
            raise Away(f"etcd at {client.url} refuses the user {self.user}: {_reason(answer)}")
        return {"Authorization": str(token)}


class Etcd:
    """Reads of the leader key."""

    def __init__(self, access: Access, key: str, *, timeout_s: float = READ_S) -> None:
        self._access = access
        self._key = key
        self._clients = [
            JsonClient(url, timeout_s=timeout_s, context=access.context) for url in access.urls
        ]
        self._tokens: dict[str, Mapping[str, str]] = {}

    def leader(self) -> EtcdSaid:
        """Who leads, as a majority of etcd's members has it."""
        why = "no endpoint is given"
        for client in tuple(self._clients):
            try:
                return _read_leader(self._range(client))
            except Away as away:
                why = str(away)
                # The next read begins with an endpoint that did not just fail.
                self._clients.append(self._clients.pop(0))
        return Unknown(why)

    def close(self) -> None:
        """Drop all connections."""
        for client in self._clients:
            client.close()

    def _range(self, client: JsonClient) -> Answer:
        answer = self._ask(client)
        if self._access.user and answer.status in (400, 401):
            self._tokens.pop(client.url, None)  # tokens run out
            answer = self._ask(client)
        if not answer.ok:
            raise Away(f"etcd at {client.url} answers {answer.status}: {_reason(answer)}")
        return answer

    def _ask(self, client: JsonClient) -> Answer:
        if client.url not in self._tokens:
            self._tokens[client.url] = self._access.authenticate(client)
        # Without `serializable` the read is linearizable: a majority has confirmed it.
        return client.request(
            "POST",
            "/v3/kv/range",
            send={"key": _encode(self._key)},
            headers=self._tokens[client.url],
        )


def _read_leader(answer: Answer) -> EtcdSaid:
    if not answer.body.get("header"):
        raise Away("what answers is not etcd")
    found = answer.body.get("kvs")
    if not found:
        return Nobody()
    try:
        name = base64.b64decode(found[0]["value"]).decode()
        return Leader(name, int(found[0]["create_revision"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Away(f"the leader key cannot be read ({error})") from error


class Watch:
    """Calls `woken` when the leader key changes. A hint only: the next tick sees the same."""

    def __init__(self, access: Access, key: str, woken: Callable[[], None]) -> None:
        self._access = access
        self._key = key
        self._woken = woken
        self._backoff = Backoff(base_s=0.5, cap_s=5.0)
        self._ended = threading.Event()
        self.at = ""
        """The endpoint it is open at; empty while it is not."""
        self._thread = threading.Thread(target=self._run, name="etcd-watch", daemon=True)

    def start(self) -> None:
        """Watch in a thread until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more; the thread is a daemon and may still hang on a read."""
        self._ended.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end: it comes with the next change, or the next silence."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        turn = 0
        while not self._ended.is_set():
            url = self._access.urls[turn % len(self._access.urls)]
            try:
                with contextlib.closing(self._changes(url)) as changes:
                    for _ in changes:
                        if self._ended.is_set():
                            break
                        self._woken()
            except TimeoutError:
                continue  # quiet, not broken
            except (Away, OSError, http.client.HTTPException, ValueError) as error:
                _log.debug("The watch at %s ended: %s", url, error)
            finally:
                self.at = ""
            turn += 1
            self._ended.wait(self._backoff.failed())

    def _changes(self, url: str) -> Generator[None]:
        """One for each change, from now on."""
        client = JsonClient(url, timeout_s=READ_S, context=self._access.context)
        headers = self._access.authenticate(client)
        client.close()
        connection = connect(url, timeout_s=QUIET_S, context=self._access.context)
        try:
            request = json.dumps({"create_request": {"key": _encode(self._key)}})
            connection.request("POST", "/v3/watch", body=request, headers=dict(headers))
            response = connection.getresponse()
            while line := response.readline(1_048_576):
                result: dict[str, Any] = json.loads(line).get("result") or {}
                if result.get("canceled") or not result:
                    raise Away(f"etcd ended it: {line[:200]!r}")
                self.at = url
                self._backoff.ok()
                if result.get("events"):
                    yield
        finally:
            connection.close()


def _encode(key: str) -> str:
    return base64.b64encode(key.encode()).decode()


def _reason(answer: Answer) -> str:
    return str(answer.body.get("message") or answer.body.get("error") or "no reason given")
