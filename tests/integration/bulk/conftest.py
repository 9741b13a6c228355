"""The whole API on a fresh database, and clients of its members."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, TypeAlias

import httpx
import pytest
from fastapi import FastAPI

from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from tests.support.local import settings_for, signing_in

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import PostgresServer

SignIn: TypeAlias = Callable[[Claims], httpx.AsyncClient]


@pytest.fixture
def settings(server: PostgresServer, database_name: str) -> Settings:
    return settings_for(server.app(database_name), max_body_bytes=10_000)


@pytest.fixture
def app(settings: Settings, db: Database) -> FastAPI:
    return create_api(compose(settings, db))


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[SignIn]:
    """Makes clients of people."""
    async with signing_in(app) as client:
        yield client


@pytest.fixture
def api(sign_in: SignIn, owner: Claims) -> httpx.AsyncClient:
    """A client of the agency's owner."""
    return sign_in(owner)


@pytest.fixture
def outsider(sign_in: SignIn, stranger: Claims) -> httpx.AsyncClient:
    """A client of another agency's owner."""
    return sign_in(stranger)
