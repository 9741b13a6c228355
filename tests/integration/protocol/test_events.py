"""`/events` tells every change once and in order, to those who may read the record, by id alone."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import httpx
import psutil
import pytest
from fastapi import FastAPI

from gardenos.auth.tokens import TokenIssuer
from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.crm.feed import hub as hubs
from gardenos.crm.feed.hub import Hub
from gardenos.crm.feed.routes import HUB
from gardenos.crm.webhooks.fanout import Fanout
from gardenos.sdk.events import Event
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from tests.support.local import SOON_S
from tests.support.serving import served
from tests.support.streams import StreamClient, following

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

CLIENTS = 2000
TokenOf: TypeAlias = Callable[[Claims], str]
ADD = "INSERT INTO leads (agency_id, first_name) VALUES ($1, 'Ada') RETURNING id"


@pytest.fixture
async def hub(db: Database, settings: Settings) -> AsyncGenerator[Hub]:
    assert settings.database_url is not None
    hub = Hub(db, settings.database_url.get_secret_value(), poll_s=0.2)
    hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


@pytest.fixture
def live(settings: Settings, db: Database, hub: Hub) -> FastAPI:
    unlimited = {"rate_limit_agency": 0, "rate_limit_user": 0}
    return create_api(compose(settings.model_copy(update=unlimited), db, extras={HUB: hub}))


@pytest.fixture
def token_of(live: FastAPI) -> TokenOf:
    issuer: TokenIssuer = live.state.services.extras["issuer"]

    def token(claims: Claims) -> str:
        return issuer.issue(json.loads(claims.json), ttl_s=600).token

    return token


async def add(admin: AdminConnection, claims: Claims, times: int = 1) -> list[str]:
    """Leads of an agency, each in a transaction of its own; their ids."""
    return [str(await admin.fetchval(ADD, claims.agency_id)) for _ in range(times)]


async def begun(client: StreamClient) -> Event:
    """The first event, which says from where on they come."""
    event = await client.next()
    assert event.name == "ready"
    return event


def record(event: Event) -> tuple[str, str, str]:
    said = json.loads(event.data)
    return said["entity"], said["id"], said["verb"]


async def test_changes_are_told_in_order_by_id_alone(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims
) -> None:
    async with following(live, token_of(owner)) as client:
        await begun(client)
        [lead] = await add(admin, owner)
        await admin.execute("UPDATE leads SET first_name = 'Eve'")
        await admin.execute("UPDATE leads SET deleted_at = now()")
        await admin.execute("UPDATE leads SET deleted_at = NULL")
        told = [await client.next() for _ in range(4)]
    assert [record(event) for event in told] == [
        ("leads", lead, verb) for verb in ("create", "update", "delete", "restore")
    ]
    assert len({event.id for event in told}) == 4
    assert {frozenset(json.loads(event.data)) for event in told} == {
        frozenset({"entity", "id", "verb", "at"})
    }


async def test_agencies_hear_nothing_of_each_other(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims, stranger: Claims
) -> None:
    async with (
        following(live, token_of(owner)) as ours,
        following(live, token_of(stranger)) as theirs,
    ):
        await begun(ours)
        await begun(theirs)
        [our_lead], [their_lead] = await add(admin, owner), await add(admin, stranger)
        assert record(await ours.next())[1] == our_lead
        assert record(await theirs.next())[1] == their_lead
        assert (ours.events.empty(), theirs.events.empty()) == (True, True)


async def test_who_comes_back_hears_what_happened_meanwhile_once(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims
) -> None:
    token = token_of(owner)
    async with following(live, token) as client:
        ready = await begun(client)
        before = await add(admin, owner, 2)
        assert [record(await client.next())[1] for _ in before] == before
        last = client.last_id
    missed = await add(admin, owner, 3)
    async with following(live, token, last=last) as again:
        after = await add(admin, owner)
        assert [record(await again.next())[1] for _ in range(4)] == missed + after
    async with following(live, token, last=ready.id) as all_of_it:
        heard = [record(await all_of_it.next())[1] for _ in range(6)]
    assert heard == before + missed + after


async def test_another_gateway_goes_on_where_one_left_off(
    live: FastAPI, token_of: TokenOf, db: Database, admin: AdminConnection, owner: Claims
) -> None:
    lagging = Hub(db, "postgresql://nobody@127.0.0.1:1/none", poll_s=0.2)
    services = live.state.services
    other = create_api(
        compose(services.settings, db, extras={HUB: lagging, "issuer": services.extras["issuer"]})
    )
    token = token_of(owner)
    lagging.start()
    async with following(live, token) as client:
        await begun(client)
        await add(admin, owner)
        await client.next()
        async with following(other, token, last=client.last_id) as there:
            [lead] = await add(admin, owner)
            assert record(await there.next())[1] == lead
    await lagging.stop()


async def test_an_open_transaction_is_waited_for_and_its_changes_are_not_lost(
    live: FastAPI, token_of: TokenOf, settings: Settings, admin: AdminConnection, owner: Claims
) -> None:
    assert settings.database_url is not None
    slow = await asyncpg.connect(settings.database_url.get_secret_value())
    await slow.execute("SET ROLE authenticated")
    said = "SELECT set_config('request.jwt.claims', $1, false)"
    await slow.execute(said, owner.json)
    async with following(live, token_of(owner)) as client:
        await begun(client)
        async with slow.transaction():
            early = str(await slow.fetchval(ADD, owner.agency_id))
            [late] = await add(admin, owner)
        told = [record(await client.next())[1] for _ in range(2)]
    await slow.close()
    assert told == [early, late]


async def test_what_was_rolled_back_is_not_told(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims
) -> None:
    async with following(live, token_of(owner)) as client:
        await begun(client)
        undone = admin.transaction()
        await undone.start()
        await admin.fetchval(ADD, owner.agency_id)
        await undone.rollback()
        [lead] = await add(admin, owner)
        assert record(await client.next())[1] == lead


async def test_many_changes_of_one_transaction_are_told_each(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims
) -> None:
    many = "INSERT INTO leads (agency_id) SELECT $1 FROM generate_series(1, 3000)"
    async with following(live, token_of(owner)) as client:
        await begun(client)
        await admin.execute(many, owner.agency_id)
        told = {record(await client.next())[1] for _ in range(3000)}
    assert len(told) == 3000


async def test_only_the_kinds_asked_for_are_told(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims
) -> None:
    other = "INSERT INTO outbox (agency_id, entity, record_id, verb) VALUES ($1, 'deals', 'd', 'create')"
    async with following(live, token_of(owner), "/events?entities=deals,contacts") as client:
        await begun(client)
        await add(admin, owner)
        await admin.execute(other, owner.agency_id)
        await admin.execute("SELECT pg_notify('gardenos_changes', '')")
        # What is no record of a table that they can read is told to nobody.
        assert client.events.empty()
    async with following(live, token_of(owner), "/events?entities=leads") as client:
        await begun(client)
        [lead] = await add(admin, owner)
        assert record(await client.next())[1] == lead


async def test_who_reads_only_their_own_hears_only_of_their_own(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims, agent: Claims
) -> None:
    await admin.execute(
        "CREATE OR REPLACE FUNCTION app.reads_all(entity text) RETURNS boolean LANGUAGE sql STABLE "
        "RETURN app.user_role() = 'owner'"
    )
    await admin.execute(
        "ALTER POLICY leads_select ON leads USING (agency_id = (SELECT app.agency_id()) AND "
        "((SELECT app.user_role()) = 'owner' OR owner_id = (SELECT app.user_id())))"
    )
    owned = "INSERT INTO leads (agency_id, owner_id) VALUES ($1, $2) RETURNING id"
    async with following(live, token_of(owner)) as all_, following(live, token_of(agent)) as own:
        await begun(all_)
        await begun(own)
        others = str(await admin.fetchval(owned, owner.agency_id, owner.sub))
        theirs = str(await admin.fetchval(owned, owner.agency_id, agent.sub))
        assert [record(await all_.next())[1] for _ in range(2)] == [others, theirs]
        assert record(await own.next())[1] == theirs
        assert own.events.empty()


async def test_a_key_hears_of_what_its_scopes_reach(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims
) -> None:
    transport = httpx.ASGITransport(live)
    headers = {"Authorization": f"Bearer {token_of(owner)}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://g", headers=headers) as api:
        keys = [
            (await api.post("/v1/api-keys", json={"name": "k", "scopes": [scope]})).json()["key"]
            for scope in ("contacts:read", "leads:read")
        ]
    async with following(live, keys[0]) as deaf, following(live, keys[1]) as hears:
        await begun(deaf)
        await begun(hears)
        [lead] = await add(admin, owner)
        assert record(await hears.next())[1] == lead
        assert deaf.events.empty()


async def test_a_gap_is_said(
    live: FastAPI, token_of: TokenOf, db: Database, admin: AdminConnection, owner: Claims
) -> None:
    hub: Hub = live.state.services.extras[HUB]
    token = token_of(owner)
    async with following(live, token) as client:
        ready = await begun(client)
    await add(admin, owner, 2)
    aged = await admin.execute("UPDATE outbox SET at = now() - interval '4 days'")
    kept = await add(admin, owner)
    # What webhooks were not told of yet stays, however old it is.
    assert await hub.prune() == 0
    await Fanout(db).advance()
    assert f"UPDATE {await hub.prune()}" == aged
    async with following(live, token, last=ready.id) as client:
        resync = await client.next()
        assert resync.name == "resync"
        [lead] = await add(admin, owner)
        assert record(await client.next())[1] == lead
    assert await admin.fetchval(
        "SELECT array_agg(record_id) FROM outbox WHERE record_id = $1", kept[0]
    )


async def test_a_position_of_another_agency_or_of_nobody_is_refused(
    live: FastAPI, token_of: TokenOf, owner: Claims, stranger: Claims
) -> None:
    async with following(live, token_of(owner)) as client:
        theirs = (await begun(client)).id
    for last in (theirs, "1.2", "' OR true --"):
        async with following(live, token_of(stranger), last=last) as client:
            async with asyncio.timeout(SOON_S):
                assert client.task
                await client.task
            assert client.status == 400
            assert json.loads(client.body)["type"].endswith(":invalid-cursor")


async def test_a_position_after_the_end_of_the_feed_is_a_gap(
    live: FastAPI, token_of: TokenOf, owner: Claims
) -> None:
    ahead = live.state.services.cursors.seal(f"events:{owner.agency_id}", [2**40, 1])
    async with following(live, token_of(owner), last=ahead) as client:
        assert (await client.next()).name == "resync"


async def test_who_is_slow_costs_no_memory_and_misses_nothing(
    live: FastAPI, token_of: TokenOf, hub: Hub, admin: AdminConnection, owner: Claims
) -> None:
    token = token_of(owner)
    many = "INSERT INTO leads (agency_id) SELECT $1 FROM generate_series(1, $2::integer)"
    async with following(live, token) as quick, following(live, token, deaf=True) as slow:
        ready = await begun(quick)
        await slow.answered.wait()
        for _ in range(4):
            await admin.execute(many, owner.agency_id, hubs.RING)
        heard = {record(await quick.next())[1] for _ in range(4 * hubs.RING)}
        assert len(heard) == 4 * hubs.RING
        [ring] = hub._rings.values()  # pyright: ignore[reportPrivateUsage] its memory is what is measured
        assert len(ring.changes) < 2 * hubs.RING
    async with following(live, token, last=ready.id) as again:
        told = {record(await again.next())[1] for _ in range(4 * hubs.RING)}
    assert told == heard


async def test_an_agency_has_so_many_streams_and_no_more(
    live: FastAPI, token_of: TokenOf, owner: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "MOST_OF_AGENCY", 1)
    async with following(live, token_of(owner)) as first:
        await begun(first)
        async with following(live, token_of(owner)) as second:
            await second.answered.wait()
            assert second.status == 429
    async with following(live, token_of(owner)) as third:
        await begun(third)


async def test_a_stream_ends_when_its_time_is_over(
    live: FastAPI, token_of: TokenOf, owner: Claims
) -> None:
    async with following(live, token_of(owner), "/events?wait_s=0.3") as client:
        await begun(client)
        async with asyncio.timeout(SOON_S):
            assert client.task
            await client.task


async def test_it_streams_over_http(
    live: FastAPI, token_of: TokenOf, admin: AdminConnection, owner: Claims
) -> None:
    headers = {"Authorization": f"Bearer {token_of(owner)}"}
    async with (
        served(live) as url,
        httpx.AsyncClient(base_url=url, headers=headers) as http,
        http.stream("GET", "/events") as answer,
    ):
        lines = answer.aiter_lines()
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in lines:
            if line == "event: ready":
                break
        [lead] = await add(admin, owner)
        async for line in lines:
            if line.startswith("data: ") and lead in line:
                break


@pytest.mark.timeout(240)
async def test_thousands_of_clients_cost_little_memory_each(
    live: FastAPI, token_of: TokenOf, hub: Hub, admin: AdminConnection, owner: Claims
) -> None:
    token = token_of(owner)
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    async with AsyncExitStack() as stack:
        clients: list[StreamClient] = []
        for _ in range(CLIENTS):
            clients.append(await stack.enter_async_context(following(live, token)))
            await begun(clients[-1])
        assert hub.followers == CLIENTS
        gc.collect()
        each = (process.memory_info().rss - before) / CLIENTS
        [lead] = await add(admin, owner)
        told = [record(await client.next())[1] for client in clients]
        gc.collect()
        after = (process.memory_info().rss - before) / CLIENTS
    print(f"{CLIENTS} clients: {each / 1024:.1f} KiB each, {after / 1024:.1f} KiB after a change")
    assert set(told) == {lead}
    assert after < 150 * 1024
    assert hub.followers == 0


async def test_no_change_is_lost_or_told_twice_while_clients_come_and_go(
    live: FastAPI, token_of: TokenOf, server: PostgresServer, database_name: str, owner: Claims
) -> None:
    writers = [await asyncpg.connect(server.admin(database_name)) for _ in range(3)]
    token = token_of(owner)

    async def write(conn: Any) -> list[str]:
        return [str(await conn.fetchval(ADD, owner.agency_id)) for _ in range(60)]

    async def follow() -> list[str]:
        heard: list[str] = []
        last = first.id
        while len(heard) < 180:
            async with following(live, token, last=last) as client:
                for _ in range(min(25, 180 - len(heard))):
                    event = await client.next()
                    heard.append(record(event)[1])
                    last = event.id
        return heard

    async with following(live, token) as client:
        first = await begun(client)
    following_on = asyncio.create_task(follow())
    written = await asyncio.gather(*(write(conn) for conn in writers))
    heard = await following_on
    for conn in writers:
        await conn.close()
    assert sorted(heard) == sorted(lead for leads in written for lead in leads)
