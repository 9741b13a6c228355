"""A task's progress as server-sent events, over a real port; and what following tasks costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from gardenos.ai.answers import WAITER
from gardenos.core.errors import DatabaseUnavailable, RateLimited, Unavailable
from gardenos.core.ids import AgencyId
from gardenos.db.session import Database, Role, Session, TenantSession
from gardenos.observability import events
from gardenos.observability.events import StreamClosed, StreamOpened
from gardenos.orchestrator import store
from gardenos.orchestrator.task import NewTask
from gardenos.orchestrator.waiters import Room, TaskWaiter
from gardenos.sdk import AsyncGardenOS, GardenOS
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.testing.postgres import make_member
from tests.support.local import eventually, settings_for, signing_in
from tests.support.serving import served

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.core.ids import TaskId
    from gardenos.testing.postgres import AdminConnection, PostgresServer

SOON_S = 0.05
BEGIN = """
UPDATE agent_tasks
   SET state = 'running', fence = fence + 1, leased_by = 'x', started_at = now(),
       lease_until = now() + interval '1 hour'
 WHERE id = $1
"""
FAIL = """
UPDATE agent_tasks
   SET state = 'queued', attempt = attempt + 1, leased_by = NULL, lease_until = NULL
 WHERE id = $1
"""
MARK = "UPDATE agent_tasks SET cancel_requested_at = now() WHERE id = $1"
END = """
UPDATE agent_tasks
   SET state = 'succeeded', finished_at = now(), result = '{"n": 1}', leased_by = NULL, lease_until = NULL
 WHERE id = $1
"""


class CountingDatabase(Database):
    """A database that counts its sessions by kind, and can be away for the system's own."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.pool)
        self.reads = self.looks = 0
        self.away = False

    @asynccontextmanager
    async def session(
        self, claims: Claims, *, role: Role = Role.AUTHENTICATED
    ) -> AsyncGenerator[TenantSession]:
        self.reads += 1
        async with super().session(claims, role=role) as session:
            yield session

    @asynccontextmanager
    async def system(self, role: Role) -> AsyncGenerator[Session]:
        self.looks += 1
        if self.away:
            raise DatabaseUnavailable
        async with super().system(role) as session:
            yield session


@pytest.fixture
def counting(db: Database) -> CountingDatabase:
    return CountingDatabase(db)


@pytest.fixture
async def waiter(
    counting: CountingDatabase, server: PostgresServer, database_name: str
) -> AsyncGenerator[TaskWaiter]:
    waiter = TaskWaiter(counting, server.app(database_name), recheck_s=SOON_S)
    waiter.start()
    try:
        yield waiter
    finally:
        await waiter.stop()


@pytest.fixture
def app(db: Database, server: PostgresServer, database_name: str, waiter: TaskWaiter) -> FastAPI:
    """The API alone: a task changes when the test says so."""
    settings = settings_for(server.app(database_name))
    return create_api(compose(settings, db, extras={WAITER: waiter}))


@dataclass
class Streams:
    """Clients of the served application, by claims."""

    url: str
    headers: Callable[[Claims], Any]
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def client(self, claims: Claims) -> httpx.AsyncClient:
        made = httpx.AsyncClient(base_url=self.url, headers=self.headers(claims), timeout=15)
        self.stack.push_async_callback(made.aclose)
        return made


@pytest.fixture
async def streams(app: FastAPI) -> AsyncGenerator[Streams]:
    async with signing_in(app) as sign_in, served(app) as url, AsyncExitStack() as stack:
        yield Streams(url, lambda claims: dict(sign_in(claims).headers), stack)


async def new_task(db: Database, claims: Claims) -> TaskId:
    async with db.session(claims) as session:
        [view] = await store.enqueue(session, [NewTask("lead_analysis", {"lead_data": {}})])
    return view.id


def path(task_id: TaskId) -> str:
    return f"/ai/tasks/{task_id}/events"


async def said(response: httpx.Response) -> AsyncIterator[tuple[str, str, Any]]:
    """The events of a stream: name, id, and the task as it was told."""
    told: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            told[name] = value
        elif "data" in told:
            yield told["event"], told["id"], json.loads(told["data"])
            told = {}


async def test_each_change_is_an_event_and_the_last_one_ends_the_stream(
    streams: Streams, db: Database, admin: AdminConnection, owner: Claims
) -> None:
    task_id = await new_task(db, owner)
    async with streams.client(owner).stream("GET", path(task_id)) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        seen = said(response)
        assert (await anext(seen))[:2] == ("queued", "0.queued")
        for sql, name, event_id in (
            (BEGIN, "running", "1.running"),
            (FAIL, "retrying", "1.retrying"),
            (BEGIN, "running", "2.running"),
            (MARK, "cancelling", "2.cancelling"),
            (END, "finished", "2.succeeded"),
        ):
            await admin.execute(sql, task_id)
            event, found_id, told = await anext(seen)
            assert (event, found_id) == (name, event_id)
        assert (told["state"], told["result"]) == ("succeeded", {"n": 1})
        assert [each async for each in seen] == []


async def test_a_follower_goes_on_where_it_broke_off(
    streams: Streams, db: Database, admin: AdminConnection, owner: Claims
) -> None:
    task_id, client = await new_task(db, owner), streams.client(owner)
    had = {"Last-Event-ID": "0.queued"}
    async with client.stream("GET", path(task_id), headers=had) as response:
        seen = said(response)
        await admin.execute(BEGIN, task_id)
        assert (await anext(seen))[1] == "1.running"
    await admin.execute(END, task_id)
    answer = await client.get(path(task_id), headers={"Last-Event-ID": "1.running"})
    assert "id: 1.succeeded" in answer.text
    over = await client.get(path(task_id), headers={"Last-Event-ID": "1.succeeded"})
    assert (over.status_code, over.content) == (204, b"")


async def test_a_stream_ends_when_its_time_is_over(
    streams: Streams, db: Database, owner: Claims
) -> None:
    task_id, client = await new_task(db, owner), streams.client(owner)
    answer = await client.get(path(task_id), params={"wait_s": 0.2})
    assert answer.status_code == 200
    assert answer.text.count("event:") == 1
    for wait_s in ("-1", "601", "nan"):
        assert (await client.get(path(task_id), params={"wait_s": wait_s})).status_code == 400


async def test_only_the_agency_and_operators_follow(
    streams: Streams, db: Database, admin: AdminConnection, owner: Claims, stranger: Claims
) -> None:
    task_id = await new_task(db, owner)
    refused = await streams.client(stranger).get(path(task_id))
    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"
    operator = streams.client(await make_member(admin, operator=True))
    answer = await operator.get(path(task_id), params={"wait_s": 0})
    assert "event: queued" in answer.text


async def test_who_goes_away_leaves_nothing_behind(
    streams: Streams, db: Database, waiter: TaskWaiter, owner: Claims
) -> None:
    noted: list[events.Event] = []
    # Kept: one that is let go of closes its response.
    open_streams: list[AsyncIterator[tuple[str, str, Any]]] = []
    forget = events.subscribe(noted.append)
    try:
        tasks = [await new_task(db, owner) for _ in range(3)]
        async with AsyncExitStack() as stack:
            client = streams.client(owner)
            for task_id in tasks:
                response = await stack.enter_async_context(client.stream("GET", path(task_id)))
                open_streams.append(said(response))
                assert (await anext(open_streams[-1]))[0] == "queued"
            assert (waiter.followed, waiter.streams.taken) == (3, 3)

        async def left() -> tuple[int, int]:
            return waiter.followed, waiter.streams.taken

        await eventually(left, lambda left: left == (0, 0))
    finally:
        forget()
    kinds = [type(event) for event in noted if isinstance(event, StreamOpened | StreamClosed)]
    assert sorted(kinds, key=str) == [StreamClosed] * 3 + [StreamOpened] * 3


async def test_streams_are_bounded_by_agency_and_in_all_and_room_comes_back(
    streams: Streams, db: Database, waiter: TaskWaiter, owner: Claims, stranger: Claims
) -> None:
    waiter.streams = Room(2, 1)
    ours, theirs = await new_task(db, owner), await new_task(db, stranger)
    client, other = streams.client(owner), streams.client(stranger)

    async def now(asks: httpx.AsyncClient, task_id: TaskId) -> httpx.Response:
        return await asks.get(path(task_id), params={"wait_s": 0})

    async with client.stream("GET", path(ours)) as first:
        seen = said(first)
        await anext(seen)
        refused = await now(client, ours)
        assert refused.status_code == 429
        assert "follows 1 tasks here already" in refused.json()["detail"]
        assert refused.headers["retry-after"] == "5"
        async with other.stream("GET", path(theirs)) as second:
            seen_too = said(second)
            await anext(seen_too)
            waiter.streams = Room(0, 1)
            full = await now(other, theirs)
            assert full.status_code == 503
            assert "has 0 streams open already" in full.json()["detail"]
    waiter.streams = Room(1, 1)
    assert (await now(client, ours)).status_code == 200
    assert (await now(client, ours)).status_code == 200


def test_a_place_is_given_back_whatever_happens(owner: Claims, stranger: Claims) -> None:
    room = Room(2, 1)
    with room.place(owner.agency_id), pytest.raises(RateLimited), room.place(owner.agency_id):
        pass
    with (
        room.place(owner.agency_id),
        room.place(stranger.agency_id),
        pytest.raises(Unavailable),
        room.place(AgencyId(uuid4())),
    ):
        pass
    assert room.taken == 0


@pytest.mark.parametrize("kind", [GardenOS, AsyncGardenOS])
async def test_a_client_follows_to_the_end(
    streams: Streams,
    db: Database,
    admin: AdminConnection,
    owner: Claims,
    kind: type[GardenOS | AsyncGardenOS],
) -> None:
    task_id = await new_task(db, owner)
    token = streams.headers(owner)["authorization"].removeprefix("Bearer ")
    seen: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def follow() -> None:
        with GardenOS(streams.url, token=token) as garden:
            for task in garden.tasks.follow(task_id):
                loop.call_soon_threadsafe(seen.put_nowait, task.state)

    async def afollow() -> None:
        async with AsyncGardenOS(streams.url, token=token) as garden:
            async for task in garden.tasks.follow(task_id):
                seen.put_nowait(task.state)

    following = asyncio.to_thread(follow) if kind is GardenOS else afollow()
    task = asyncio.create_task(following)
    assert await seen.get() == "queued"
    for sql, state in ((BEGIN, "running"), (END, "succeeded")):
        await admin.execute(sql, task_id)
        assert await seen.get() == state
    await task


# -- what following costs --------------------------------------------------------------------


async def test_many_followers_cost_one_statement_a_look_and_a_read_for_each_change(
    counting: CountingDatabase,
    waiter: TaskWaiter,
    db: Database,
    admin: AdminConnection,
    owner: Claims,
) -> None:
    tasks = [await new_task(db, owner) for _ in range(4)]
    waits = [
        asyncio.create_task(waiter.wait(owner, task_id, timeout_s=30))
        for task_id in tasks
        for _ in range(10)
    ]

    async def reads() -> int:
        return counting.reads

    await eventually(reads, lambda reads: reads == 40)
    before = counting.looks

    async def looks() -> int:
        return counting.looks - before

    await eventually(looks, lambda looks: looks >= 5)
    assert counting.reads == 40
    await admin.execute(BEGIN, tasks[0])
    await admin.execute(END, tasks[0])
    ended = await asyncio.gather(*waits[:10])
    assert {view.state.value for view in ended} == {"succeeded"}
    assert counting.reads <= 60  # the beginning may have been seen before the end
    for wait in waits[10:]:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    assert waiter.followed == 0


async def test_a_wait_outlives_a_database_that_is_away_for_a_while(
    counting: CountingDatabase,
    waiter: TaskWaiter,
    db: Database,
    admin: AdminConnection,
    owner: Claims,
) -> None:
    task_id = await new_task(db, owner)
    counting.away = True
    wait = asyncio.create_task(waiter.wait(owner, task_id, timeout_s=30))

    async def looks() -> int:
        return counting.looks

    await eventually(looks, lambda looks: looks >= 2)
    await admin.execute(BEGIN, task_id)
    await admin.execute(END, task_id)
    assert not wait.done()
    counting.away = False
    assert (await wait).state.value == "succeeded"
