"""`/healthz`, `/readyz` and `/metrics` for the kubelet and for Prometheus."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from gardenos.discovery.etcd import Watch
from gardenos.discovery.figures import Figures
from gardenos.discovery.loop import Loop

STUCK_S = 30.0
"""A cycle has a limit on every wait; one that takes longer than this hangs."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, at: tuple[str, int], loop: Loop, figures: Figures, watch: Watch) -> None:
        self.loop = loop
        self.figures = figures
        self.watch = watch
        super().__init__(at, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks DNS for the machine's name, which may hang and is used nowhere.
        TCPServer.server_bind(self)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] set by _Server

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self.server.figures.set("watch_up", bool(self.server.watch.at))
            self._answer(200, self.server.figures.render(), kind="text/plain; version=0.0.4")
        elif self.path == "/healthz":
            alive, why = health(self.server.loop, time.monotonic())
            self._answer(200 if alive else 503, f"{why}\n")
        elif self.path == "/readyz":
            # Ready from the first cycle on, whoever else is away: what is published stays.
            ready = self.server.loop.begun
            self._answer(200 if ready else 503, f"{self.server.loop.last.sentence}\n")
        else:
            self._answer(404, "There is /healthz, /readyz and /metrics.\n")

    def _answer(self, status: int, text: str, *, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base names it so
        """Probes are no news."""


def health(loop: Loop, now: float) -> tuple[bool, str]:
    """Whether cycles go on, at `now` of the monotonic clock."""
    quiet_s = now - loop.ended_at
    if quiet_s < STUCK_S:
        return True, loop.last.sentence
    return False, f"No cycle has ended for {quiet_s:.0f} s."


class StatusServer:
    """Serves them in threads until it is stopped."""

    def __init__(self, host: str, port: int, *, loop: Loop, figures: Figures, watch: Watch) -> None:
        """OSError where the address is taken."""
        self._server = _Server((host, port), loop, figures, watch)
        self.port: int = self._server.server_address[1]

    def start(self) -> None:
        """Begin to answer."""
        serve = self._server.serve_forever
        threading.Thread(target=serve, name="status", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
