"""A home where nothing was started, and an installation for commands to talk to."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from gardenos.auth.operators import ensure_operator
from gardenos.cli import secrets
from gardenos.cli.home import Home, Running
from gardenos.cli.processes import ProcessRecord
from gardenos.db.session import Database
from gardenos.testing.postgres import PostgresServer
from tests.support.commands import CommandLine
from tests.support.local import local_installation
from tests.support.serving import served


@pytest.fixture
def fresh(tmp_path: Path) -> CommandLine:
    """A home where nothing was ever started."""
    return CommandLine(Home(tmp_path / "home"))


@pytest.fixture
async def up(
    server: PostgresServer, database_name: str, db: Database, fresh: CommandLine
) -> AsyncGenerator[CommandLine]:
    """An installation that runs: the whole of it but Ray, whose place this process takes."""
    home, dsn = fresh.home, server.app(database_name)
    home.make()
    secrets.ensure(home, secrets.GENERATORS)
    await ensure_operator(db, "admin@example.org", secrets.new_password())
    update = {"database_url": SecretStr(dsn), "llm_provider": "rules"}
    settings = home.settings().model_copy(update=update)
    this = ProcessRecord.of(os.getpid())
    assert this is not None
    async with local_installation(settings) as app, served(app) as url:
        port = urlsplit(url).port
        assert port is not None
        home.record(
            Running(
                ray=this,
                http_port=port,
                dashboard_port=port,
                ray_port=port,
                started_at=datetime.now(UTC),
            )
        )
        # Tokens carry the issuer of the address that the settings above were made with.
        env = {"GARDENOS_DATABASE_URL": dsn, "GARDENOS_JWT_ISSUER": settings.issuer}
        yield CommandLine(home, env)
