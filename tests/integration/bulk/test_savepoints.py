"""A savepoint undoes its own block, and nothing else of the transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection

ADD = "INSERT INTO leads (agency_id, first_name) VALUES ($1, $2)"
NAMES = "SELECT array_agg(first_name ORDER BY first_name) FROM leads"


async def add(session: TenantSession, name: str) -> None:
    async with session.savepoint():
        await session.execute(ADD, session.claims.agency_id, name)


async def add_and_fail(session: TenantSession, name: str) -> None:
    async with session.savepoint():
        await add(session, name)
        await session.fetchval("SELECT 1 / 0")


async def add_last_and_fail(session: TenantSession, name: str) -> None:
    async with session.savepoint():
        session.execute_last(ADD, session.claims.agency_id, name)
        raise KeyError


async def add_and_fail_at_the_end(db: Database, claims: Claims) -> None:
    async with db.session(claims) as session:
        await add(session, "undone")
        raise KeyError


async def test_what_fails_in_a_savepoint_leaves_the_rest_of_the_transaction(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    async with db.session(owner) as session:
        await add(session, "first")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await add_and_fail(session, "undone")
        await add(session, "last")
    assert await admin.fetchval(NAMES) == ["first", "last"]


async def test_a_savepoint_in_another_is_undone_alone(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    async with db.session(owner) as session, session.savepoint():
        await add(session, "outer")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await add_and_fail(session, "inner")
    assert await admin.fetchval(NAMES) == ["outer"]


async def test_what_a_failed_block_left_for_the_end_is_not_run(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    async with db.session(owner) as session:
        session.execute_last(ADD, owner.agency_id, "kept")
        with pytest.raises(KeyError):
            await add_last_and_fail(session, "undone")
    assert await admin.fetchval(NAMES) == ["kept"]


async def test_a_transaction_that_fails_takes_its_savepoints_with_it(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    with pytest.raises(KeyError):
        await add_and_fail_at_the_end(db, owner)
    assert await admin.fetchval(NAMES) is None
