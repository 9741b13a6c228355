"""HTTP and JSON over one kept connection, with a time limit and a size limit on every answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_LARGEST = 4 * 1_048_576


class Away(Exception):
    """The other side gave no answer that can be read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body that was read as JSON."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def ok(self) -> bool:
        return self.status // 100 == 2  # noqa: PLR2004 the hundreds of a status are its class


def connect(
    url: str, *, timeout_s: float, context: ssl.SSLContext | None = None
) -> http.client.HTTPConnection:
    """A connection to the server of `url`, not opened yet."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)


def trust(ca: Path | None, *, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """TLS that believes in `ca`, or in the system's authorities, and shows `cert` where given."""
    context = ssl.create_default_context(cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


class JsonClient:
    """Requests to one server, one at a time."""

    def __init__(
        self, url: str, *, timeout_s: float, context: ssl.SSLContext | None = None
    ) -> None:
        self._connection = connect(url, timeout_s=timeout_s, context=context)
        self._timeout_s = timeout_s
        self.url = url

    def request(
        self,
        method: str,
        path: str,
        *,
        send: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> Answer:
        """The answer, whatever its status; `Away` where there is none in time.

        A kept connection that the server has closed meanwhile is opened anew, once, unless the
        request must not be sent twice: then say `again=False`.
        """
        kept = self._connection.sock is not None
        began = time.monotonic()
        try:
            return self._once(method, path, send, headers or {})
        except TimeoutError:
            self.close()
            raise Away(f"{self.url} does not answer within {self._timeout_s:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            late = time.monotonic() - began > self._timeout_s / 2
            if kept and again and not late and not isinstance(error, ValueError):
                return self.request(method, path, send=send, headers=headers, again=False)
            raise Away(f"{self.url} does not answer: {error or type(error).__name__}") from error

    def _once(
        self,
        method: str,
        path: str,
        send: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> Answer:
        deadline = time.monotonic() + self._timeout_s
        body = None if send is None else json.dumps(send)
        typed = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body=body, headers={**typed, **headers})
        response = self._connection.getresponse()
        text = bytearray()
        # A server that drips its answer must not hold a cycle: the limit is for the whole of it.
        while chunk := response.read1(65536):
            text += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
            if len(text) > _LARGEST:
                raise ValueError("its answer is too large")
        if response.length:
            raise http.client.IncompleteRead(bytes(text), response.length)
        response.close()  # read1 does not: the connection would count as busy
        return Answer(response.status, _read(bytes(text)))

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        with contextlib.suppress(OSError):
            self._connection.close()


def _read(text: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(text) if text else {}
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
