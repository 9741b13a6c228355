"""The CRM's routes as an application on a fresh database, and clients signed in to it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from gardenos.core.claims import Claims, UserRole
from gardenos.core.config import Settings
from gardenos.core.errors import InvalidToken
from gardenos.core.page import CursorSigner
from gardenos.crm.attachments.addresses import CONTENT
from gardenos.crm.routers import ROUTERS
from gardenos.crm.transfer.routes import PATH as IMPORTS
from gardenos.testing.postgres import make_member
from gardenos.web import problems
from gardenos.web.body_limit import BodyLimit
from gardenos.web.requests import Requests
from gardenos.web.services import Services

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

MAX_BODY = 1_048_576
MAX_IMPORT = 8 * 1_048_576
SignIn: TypeAlias = Callable[[Claims], httpx.AsyncClient]


class ImportCsv(Protocol):
    """Posts a CSV file as a form does."""

    async def __call__(
        self,
        content: bytes | str,
        *,
        mapping: dict[str, Any] | str | None = None,
        client: httpx.AsyncClient | None = None,
        key: str | None = None,
        **fields: str,
    ) -> httpx.Response: ...


class KnownTokens:
    """A verifier that knows a user's id as their token."""

    def __init__(self) -> None:
        self.claims: dict[str, Claims] = {}

    async def verify(self, token: str) -> Claims:
        if token not in self.claims:
            raise InvalidToken
        return self.claims[token]


@pytest.fixture
def tokens() -> KnownTokens:
    return KnownTokens()


@pytest.fixture
def crm_app(db: Database, tokens: KnownTokens) -> FastAPI:
    """The application: problems, the body limit, and the CRM's routes."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(
        BodyLimit, max_bytes=MAX_BODY, larger={IMPORTS: MAX_IMPORT, CONTENT: MAX_IMPORT}
    )
    app.add_middleware(Requests)
    for router in ROUTERS:
        app.include_router(router)
    secret = SecretStr("0" * 32)
    app.state.services = Services(
        settings=Settings(cursor_secret=secret),
        database=db,
        verifier=tokens,
        cursors=CursorSigner(secret.get_secret_value()),
    )
    return app


@pytest.fixture
async def sign_in(crm_app: FastAPI, tokens: KnownTokens) -> AsyncGenerator[SignIn]:
    """Makes clients that act under given claims."""
    async with AsyncExitStack() as stack:
        clients: list[httpx.AsyncClient] = []

        def client(claims: Claims) -> httpx.AsyncClient:
            token = str(claims.sub)
            tokens.claims[token] = claims
            # An exception that reaches the server is a 500 to its caller, and is here.
            transport = httpx.ASGITransport(crm_app, raise_app_exceptions=False)
            made = httpx.AsyncClient(
                transport=transport,
                base_url="http://gardenos.test",
                headers={"Authorization": f"Bearer {token}"},
            )
            clients.append(made)
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
async def reader(sign_in: SignIn, admin: AdminConnection, owner: Claims) -> httpx.AsyncClient:
    """A client of a member who may only read."""
    member = await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id)
    return sign_in(member)


@pytest.fixture
def import_csv(api: httpx.AsyncClient) -> ImportCsv:
    """Imports a file for the agency's owner, unless another client is given."""

    async def send(
        content: bytes | str,
        *,
        mapping: dict[str, Any] | str | None = None,
        client: httpx.AsyncClient | None = None,
        key: str | None = None,
        **fields: str,
    ) -> httpx.Response:
        if mapping is not None:
            fields["mapping"] = mapping if isinstance(mapping, str) else json.dumps(mapping)
        file = content.encode() if isinstance(content, str) else content
        return await (client or api).post(
            IMPORTS,
            files={"file": ("leads.csv", file, "text/csv")},
            data=fields,
            headers={"Idempotency-Key": key} if key else {},
        )

    return send
