"""The operator: the account that `up` makes, and as whom commands talk to the installation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg

from gardenos.cli import cluster, database, secrets
from gardenos.cli.database import Plan
from gardenos.cli.home import Home
from gardenos.cli.problems import CommandFailed
from gardenos.core.config import Settings
from gardenos.core.errors import Conflict, DatabaseUnavailable, InvalidRequest, NotFound

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.sdk import GardenOS

_TTL_S = 3600
_ANOTHER_ADDRESS = "Run `gardenos up --email ...` with another address."


@dataclass(frozen=True, slots=True)
class Welcome:
    """An account made just now; its password is known to nobody else and stored nowhere."""

    email: str
    password: str = field(repr=False)


def require_address(email: str) -> None:
    """Raise `CommandFailed` for what is no e-mail address, before anything is started."""
    from gardenos.auth import operators

    try:
        operators.address(email)
    except InvalidRequest as error:
        raise CommandFailed(error.detail, todo=_ANOTHER_ADDRESS) from None


def ensure_operator(plan: Plan, email: str) -> Welcome | None:
    """Make the operator's account, unless there is one.

    Raises `CommandFailed` where the e-mail is not one or belongs to somebody else's account.
    """
    return asyncio.run(_ensure_operator(plan, email))


async def _ensure_operator(plan: Plan, email: str) -> Welcome | None:
    from gardenos.auth import operators

    password = secrets.new_password()
    async with opened(plan) as connected:
        try:
            address = await operators.ensure_operator(connected, email, password)
        except (Conflict, InvalidRequest) as error:
            raise CommandFailed(error.detail, todo=_ANOTHER_ADDRESS) from None
    return Welcome(address, password) if address else None


def token(home: Home, settings: Settings, email: str | None = None, ttl_s: int = _TTL_S) -> str:
    """An access token for a user, the operator by default.

    Raises `CommandFailed` where the database does not run or there is no such account.
    """
    chosen = database.plan(home, settings)
    require_database(home, chosen)
    return asyncio.run(_token(chosen, settings, email, ttl_s))


def require_database(home: Home, plan: Plan) -> None:
    """Raise `CommandFailed` where the embedded database does not run."""
    if plan.embedded is not None and plan.embedded.pid() is None:
        raise CommandFailed(
            f"The database of {home.folder} does not run.", todo="Run `gardenos up` first."
        )


async def _token(plan: Plan, settings: Settings, email: str | None, ttl_s: int) -> str:
    from gardenos.auth import operators
    from gardenos.auth.tokens import TokenIssuer

    issuer = TokenIssuer.of(settings)
    async with opened(plan) as connected:
        try:
            return await operators.issue_access_token(connected, issuer, email, ttl_s=ttl_s)
        except NotFound as error:
            todo = "Check the address." if email else "Run `gardenos up`, which makes one."
            raise CommandFailed(error.detail, todo=todo) from None


def client(home: Home, *, deadline_s: float = 60.0) -> GardenOS:
    """A client of the running installation, as its operator; a call may take `deadline_s`.

    Raises `CommandFailed` where the installation is not up, at once: the client itself would try
    for a minute.
    """
    from gardenos.sdk import GardenOS

    if home.running() is None:
        raise CommandFailed(
            f"GardenOS does not run; its home is {home.folder}.", todo="Run `gardenos up` first."
        )
    settings = home.settings()
    if not cluster.answers(settings):
        raise CommandFailed(
            f"The API on port {settings.http_port} does not answer.",
            todo="Run `gardenos up`, which starts again what does not run.",
        )
    # This machine's own port: public_url may lead through a proxy that only others can reach.
    url = f"http://127.0.0.1:{settings.http_port}"
    return GardenOS(url, token=token(home, settings), deadline_s=deadline_s)


@asynccontextmanager
async def opened(plan: Plan) -> AsyncGenerator[Database]:
    """The database under the app's own login. Raises `CommandFailed` where it does not answer."""
    from gardenos.db.pool import open_database

    try:
        opened = await open_database(plan.app_dsn, min_size=1, max_size=1, name="gardenos-cli")
    except DatabaseUnavailable as error:
        raise database.unreachable(plan.app_dsn, error.__cause__ or error) from error
    except asyncpg.PostgresError as error:
        raise database.refused(plan.app_dsn, error) from error
    try:
        yield opened
    finally:
        await opened.pool.close()
