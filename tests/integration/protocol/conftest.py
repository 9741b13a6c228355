"""The whole API on a fresh database, and clients of it: people with tokens, programs with keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest
from fastapi import FastAPI

from gardenos.core.claims import Claims, UserRole
from gardenos.core.config import Settings
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.testing.postgres import make_member
from tests.support.local import client_of, settings_for, signing_in

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

SignIn: TypeAlias = Callable[[Claims], httpx.AsyncClient]
WithToken: TypeAlias = Callable[[str], httpx.AsyncClient]
MakeKey: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def settings(server: PostgresServer, database_name: str) -> Settings:
    return settings_for(server.app(database_name))


@pytest.fixture
def app(settings: Settings, db: Database) -> FastAPI:
    return create_api(compose(settings, db))


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[SignIn]:
    """Makes clients of people."""
    async with signing_in(app) as client:
        yield client


@pytest.fixture
async def with_token(app: FastAPI) -> AsyncGenerator[WithToken]:
    """Makes clients that send a given token or key."""
    async with AsyncExitStack() as stack:

        def client(token: str) -> httpx.AsyncClient:
            made = client_of(app, token)
            stack.push_async_callback(made.aclose)
            return made

        yield client


@pytest.fixture
def api(sign_in: SignIn, owner: Claims) -> httpx.AsyncClient:
    """A client of the agency's owner."""
    return sign_in(owner)


@pytest.fixture
def outsider(sign_in: SignIn, stranger: Claims) -> httpx.AsyncClient:
    """A client of another agency's owner."""
    return sign_in(stranger)


@pytest.fixture
async def agent(admin: AdminConnection, owner: Claims) -> Claims:
    """A member of the agency who is an agent."""
    return await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)


@pytest.fixture
async def reader(admin: AdminConnection, owner: Claims) -> Claims:
    """A member of the agency who may only read."""
    return await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id)


@pytest.fixture
def make_key(api: httpx.AsyncClient) -> MakeKey:
    """Makes a key, for the owner unless another client is given; what the API answered."""

    async def make(*scopes: str, client: httpx.AsyncClient | None = None, **fields: Any) -> Any:
        body = {"name": "a program", "scopes": list(scopes), **fields}
        answer = await (client or api).post("/v1/api-keys", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make
