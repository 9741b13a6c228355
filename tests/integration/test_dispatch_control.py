"""Pauses and limits through HTTP: who may set which, what they say, what is written down."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gardenos.core.claims import UserRole
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.testing.postgres import make_member
from tests.support.local import settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection, PostgresServer

PAUSES, LIMITS, ACTIONS = "/ai/pauses", "/ai/limits", "/ai/operator-actions"
TYPE = {"agent_type": "lead_analysis"}
WHOLE_TYPE = TYPE | {"every_agency": "true"}


@pytest.fixture
def app(db: Database, server: PostgresServer, database_name: str) -> FastAPI:
    return create_api(compose(settings_for(server.app(database_name)), db))


@pytest.fixture
async def sign_in(app: FastAPI) -> AsyncGenerator[Callable[[Claims], httpx.AsyncClient]]:
    async with signing_in(app) as client:
        yield client


@pytest.fixture
async def operator(admin: AdminConnection) -> Claims:
    return await make_member(admin, operator=True)


@pytest.fixture
def operating(
    sign_in: Callable[[Claims], httpx.AsyncClient], operator: Claims
) -> httpx.AsyncClient:
    return sign_in(operator)


async def items(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def actions(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    return [(each["action"], each["target"]) for each in await items(client, ACTIONS)]


async def count(admin: AdminConnection) -> int:
    rows: int = await admin.fetchval(
        "SELECT (SELECT count(*) FROM dispatch_pauses) + (SELECT count(*) FROM dispatch_limits)"
    )
    return rows


# -- pauses ----------------------------------------------------------------------------------


async def test_an_administrator_pauses_the_agency_and_one_type_of_its_work(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, owner: Claims, operating: httpx.AsyncClient
) -> None:
    answer = await api.put(PAUSES, json={"reason": "We clean up"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["agency_id"], told["agent_type"]) == (str(owner.agency_id), None)
    assert (told["reason"], told["set_by"]) == ("We clean up", str(owner.sub))
    assert (await api.put(PAUSES, params=TYPE, json={})).json()["agent_type"] == "lead_analysis"
    again = await api.put(PAUSES, json={"reason": "Still"})
    assert again.json()["reason"] == "Still"
    assert [each["agent_type"] for each in await items(api, PAUSES)] == [None, "lead_analysis"]
    assert await items(outsider, PAUSES) == []
    assert len(await items(operating, PAUSES)) == 2
    for params in ({}, TYPE):
        assert (await api.delete(PAUSES, params=params)).status_code == 204
    gone = await api.delete(PAUSES)
    assert gone.status_code == 404
    assert gone.json()["detail"] == f"Nothing is paused there: agency {owner.agency_id}."
    assert await actions(operating) == []


async def test_an_operator_pauses_a_type_and_an_agency_and_it_is_written_down(
    operating: httpx.AsyncClient, api: httpx.AsyncClient, owner: Claims
) -> None:
    agency = {"agency_id": str(owner.agency_id)}
    for params in (WHOLE_TYPE, agency, agency | TYPE):
        assert (await operating.put(PAUSES, params=params, json={})).status_code == 200
    assert (await operating.delete(PAUSES, params=WHOLE_TYPE)).status_code == 204
    assert await actions(operating) == [
        ("resume", "agents lead_analysis"),
        ("pause", f"agents lead_analysis of agency {owner.agency_id}"),
        ("pause", f"agency {owner.agency_id}"),
        ("pause", "agents lead_analysis"),
    ]
    refused = await api.delete(PAUSES)
    assert refused.status_code == 403
    assert refused.json()["detail"] == (
        "An operator of this installation paused this. Ask them to resume it."
    )
    assert (await api.put(PAUSES, json={})).status_code == 403
    assert (await operating.delete(PAUSES, params=agency)).status_code == 204


async def test_the_status_says_what_stands_still_by_whomever(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, operating: httpx.AsyncClient
) -> None:
    later = {"run_at": "2027-06-01T00:00:00Z", "payload": {"lead_data": {}}}

    async def paused(client: httpx.AsyncClient) -> dict[str, bool]:
        told = (await client.get("/ai/status")).json()["agents"]
        return {name: pool["paused"] for name, pool in told.items()}

    for client in (api, outsider):
        for name in ("lead_analysis", "follow_up"):
            made = await client.post("/ai/tasks", json=later | {"agent_type": name})
            assert made.status_code == 202, made.text
    assert await paused(api) == {"lead_analysis": False, "follow_up": False}
    await operating.put(PAUSES, params=WHOLE_TYPE, json={"reason": "Not for members to read"})
    assert await paused(outsider) == {"lead_analysis": True, "follow_up": False}
    await api.put(PAUSES, json={})
    assert await paused(api) == {"lead_analysis": True, "follow_up": True}
    assert await paused(outsider) == {"lead_analysis": True, "follow_up": False}


# -- limits ----------------------------------------------------------------------------------


async def test_an_operator_limits_an_agency_which_reads_its_own(
    operating: httpx.AsyncClient,
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
) -> None:
    agency = {"agency_id": str(owner.agency_id)}
    wanted = {"weight": 3, "max_running": 10, "monthly_usd": "12.50"}
    answer = await operating.put(LIMITS, params=agency, json=wanted)
    assert answer.status_code == 200, answer.text
    await operating.put(LIMITS, params=agency | TYPE, json={"requests_per_minute": 60})
    await operating.put(LIMITS, params=WHOLE_TYPE, json={"tokens_per_minute": 100_000})
    await admin.execute(
        "INSERT INTO llm_spend (agency_id, month, cost_usd) VALUES"
        " ($1, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1.25), ($1, '2020-01-01', 99)",
        owner.agency_id,
    )
    whole, of_type = await items(api, LIMITS)
    assert (whole["weight"], whole["max_running"], whole["monthly_usd"]) == (3, 10, "12.50")
    assert whole["spent_usd"] == "1.250000000"
    assert (of_type["requests_per_minute"], of_type["spent_usd"]) == (60, None)
    assert await items(outsider, LIMITS) == []
    assert len(await items(operating, LIMITS)) == 3
    changed = await operating.put(LIMITS, params=agency, json={"max_running": 5})
    assert (changed.json()["weight"], changed.json()["monthly_usd"]) == (1, None)
    assert (await operating.delete(LIMITS, params=agency)).status_code == 204
    gone = await operating.delete(LIMITS, params=agency)
    assert gone.status_code == 404
    assert [action for action, _ in await actions(operating)] == [
        "unlimit",
        "limit",
        "limit",
        "limit",
        "limit",
    ]
    last = (await items(operating, ACTIONS))[-1]
    assert last["detail"]["monthly_usd"] == "12.50"


@pytest.mark.parametrize(
    ("params", "body", "pointer"),
    [
        ({}, {"weight": 0}, "/weight"),
        ({}, {"weight": 101}, "/weight"),
        ({}, {"max_running": 0}, "/max_running"),
        ({}, {"max_running": 2**31}, "/max_running"),
        ({}, {"requests_per_minute": -1}, "/requests_per_minute"),
        ({}, {"tokens_per_minute": 1.5}, "/tokens_per_minute"),
        ({}, {"monthly_usd": -1}, "/monthly_usd"),
        ({}, {"monthly_usd": "1.234"}, "/monthly_usd"),
        ({}, {"budget": 1}, "/budget"),
        (TYPE, {"weight": 2}, "/weight"),
        (WHOLE_TYPE, {"monthly_usd": 1}, "/monthly_usd"),
    ],
    ids=str,
)
async def test_what_is_no_limit_is_named(
    operating: httpx.AsyncClient,
    admin: AdminConnection,
    params: dict[str, str],
    body: dict[str, Any],
    pointer: str,
) -> None:
    answer = await operating.put(LIMITS, params=params, json=body)
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert await count(admin) == 0


# -- both ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PAUSES, LIMITS])
async def test_everything_there_is_cannot_be_meant_nor_an_agency_that_is_not(
    operating: httpx.AsyncClient, admin: AdminConnection, path: str
) -> None:
    everything = await operating.put(path, params={"every_agency": "true"}, json={})
    assert everything.status_code == 400
    assert everything.json()["errors"][0]["pointer"] == "agent_type"
    nobody = uuid4()
    answer = await operating.put(path, params={"agency_id": str(nobody)}, json={})
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"There is no agency {nobody}."
    odd = await operating.put(path, params={"agent_type": "Lead Analysis"}, json={})
    assert odd.status_code == 400
    assert await count(admin) == 0
    assert await actions(operating) == []


@pytest.mark.parametrize("role", list(UserRole))
async def test_who_may_pause_and_limit(
    sign_in: Callable[[Claims], httpx.AsyncClient],
    admin: AdminConnection,
    stranger: Claims,
    role: UserRole,
) -> None:
    member = sign_in(await make_member(admin, role=role))
    own = await member.put(PAUSES, json={})
    assert own.status_code == (200 if role.administers else 403)
    before = await count(admin)
    for path in (PAUSES, LIMITS):
        for params in (WHOLE_TYPE, {"agency_id": str(stranger.agency_id)}):
            assert (await member.put(path, params=params, json={})).status_code == 403
            assert (await member.delete(path, params=params)).status_code == 403
    assert (await member.put(LIMITS, json={"weight": 100})).status_code == 403
    assert (await member.delete(LIMITS)).status_code == 403
    assert await count(admin) == before
