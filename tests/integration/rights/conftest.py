"""The whole API with its own sign-in, and people signed in to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest
from pydantic import SecretStr

from gardenos.auth.keys import new_signing_key
from gardenos.auth.tokens import TokenIssuer, Verifier
from gardenos.core.config import Settings
from gardenos.core.page import CursorSigner
from gardenos.serve.api import create_api
from gardenos.web.services import Services

if TYPE_CHECKING:
    from gardenos.db.session import Database

PASSWORD = "right horse battery"


@dataclass
class Person:
    """Somebody with an account, and a client that sends their token."""

    email: str
    user_id: str
    refresh_token: str
    client: httpx.AsyncClient

    async def refresh(self) -> dict[str, Any]:
        """Go on with the next access token, as every client does when one expires."""
        body = {"refresh_token": self.refresh_token}
        answer = await self.client.post("/auth/v1/token?grant_type=refresh_token", json=body)
        assert answer.status_code == 200, answer.text
        grant = answer.json()
        self.refresh_token = grant["refresh_token"]
        self.client.headers["Authorization"] = f"Bearer {grant['access_token']}"
        return grant


SignUp: TypeAlias = Callable[..., Awaitable[Person]]
Anybody: TypeAlias = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def anybody(tmp_path: Path, db: Database) -> AsyncGenerator[Anybody]:
    """Makes clients without a token, of an API under the given settings."""
    settings = Settings(
        home=tmp_path,
        public_url="http://gardenos.test",
        jwt_signing_key=SecretStr(new_signing_key()),
        jwt_secret=SecretStr("s" * 32),
        cursor_secret=SecretStr("c" * 32),
    )
    async with AsyncExitStack() as stack:

        def make(**changes: Any) -> httpx.AsyncClient:
            services = Services(
                settings=settings.model_copy(update=changes),
                database=db,
                verifier=Verifier.of(settings),
                cursors=CursorSigner("c" * 32),
                extras={"issuer": TokenIssuer.of(settings)},
            )
            transport = httpx.ASGITransport(create_api(services), raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://gardenos.test")
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def sign_up(anybody: Anybody) -> SignUp:
    """Makes an account and signs it in."""

    async def send(email: str, *, data: dict[str, Any] | None = None, **settings: Any) -> Person:
        client = anybody(**settings)
        body = {"email": email, "password": PASSWORD, "data": data or {}}
        answer = await client.post("/auth/v1/signup", json=body)
        assert answer.status_code == 200, answer.text
        grant = answer.json()
        client.headers["Authorization"] = f"Bearer {grant['access_token']}"
        return Person(email, grant["user"]["id"], grant["refresh_token"], client)

    return send
