"""The sign-in as an application on a fresh database, over ASGI and over a real port."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from gardenos.auth.keys import new_signing_key
from gardenos.auth.routes import router as sign_in_router
from gardenos.auth.tokens import TokenIssuer, Verifier
from gardenos.core.config import Settings
from gardenos.core.page import CursorSigner
from gardenos.crm.agencies.routes import router as agencies_router
from gardenos.web import problems
from gardenos.web.body_limit import BodyLimit
from gardenos.web.services import Services
from tests.support.serving import served

if TYPE_CHECKING:
    from gardenos.db.session import Database

MAX_BODY = 65_536
PASSWORD = "right horse battery"
SignUp: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        public_url="http://gardenos.test",
        jwt_signing_key=SecretStr(new_signing_key()),
        jwt_secret=SecretStr("s" * 32),
        cursor_secret=SecretStr("c" * 32),
    )


@pytest.fixture
def issuer(settings: Settings) -> TokenIssuer:
    return TokenIssuer.of(settings)


def application(settings: Settings, db: Database) -> FastAPI:
    """What a process of GardenOS serves, as far as signing in goes."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY)
    app.include_router(sign_in_router)
    app.include_router(agencies_router)
    app.state.services = Services(
        settings=settings,
        database=db,
        verifier=Verifier.of(settings),
        cursors=CursorSigner("c" * 32),
        extras={"issuer": TokenIssuer.of(settings)},
    )
    return app


@pytest.fixture
def app(settings: Settings, db: Database) -> FastAPI:
    return application(settings, db)


@pytest.fixture
async def url(app: FastAPI) -> AsyncGenerator[str]:
    """Where the sign-in is served."""
    async with served(app) as address:
        yield f"{address}/auth/v1"


def client_of(app: FastAPI) -> httpx.AsyncClient:
    # An exception that reaches the server is a 500 to its caller, and is here.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gardenos.test")


@pytest.fixture
async def http(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def make_client(settings: Settings, db: Database) -> Callable[..., httpx.AsyncClient]:
    """A client of the same sign-in under other settings."""

    def make(**changes: Any) -> httpx.AsyncClient:
        return client_of(application(settings.model_copy(update=changes), db))

    return make


@pytest.fixture
def sign_up(http: httpx.AsyncClient) -> SignUp:
    """Makes an account; what the sign-in answered."""

    async def send(email: str = "ada@example.org", **fields: Any) -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD, **fields}
        answer = await http.post("/auth/v1/signup", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return send
