"""What a replica sets up, without a cluster around it."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
import structlog
from pydantic import SecretStr

from gardenos.core.config import Settings
from gardenos.core.errors import DatabaseUnavailable
from gardenos.db.pool import PrivilegedRole
from gardenos.db.session import Role
from gardenos.observability.events import TasksLeased, observe
from gardenos.observability.metrics import TASKS_LEASED

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from gardenos.serve.process import DatabaseUnset, set_up

if TYPE_CHECKING:
    from gardenos.testing.postgres import PostgresServer


@pytest.fixture(autouse=True)
def _plain_logs() -> Generator[None]:
    """Logs are set up for the whole process, which here goes on to run other tests."""
    yield
    structlog.reset_defaults()


def settings(dsn: str | None) -> Settings:
    return Settings(database_url=SecretStr(dsn) if dsn else None)


def counted(agent_type: str) -> float:
    count: float = TASKS_LEASED.labels(agent_type)._value.get()  # pyright: ignore[reportPrivateUsage] it has no public reader
    return count


async def test_a_process_has_its_database_under_its_own_name_and_counts_events(
    server: PostgresServer, database_name: str
) -> None:
    process = await set_up(
        "gardenos-test", settings=settings(server.app(database_name)), pool_max=1
    )
    try:
        async with process.database.system(Role.WORKER) as session:
            assert await session.fetchval("SHOW application_name") == "gardenos-test"
        observe(TasksLeased("process-test", 2))
        assert counted("process-test") == 2
    finally:
        await process.close()
    observe(TasksLeased("process-test", 2))
    assert counted("process-test") == 2
    with pytest.raises(DatabaseUnavailable):
        async with process.database.system(Role.WORKER):
            pass


async def test_without_a_database_named_it_does_not_start() -> None:
    with pytest.raises(DatabaseUnset, match="GARDENOS_DATABASE_URL"):
        await set_up("gardenos-test", settings=settings(None), pool_max=1)


async def test_a_login_that_sees_every_agency_is_refused(
    server: PostgresServer, database_name: str
) -> None:
    with pytest.raises(PrivilegedRole, match="postgres"):
        await set_up("gardenos-test", settings=settings(server.admin(database_name)), pool_max=1)


async def test_a_database_that_is_away_is_no_reason_not_to_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = settings(f"postgresql://nobody@127.0.0.1:{port}/gardenos")
    process = await set_up("gardenos-test", settings=away, pool_max=1)
    try:
        with pytest.raises(DatabaseUnavailable):
            async with process.database.system(Role.WORKER):
                pass
    finally:
        await process.close()
