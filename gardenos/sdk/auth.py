"""Access tokens: a given one, or signing in with e-mail and password over GoTrue's wire format."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from gardenos.core.errors import InvalidToken, Unauthenticated
from gardenos.sdk import problems
from gardenos.sdk.errors import UnexpectedAnswer

_UNAUTHORIZED, _TOO_MANY_REQUESTS = 401, 429
TOKEN_PATH = "/auth/v1/token"  # noqa: S105 a path
_REFRESH_EARLY = 0.1
"""The last tenth of a token's life, at most `_REFRESH_EARLY_S`, is not used."""
_REFRESH_EARLY_S = 30.0


class TokenAuth(httpx.Auth):
    """Sends the access token it was given."""

    def __init__(self, token: str) -> None:
        self._token = SecretStr(token)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class _Grant(BaseModel):
    access_token: str
    refresh_token: str
    expires_in: float


def _is_final(response: httpx.Response) -> bool:
    """Whether a refusal is about what was sent, so that sending it again is no use."""
    passes = response.status_code == _TOO_MANY_REQUESTS or problems.is_stopgap(response)
    return response.is_client_error and not passes


class PasswordAuth(httpx.Auth):
    """Signs in when first needed, refreshes before the token expires and once after a 401.

    A refresh token works once: the server takes its second use for theft and ends the session. So
    one request at a time refreshes, under a lock, and the others take what it got.
    """

    def __init__(
        self, url: str, email: str, password: str, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = f"{url}{TOKEN_PATH}"
        self._email = email
        self._password = SecretStr(password)
        self._now = now
        self._grant: _Grant | None = None
        self._fresh_until = 0.0
        self._thread_lock = threading.Lock()
        self._loop_lock = asyncio.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        refused: str | None = None
        while True:
            with self._thread_lock:
                renewal = self._renewal(refused, request.extensions)
                try:
                    ask = next(renewal)
                    while True:
                        response = yield ask
                        response.read()
                        ask = renewal.send(response)
                except StopIteration as end:
                    if not end.value:
                        return
            token = self._sign(request)
            response = yield request
            if response.status_code != _UNAUTHORIZED or refused is not None:
                return
            refused = token

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        refused: str | None = None
        while True:
            async with self._loop_lock:
                renewal = self._renewal(refused, request.extensions)
                try:
                    ask = next(renewal)
                    while True:
                        response = yield ask
                        await response.aread()
                        ask = renewal.send(response)
                except StopIteration as end:
                    if not end.value:
                        return
            token = self._sign(request)
            response = yield request
            if response.status_code != _UNAUTHORIZED or refused is not None:
                return
            refused = token

    def renew(self) -> None:
        """Fetch another access token before the next request."""
        self._fresh_until = 0.0

    def _sign(self, request: httpx.Request) -> str:
        assert self._grant is not None  # noqa: S101 a renewal that returns True has left one
        request.headers["Authorization"] = f"Bearer {self._grant.access_token}"
        return self._grant.access_token

    def _renewal(
        self, refused: str | None, extensions: Any
    ) -> Generator[httpx.Request, httpx.Response, bool]:
        """The requests that lead to a usable token; False where the server cannot say now.

        The caller then ends its flow, which makes the server's last answer that of the request:
        it is repeated or raised like any other. Raises `Unauthenticated` for a refused sign-in.
        """
        grant = self._grant
        if grant and grant.access_token != refused and self._now() < self._fresh_until:
            return True
        if grant:
            body = {"refresh_token": grant.refresh_token}
            response = yield self._ask("refresh_token", body, extensions)
            if response.is_success:
                self._keep(response)
                return True
            if not _is_final(response):
                return False
            self._grant = None
        body = {"email": self._email, "password": self._password.get_secret_value()}
        response = yield self._ask("password", body, extensions)
        if response.is_success:
            self._keep(response)
            return True
        if not _is_final(response):
            return False
        said = problems.from_response(response)
        kind = InvalidToken if refused else Unauthenticated
        raise kind(f"Signing in as {self._email} was refused: {said.detail}")

    def _ask(self, grant_type: str, body: dict[str, str], extensions: Any) -> httpx.Request:
        return httpx.Request(
            "POST",
            self._url,
            params={"grant_type": grant_type},
            json=body,
            extensions=extensions,
        )

    def _keep(self, response: httpx.Response) -> None:
        try:
            grant = _Grant.model_validate_json(response.content)
        except ValidationError:
            raise UnexpectedAnswer(
                f"{self._url} answered a sign-in with something other than a token."
            ) from None
        early = min(_REFRESH_EARLY_S, grant.expires_in * _REFRESH_EARLY)
        self._grant = grant
        self._fresh_until = self._now() + grant.expires_in - early
