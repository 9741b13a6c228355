"""What a session leaves behind, and what it says when the database goes away."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from gardenos.core.claims import Claims, UserRole
from gardenos.core.errors import Conflict, DatabaseUnavailable, GardenOSError
from gardenos.db.pool import open_database
from gardenos.db.session import Role

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

INSERT = "INSERT INTO leads (agency_id, external_id) VALUES ($1, $2)"


@pytest.fixture
async def db(server: PostgresServer, database_name: str) -> AsyncGenerator[Database]:
    """With one connection, so that what a session leaves behind is the next one's to find."""
    database = await open_database(
        server.app(database_name), min_size=1, max_size=1, name="test-sessions"
    )
    try:
        yield database
    finally:
        await database.pool.close()


async def leads(admin: AdminConnection) -> int:
    return await admin.fetchval("SELECT count(*) FROM leads")


async def somebody_waits(admin: AdminConnection) -> None:
    """Until a session of ours waits for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'test-sessions' AND wait_event_type = 'Lock'"
    )
    await AsyncRetrying(
        retry=retry_if_result(lambda count: not count),
        stop=stop_after_delay(15),
        wait=wait_fixed(0.01),
    )(admin.fetchval, waiting)


async def test_nothing_of_a_session_stays_on_its_connection(db: Database, owner: Claims) -> None:
    before = "SELECT current_user::text, current_setting('request.jwt.claims', true)"
    async with db.session(owner) as session:
        role, claims = await session.fetchrow(before) or ("", "")
        assert (role, json.loads(claims)["agency_id"]) == ("authenticated", str(owner.agency_id))
    with pytest.raises(Conflict):
        async with db.session(owner):
            raise Conflict
    async with db.pool.acquire() as conn:
        role, claims = await conn.fetchrow(before) or ("", "")
    assert role == "gardenos_app"
    assert not claims


async def test_claims_are_data_whatever_they_say(db: Database, owner: Claims) -> None:
    for said in ("o'brien@example.org", "'); DROP TABLE leads; --", 'a"b\\c', "ü☃\U0001f600"):
        claims = Claims.of(owner.sub, owner.agency_id, UserRole.AGENT, email=said)
        async with db.session(claims) as session:
            assert await session.fetchval("SELECT app.claims() ->> 'email'") == said
            assert await session.fetchval("SELECT count(*) FROM leads") == 0


async def test_a_block_that_raises_stores_nothing(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    async def insert_and_raise(error: Exception) -> None:
        async with db.session(owner) as session:
            await session.execute(INSERT, owner.agency_id, "1")
            raise error

    # Of the block, not of the database: nobody is told that the database is away.
    for error in (OSError("the disk is full"), TimeoutError("too late"), Conflict("taken")):
        with pytest.raises(type(error), match=str(error)):
            await insert_and_raise(error)
    assert await leads(admin) == 0


async def test_a_failure_that_was_passed_over_is_not_taken_for_success(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    async def pass_over() -> None:
        async with db.session(owner) as session:
            await session.execute(INSERT, owner.agency_id, "1")
            with pytest.raises(asyncpg.UniqueViolationError):
                await session.execute(INSERT, owner.agency_id, "1")

    with pytest.raises(GardenOSError, match="Nothing was stored"):
        await pass_over()
    assert await leads(admin) == 0


async def test_a_cancelled_statement_leaves_the_connection_fit_for_the_next(
    db: Database, admin: AdminConnection, owner: Claims, stranger: Claims
) -> None:
    async def change() -> None:
        async with db.session(owner) as session:
            await session.execute(INSERT, owner.agency_id, "1")
            await session.execute("UPDATE agencies SET name = 'New'")

    async with admin.transaction():
        await admin.execute("SELECT FROM agencies WHERE id = $1 FOR UPDATE", owner.agency_id)
        changing = asyncio.create_task(change())
        await somebody_waits(admin)
        changing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await changing
    async with db.session(stranger) as session:
        await session.execute(INSERT, stranger.agency_id, "2")
        assert await session.fetchval("SELECT count(*) FROM leads") == 1
    assert await admin.fetchval("SELECT array_agg(external_id) FROM leads") == ["2"]


async def test_cancelled_at_any_moment_a_session_leaves_no_transaction_open(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))

    async def insert(number: int) -> None:
        async with db.session(owner) as session:
            await session.execute(INSERT, owner.agency_id, f"n{number}")

    done = False
    for turns in itertools.count(step=5):
        if done:
            break
        inserting = asyncio.create_task(insert(turns))
        for _ in range(turns):
            await asyncio.sleep(0)
        done = inserting.done()
        inserting.cancel()
        await asyncio.gather(inserting, return_exceptions=True)
        stored = await leads(admin)
        async with db.session(owner) as session:
            assert await session.fetchval("SELECT count(*) FROM leads") == stored
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    assert await admin.fetchval(open_ones) == 0
    assert complaints == []


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "ends"])
async def test_a_connection_cut_in_the_middle_is_unavailable_and_the_next_session_works(
    db: Database, admin: AdminConnection, owner: Claims, goes_on: bool
) -> None:
    async def be_cut_off() -> None:
        async with db.session(owner) as session:
            await session.execute(INSERT, owner.agency_id, "1")
            pid = await session.fetchval("SELECT pg_backend_pid()")
            await admin.execute("SELECT pg_terminate_backend($1, 15000)", pid)
            if goes_on:
                await session.execute(INSERT, owner.agency_id, "2")

    with pytest.raises(DatabaseUnavailable) as unavailable:
        await be_cut_off()
    assert unavailable.value.retry_after_s == 1
    async with db.session(owner) as session:
        assert await session.fetchval("SELECT count(*) FROM leads") == 0


async def test_connections_cut_while_idle_cost_no_more_than_one_answer(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    cut = (
        "SELECT count(pg_terminate_backend(pid, 15000)) FROM pg_stat_activity"
        " WHERE application_name = 'test-sessions'"
    )
    assert await admin.fetchval(cut) == 1
    answers: list[int | DatabaseUnavailable] = []
    for _ in range(2):
        try:
            async with db.session(owner) as session:
                answers.append(await session.fetchval("SELECT 1"))
        except DatabaseUnavailable as error:
            answers.append(error)
    assert answers[-1] == 1


async def test_a_closed_pool_is_unavailable(db: Database, owner: Claims) -> None:
    await db.pool.close()
    with pytest.raises(DatabaseUnavailable):
        async with db.session(owner):
            pytest.fail("there is no connection to have a session on")
    with pytest.raises(DatabaseUnavailable):
        async with db.system(Role.WORKER):
            pytest.fail("there is no connection to have a session on")
