"""Somebody who receives webhooks: a real HTTP server on a free port, that answers as it is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Says:
    """An answer."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


Decide: TypeAlias = Callable[[Received], Says]


class Receiver:
    """`received` has every request; `decide` says what is answered."""

    def __init__(self) -> None:
        self.received: queue.Queue[Received] = queue.Queue()
        self.all: list[Received] = []
        self.decide: Decide = lambda _: Says()
        self.open = threading.Event()
        self.open.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                came = Received(self.path, headers, self.rfile.read(length))
                says = receiver.decide(came)
                receiver.all.append(came)
                receiver.received.put(came)
                receiver.open.wait(60)
                try:
                    self.send_response(says.status)
                    for name, value in says.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(says.body)))
                    self.end_headers()
                    self.wfile.write(says.body)
                except OSError:
                    pass  # whoever asked has left

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the parent's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
