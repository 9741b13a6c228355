"""What the tests of this folder share: an installation, brought up as a newcomer does, and a cluster."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from anyio.from_thread import start_blocking_portal

from gardenos.testing.postgres import PostgresServer
from tests.support.cluster import PlainCluster, plain_cluster
from tests.support.garden import Garden, new_garden

_ORDER = (
    "test_garden_lifecycle",
    "test_notebook",
    "test_sales_week",
    "test_large_import",
    "test_real_leads",
    "test_garden_down",
    "test_serve_deploy",
    "test_own_agent",
    "test_scaling",
)
"""Those that share something come one after another, and the installation is down for the rest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of this folder in order, where they stand in the run."""

    def place(item: pytest.Item) -> int:
        return _ORDER.index(item.path.stem) if item.path.stem in _ORDER else len(_ORDER)

    ours = [n for n, item in enumerate(items) if item.path.parent.name == "e2e"]
    ordered = sorted((items[n] for n in ours), key=place)
    for n, item in zip(ours, ordered, strict=True):
        items[n] = item


@pytest.fixture(scope="session")
def first_up() -> Generator[tuple[Garden, str]]:
    """An installation, and what its first `up` printed."""
    for garden in new_garden():
        yield garden, garden.ok("up")


@pytest.fixture
def garden(first_up: tuple[Garden, str]) -> Garden:
    """The installation, up, whatever the test before did to it."""
    garden, _ = first_up
    garden.ok("up")
    return garden


@pytest.fixture(scope="session")
def cluster(
    server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Generator[PlainCluster]:
    """A Ray cluster that somebody started plainly; each test deploys what it needs to it."""
    folder = tmp_path_factory.mktemp("cluster")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(server.clone()) as database_name,
        plain_cluster(server, database_name, folder) as cluster,
    ):
        yield cluster
