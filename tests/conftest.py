"""One embedded PostgreSQL per process of tests; a database cloned from its template per test."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from gardenos.db.pool import open_database
from gardenos.testing.llm import no_real_models
from gardenos.testing.postgres import PostgresServer, make_member, running_server
from tests.support import promtool as promtool_package
from tests.support.leads import real_leads_file
from tests.support.sharing import Shared, group_of, order

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

_FEWEST, _MOST = 2, 6
"""Processes: one waits for clusters while the other computes; each keeps a PostgreSQL of its own."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` shares the tests between."""
    return max(_FEWEST, min(os.cpu_count() or 1, _MOST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shared:
    """Whatever brings up a cluster runs in one process, one after another."""
    return Shared(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long groups first: none is left to run alone at the end. In a group the order stays."""
    place = {group: n for n, group in enumerate(order(item.nodeid for item in items))}
    items.sort(key=lambda item: place[group_of(item.nodeid)])


@pytest.fixture(scope="session", autouse=True)
def _no_real_models() -> Generator[None]:
    """No test calls a model on another machine, whatever key the environment holds."""
    with no_real_models():
        yield


@pytest.fixture(scope="session")
def real_leads() -> Path:
    """A CSV of real leads that is no part of the project; without it the test is skipped."""
    path = real_leads_file()
    if not path.is_file():
        reason = f"{path} is absent; GARDENOS_X_EDUCATION_CSV may say where the real leads are"
        print(f"skipped: {reason}")
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def promtool(pytestconfig: pytest.Config) -> Path:
    """Prometheus' own checker; without apt-get to fetch it with, the test is skipped."""
    if not promtool_package.apt_is_here():
        reason = "there is no apt-get to fetch promtool with"
        print(f"skipped: {reason}")
        pytest.skip(reason)
    return promtool_package.fetched(pytestconfig.cache.mkdir("promtool"))


@pytest.fixture(scope="session")
def server() -> Generator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture
async def database_name(server: PostgresServer) -> AsyncGenerator[str]:
    """A fresh migrated database; its name."""
    async with server.clone() as name:
        yield name


@pytest.fixture
async def db(server: PostgresServer, database_name: str) -> AsyncGenerator[Database]:
    """The app's view of a fresh database."""
    database = await open_database(server.app(database_name), min_size=1, name="test")
    try:
        yield database
    finally:
        await database.pool.close()


@pytest.fixture
async def admin(server: PostgresServer, database_name: str) -> AsyncGenerator[AdminConnection]:
    """A superuser's connection to the same database: to arrange and to look past the policies."""
    conn = await asyncpg.connect(server.admin(database_name))
    try:
        yield conn
    finally:
        await conn.close()


@pytest.fixture
async def owner(admin: AdminConnection) -> Claims:
    """The owner of an agency."""
    return await make_member(admin)


@pytest.fixture
async def stranger(admin: AdminConnection) -> Claims:
    """The owner of another agency."""
    return await make_member(admin)
