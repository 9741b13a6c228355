"""A webhook is told of each change once, signed, until it takes it; and its log says how that went."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest
from fastapi import FastAPI
from standardwebhooks import Webhook, WebhookVerificationError

from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.crm.webhooks.fanout import Fanout
from gardenos.crm.webhooks.service import AGENT_TYPE, WAITS_S
from tests.support.local import eventually, local_installation, settings_for, signing_in
from tests.support.receiver import Received, Receiver, Says

from .conftest import MakeKey, WithToken

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

HOOKS = "/v1/webhooks"
LOCAL = {"webhooks_allow_http": True, "webhooks_allow_private": True}
ADD = "INSERT INTO leads (agency_id, first_name) SELECT $1, 'Ada' FROM generate_series(1, $2::integer)"
SOON = "UPDATE agent_tasks SET run_at = now() WHERE state = 'queued'"
SignIn: TypeAlias = Callable[[Claims], httpx.AsyncClient]


@pytest.fixture
def settings(server: PostgresServer, database_name: str) -> Settings:
    return settings_for(server.app(database_name), **LOCAL)


@pytest.fixture
def receiver() -> Generator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


@pytest.fixture
async def installation(settings: Settings) -> AsyncGenerator[FastAPI]:
    """The API, the orchestrator, and whoever delivers."""
    async with local_installation(settings, present=[AGENT_TYPE]) as app:
        yield app


@pytest.fixture
async def at_work(installation: FastAPI) -> AsyncGenerator[SignIn]:
    async with signing_in(installation) as client:
        yield client


async def make(api: httpx.AsyncClient, url: str, **fields: Any) -> dict[str, Any]:
    answer = await api.post(HOOKS, json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def next_of(receiver: Receiver) -> Received:
    return await asyncio.to_thread(receiver.received.get, timeout=15)


def data(received: Received) -> tuple[str, str, str]:
    said = json.loads(received.body)
    return said["data"]["entity"], said["data"]["id"], said["data"]["verb"]


async def log_of(
    api: httpx.AsyncClient, hook: dict[str, Any], holds: Callable[[list[Any]], bool]
) -> list[Any]:
    """The log of deliveries, once `holds` of it."""

    async def ask() -> list[Any]:
        return (await api.get(f"{HOOKS}/{hook['id']}/deliveries")).json()["items"]

    return await eventually(ask, holds)


async def test_a_change_is_delivered_signed_and_logged(
    at_work: SignIn, receiver: Receiver, owner: Claims
) -> None:
    api = at_work(owner)
    receiver.decide = lambda _: Says(200, body=b"thanks")
    hook = await make(api, receiver.url)
    lead = (await api.post("/v1/leads", json={"first_name": "Ada"})).json()
    came = await next_of(receiver)
    said = Webhook(hook["secret"]).verify(came.body, dict(came.headers))
    assert said["type"] == "leads.create"
    assert said["data"] == {"entity": "leads", "id": lead["id"], "verb": "create"}
    assert "Ada" not in came.body.decode()
    assert came.headers["host"] == f"127.0.0.1:{receiver.port}"
    [entry] = await log_of(api, hook, lambda log: bool(log) and log[0]["state"] == "delivered")
    assert (entry["status"], entry["answer"], entry["tries"]) == (200, "thanks", 1)
    assert entry["took_ms"] >= 0
    assert came.headers["webhook-id"] == "msg_" + entry["id"].replace("-", "")


async def test_only_what_was_asked_for_is_delivered_to_whoever_is_active(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims, stranger: Claims
) -> None:
    api = at_work(owner)
    await make(api, f"{receiver.url}/deletes", verbs=["delete"])
    await make(api, f"{receiver.url}/deals", entities=["deals"])
    await make(api, f"{receiver.url}/off", active=False)
    await make(at_work(stranger), f"{receiver.url}/strangers")
    await admin.execute(ADD, owner.agency_id, 1)
    await admin.execute("UPDATE leads SET deleted_at = now()")
    came = await next_of(receiver)
    assert (came.path, data(came)[2]) == ("/hook/deletes", "delete")
    await eventually(
        lambda: admin.fetchval("SELECT count(*) FROM agent_tasks WHERE state <> 'succeeded'"),
        lambda waiting: waiting == 0,
    )
    assert len(receiver.all) == 1


async def test_each_change_is_handed_on_exactly_once_by_many_gateways(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    for path in ("a", "b"):
        await admin.execute(
            "INSERT INTO webhooks (agency_id, url, secret) VALUES ($1, $2, 'whsec_AAAA')",
            owner.agency_id,
            f"https://example.org/{path}",
        )
    gateways = [Fanout(db) for _ in range(4)]

    async def hand_on(gateway: Fanout) -> None:
        for _ in range(60):
            await gateway.advance()

    writing = asyncio.gather(*(hand_on(gateway) for gateway in gateways))
    for _ in range(20):
        await admin.execute(ADD, owner.agency_id, 5)
    await writing
    await gateways[0].advance()
    made = await admin.fetch(
        "SELECT webhook_id, count(*), count(DISTINCT seq) FROM webhook_deliveries GROUP BY 1"
    )
    assert [(row[1], row[2]) for row in made] == [(100, 100), (100, 100)]
    assert await admin.fetchval("SELECT count(*) FROM agent_tasks") == 200


async def test_a_handing_on_that_fails_hands_on_nothing_and_is_repeated(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute(
        "INSERT INTO webhooks (agency_id, url, secret) VALUES ($1, 'https://example.org', 'whsec_AAAA')",
        owner.agency_id,
    )
    await admin.execute(ADD, owner.agency_id, 3)
    await admin.execute(
        "ALTER TABLE agent_tasks ADD CONSTRAINT none CHECK (agent_type <> 'webhook_delivery')"
    )
    fanout = Fanout(db)
    with pytest.raises(Exception, match="none"):
        await fanout.advance()
    assert await admin.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
    await admin.execute("ALTER TABLE agent_tasks DROP CONSTRAINT none")
    changes = await admin.fetchval("SELECT count(*) FROM outbox")
    assert await fanout.advance() == changes
    assert await admin.fetchval("SELECT count(*) FROM webhook_deliveries") == 3


async def test_it_is_tried_eight_times_and_then_given_up_and_can_be_replayed(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    receiver.decide = lambda _: Says(500, body=b"no" * 2000)
    hook = await make(api, receiver.url)
    await admin.execute(ADD, owner.agency_id, 1)
    ids: set[str] = set()
    entry: dict[str, Any] = {}
    for number, planned in enumerate([*WAITS_S, None], start=1):
        ids.add((await next_of(receiver)).headers["webhook-id"])
        [entry] = await log_of(api, hook, lambda log, n=number: log[0]["tries"] == n)
        assert (entry["status"], entry["answer"]) == (500, "no" * 512)
        waits = await admin.fetchval(
            "SELECT extract(epoch FROM next_try_at - tried_at) FROM webhook_deliveries"
        )
        if planned is None:
            assert (entry["state"], waits) == ("failed", None)
        else:
            assert planned <= waits <= planned * 1.1
            await admin.execute(SOON)
            await admin.execute("SELECT pg_notify('gardenos_task_queued', 'webhook_delivery')")
    assert len(ids) == 1
    assert await admin.fetchval("SELECT state FROM agent_tasks") == "dead"
    receiver.decide = lambda _: Says()
    replay = f"{HOOKS}/{hook['id']}/deliveries/{entry['id']}/replay"
    assert (await api.post(replay)).status_code == 202
    assert (await next_of(receiver)).headers["webhook-id"] in ids
    await log_of(api, hook, lambda log: log[0]["state"] == "delivered")


async def test_a_receiver_says_when_to_come_back(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    receiver.decide = lambda _: Says(503, {"Retry-After": "4000"})
    hook = await make(api, receiver.url)
    await admin.execute(ADD, owner.agency_id, 1)
    await log_of(api, hook, lambda log: bool(log) and log[0]["tries"] == 1)
    waits = await admin.fetchval("SELECT extract(epoch FROM run_at - now()) FROM agent_tasks")
    assert 3900 < waits <= 4000


async def test_a_redirect_is_not_followed(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    receiver.decide = lambda _: Says(307, {"Location": f"{receiver.url}/elsewhere"})
    hook = await make(api, receiver.url)
    await admin.execute(ADD, owner.agency_id, 1)
    [entry] = await log_of(api, hook, lambda log: bool(log) and log[0]["tries"] == 1)
    assert (entry["status"], entry["state"]) == (307, "pending")
    assert "redirect" in entry["error"]
    assert [came.path for came in receiver.all] == ["/hook"]


async def test_a_receiver_that_is_gone_switches_its_webhook_off(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    receiver.decide = lambda _: Says(410)
    hook = await make(api, receiver.url)
    await admin.execute(ADD, owner.agency_id, 1)
    await log_of(api, hook, lambda log: bool(log) and log[0]["state"] == "failed")
    found = await api.get(f"{HOOKS}/{hook['id']}")
    assert found.json()["active"] is False


async def test_nobody_there_is_a_sentence_in_the_log(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    hook = await make(api, f"http://127.0.0.1:1/{'x' * 10}")
    await admin.execute(ADD, owner.agency_id, 1)
    [entry] = await log_of(api, hook, lambda log: bool(log) and log[0]["tries"] == 1)
    assert entry["status"] is None
    assert entry["error"].startswith("It could not be reached")


async def test_a_test_is_delivered_and_says_what_it_is(
    at_work: SignIn, receiver: Receiver, owner: Claims
) -> None:
    api = at_work(owner)
    hook = await make(api, receiver.url, entities=["deals"])
    sent = await api.post(f"{HOOKS}/{hook['id']}/test", headers={"Idempotency-Key": "t"})
    again = await api.post(f"{HOOKS}/{hook['id']}/test", headers={"Idempotency-Key": "t"})
    assert (sent.status_code, again.json()) == (202, sent.json())
    came = await next_of(receiver)
    assert json.loads(came.body)["type"] == "webhook.test"
    await log_of(api, hook, lambda log: len(log) == 1 and log[0]["state"] == "delivered")


async def test_a_new_secret_and_the_old_one_both_sign_for_a_day(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    hook = await make(api, receiver.url)
    rotated = (await api.post(f"{HOOKS}/{hook['id']}/rotate-secret")).json()
    assert rotated["secret"] != hook["secret"]
    await api.post(f"{HOOKS}/{hook['id']}/test")
    came = await next_of(receiver)
    for secret in (hook["secret"], rotated["secret"]):
        Webhook(secret).verify(came.body, dict(came.headers))
    await admin.execute("UPDATE webhooks SET old_secret_until = now() - interval '1 second'")
    await api.post(f"{HOOKS}/{hook['id']}/test")
    came = await next_of(receiver)
    Webhook(rotated["secret"]).verify(came.body, dict(came.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(hook["secret"]).verify(came.body, dict(came.headers))


async def test_a_webhook_deleted_meanwhile_is_not_sent_to(
    at_work: SignIn, receiver: Receiver, admin: AdminConnection, owner: Claims
) -> None:
    api = at_work(owner)
    receiver.decide = lambda _: Says(500)
    hook = await make(api, receiver.url)
    await admin.execute(ADD, owner.agency_id, 1)
    await log_of(api, hook, lambda log: bool(log) and log[0]["tries"] == 1)
    assert (await api.delete(f"{HOOKS}/{hook['id']}")).status_code == 204
    await admin.execute(SOON)
    await admin.execute("SELECT pg_notify('gardenos_task_queued', 'webhook_delivery')")
    await eventually(
        lambda: admin.fetchval("SELECT state FROM agent_tasks"), lambda state: state == "cancelled"
    )
    assert len(receiver.all) == 1


async def test_the_secret_is_shown_once(
    api: httpx.AsyncClient, receiver: Receiver, admin: AdminConnection
) -> None:
    body = {"url": receiver.url}
    first = await api.post(HOOKS, json=body, headers={"Idempotency-Key": "w"})
    again = await api.post(HOOKS, json=body, headers={"Idempotency-Key": "w"})
    secret = first.json()["secret"]
    assert again.json() == first.json() | {"secret": None}
    hook = first.headers["Location"]
    for path in (HOOKS, hook):
        assert secret not in (await api.get(path)).text
    assert secret.encode() not in await admin.fetchval("SELECT body FROM idempotency_keys")


async def test_a_webhook_is_changed_by_who_has_its_version(
    api: httpx.AsyncClient, receiver: Receiver
) -> None:
    hook = await make(api, receiver.url, entities=["leads"])
    where = f"{HOOKS}/{hook['id']}"
    changed = await api.patch(
        where, json={"entities": None, "active": False}, headers={"If-Match": '"1"'}
    )
    assert (
        changed.json() | {"entities": None, "active": False, "url": hook["url"]} == changed.json()
    )
    assert (
        await api.patch(where, json={"active": True}, headers={"If-Match": '"1"'})
    ).status_code == 412
    assert (await api.patch(where, json={"active": True})).status_code == 428
    same = await api.get(where, headers={"If-None-Match": changed.headers["ETag"]})
    assert same.status_code == 304


async def test_webhooks_are_their_agencys_and_those_who_run_it(
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    sign_in: SignIn,
    receiver: Receiver,
    agent: Claims,
) -> None:
    hook = await make(api, receiver.url)
    where = f"{HOOKS}/{hook['id']}"
    assert (await outsider.get(HOOKS)).json()["items"] == []
    for client, status in ((outsider, 404), (sign_in(agent), 403)):
        asked = [
            await client.get(where),
            await client.delete(where),
            await client.patch(where, json={"active": False}, headers={"If-Match": "*"}),
            await client.post(f"{where}/test"),
            await client.post(f"{where}/rotate-secret"),
            await client.get(f"{where}/deliveries"),
            await client.post(f"{where}/deliveries/{hook['id']}/replay"),
        ]
        assert {answer.status_code for answer in asked} == {status}
    assert (await api.get(where)).status_code == 200


async def test_a_key_needs_the_scope_of_webhooks(make_key: MakeKey, with_token: WithToken) -> None:
    program = with_token((await make_key("leads:write"))["key"])
    assert (await program.get(HOOKS)).status_code == 403
