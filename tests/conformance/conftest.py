from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

from tests.support.queues import Bench, MemoryBench, PostgresBench


@pytest.fixture(params=["postgres", "memory"])
def bench(
    request: pytest.FixtureRequest, db: Database, owner: Claims, admin: AdminConnection
) -> Bench:
    return PostgresBench(db, owner, admin) if request.param == "postgres" else MemoryBench(owner)
