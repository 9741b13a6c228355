"""An installation for two agencies."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import AdminConnection, PostgresServer, make_member
from tests.support.isolation.agency import Agency
from tests.support.isolation.document import operations
from tests.support.isolation.world import MakeWorld, World
from tests.support.local import eventually, local_installation, settings_for, signing_in

if TYPE_CHECKING:
    from fastapi import FastAPI

SHORT_S = 0.2
BUSY = "SELECT count(*) FROM agent_tasks WHERE agency_id = $1 AND state IN ('queued', 'running')"


@pytest.fixture
async def installation(server: PostgresServer, database_name: str) -> AsyncGenerator[FastAPI]:
    async with local_installation(settings_for(server.app(database_name))) as app:
        yield app


@pytest.fixture
async def make_world(installation: FastAPI, admin: AdminConnection) -> AsyncGenerator[MakeWorld]:
    """Fills two agencies."""
    document = installation.openapi()
    async with signing_in(installation) as client:

        async def make(*prefixes: str) -> World:
            asked = [one for one in operations(document) if one.path.startswith(prefixes or "/")]

            async def filled() -> Agency:
                owner = await make_member(admin)
                mates = [
                    await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
                    for _ in range(2)
                ]
                # An operator sets what no member of an agency may.
                operating = client(replace(owner, operator=True))
                schemas = document["components"]["schemas"]
                agency = Agency(owner, mates, operating, asked, schemas)
                await agency.fill()
                # What changes later, somebody else changed. Settling pauses agents, so first:
                await _calm(admin, agency)
                await agency.settle()
                agency.bodies.wait_s = SHORT_S
                return agency

            ours, theirs = await filled(), await filled()
            # The curious one is none.
            theirs.client = client(theirs.claims)
            return World(asked, ours, theirs)

        yield make


async def _calm(admin: AdminConnection, agency: Agency) -> None:
    """Wait until no agent is at work for the agency."""

    async def busy() -> int:
        return int(await admin.fetchval(BUSY, agency.claims.agency_id))

    await eventually(busy, lambda count: count == 0)
