"""What tests of access tokens need: a clock to turn, keys, tokens, and somebody who publishes keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SUB = UUID(int=7)
AGENCY = UUID(int=8)


class TurnedClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    def turn(self, by: timedelta) -> None:
        self.time += by


class ES256Key:
    """A P-256 key with an id, as a GoTrue has one."""

    algorithm = "ES256"

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private: Any = ec.generate_private_key(ec.SECP256R1())

    def jwk(self) -> dict[str, Any]:
        public = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return public | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


class RS256Key:
    """An RSA key with an id."""

    algorithm = "RS256"

    def __init__(self, kid: str, *, bits: int = 2048) -> None:
        self.kid = kid
        self.private: Any = rsa.generate_private_key(65537, bits)

    def jwk(self) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return public | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


def claims(now: datetime, *, issuer: str, **changes: Any) -> dict[str, Any]:
    """The claims of a good access token, with `changes`; a change to None leaves the claim out."""
    at = int(now.timestamp())
    good = {
        "iss": issuer,
        "aud": "authenticated",
        "iat": at,
        "exp": at + 3600,
        "sub": str(SUB),
        "role": "authenticated",
        "email": "ada@example.org",
        "agency_id": str(AGENCY),
        "user_role": "owner",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(body: Mapping[str, Any], key: ES256Key | RS256Key) -> str:
    return jwt.encode(dict(body), key.private, key.algorithm, headers={"kid": key.kid})


class Publisher:
    """An HTTP server that publishes keys, on a free port. `paused` withholds answers until set."""

    def __init__(self) -> None:
        self.document: bytes = b'{"keys": []}'
        self.status = 200
        self.asked = 0
        self.paused = threading.Event()
        self.paused.set()
        self.reached = threading.Event()
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked += 1
                publisher.reached.set()
                publisher.paused.wait(30)
                self.send_response(publisher.status)
                self.send_header("Content-Length", str(len(publisher.document)))
                self.end_headers()
                self.wfile.write(publisher.document)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the parent's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/auth/v1"

    @property
    def url(self) -> str:
        return f"{self.issuer}/.well-known/jwks.json"

    def publish(self, *keys: ES256Key | RS256Key) -> None:
        self.document = json.dumps({"keys": [key.jwk() for key in keys]}).encode()

    def close(self) -> None:
        """Nobody answers at this address any more. May be called twice."""
        self.paused.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
