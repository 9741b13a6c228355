"""A record that may be there already is refused; a sweep finds the pairs that came in otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from gardenos.core.claims import Claims, UserRole
from gardenos.core.ids import UserId
from gardenos.crm.duplicates.sweep import Duplicates, sweep_agency
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

    from .conftest import SignIn

    ImportCsv = Callable[..., Awaitable[httpx.Response]]

NOW = timedelta(0)
ADA = {"first_name": "Ada", "last_name": "Lovelace", "company": "Analytical Engines Ltd"}
SURE = {"Allow-Duplicate": "true"}


async def post(api: httpx.AsyncClient, noun: str, **fields: Any) -> httpx.Response:
    return await api.post(f"/v1/{noun}", json=fields)


async def pairs(api: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    answer = await api.get("/v1/duplicates", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


@pytest.mark.parametrize(
    ("noun", "first", "again", "reasons"),
    [
        ("leads", {"email": "ada@example.com"}, {"email": "ADA@example.com"}, ["email"]),
        ("leads", {"phone": "+49 30 123456"}, {"phone": "0049 30 12 34 56"}, ["phone"]),
        ("leads", ADA, ADA | {"first_name": "Áda", "company": "ANALYTICAL ENGINES"}, ["name"]),
        (
            "contacts",
            {"last_name": "Ada", "email": "a@b.de"},
            {"last_name": "B", "email": "A@b.de"},
            ["email"],
        ),
        (
            "contacts",
            {"last_name": "Ada", "mobile": "+49170123456"},
            {"last_name": "Ada", "phone": "+49170 123456"},
            ["phone"],
        ),
        (
            "companies",
            {"name": "Flora Nord GmbH", "domain": "flora.example"},
            {"name": "Flora", "domain": "Flora.example"},
            ["domain"],
        ),
        ("companies", {"name": "Flora Nord GmbH"}, {"name": "FLORA NORD"}, ["name"]),
    ],
)
async def test_a_record_that_may_be_there_is_refused_with_those_it_may_be(
    api: httpx.AsyncClient, noun: str, first: Any, again: Any, reasons: list[str]
) -> None:
    await api.patch("/v1/agency", json={"default_country": "DE"}, headers={"If-Match": "*"})
    made = (await post(api, noun, **first)).json()
    refused = await post(api, noun, **again)
    assert refused.status_code == 409, refused.text
    problem = refused.json()
    assert problem["type"] == "urn:gardenos:problem:possible-duplicate"
    [candidate] = problem["candidates"]
    assert (candidate["id"], candidate["reasons"]) == (made["id"], reasons)
    assert candidate["title"]
    assert candidate["title"] in problem["detail"]
    assert "Allow-Duplicate" in problem["detail"]
    stored = await api.post(f"/v1/{noun}", json=again, headers=SURE)
    assert stored.status_code == 201
    wrong = await api.post(f"/v1/{noun}", json=again, headers={"Allow-Duplicate": "perhaps"})
    assert wrong.status_code == 400


async def test_an_agency_says_what_refuses(api: httpx.AsyncClient) -> None:
    async def check(how: str) -> None:
        changes = {"duplicate_check": how}
        answer = await api.patch("/v1/agency", json=changes, headers={"If-Match": "*"})
        assert answer.json()["duplicate_check"] == how

    assert (await post(api, "leads", **ADA, email="a@example.com")).status_code == 201
    await check("exact")
    assert (await post(api, "leads", **ADA)).status_code == 201
    assert (await post(api, "leads", email="a@example.com")).status_code == 409
    await check("off")
    assert (await post(api, "leads", email="a@example.com")).status_code == 201
    wrong = await api.patch("/v1/agency", json={"default_country": "XX"}, headers={"If-Match": "*"})
    assert wrong.status_code == 422


async def test_a_refusal_tells_nobody_what_they_may_not_read(
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
) -> None:
    await post(api, "leads", **ADA, email="a@example.com", phone="+4930123456")
    assert (await post(outsider, "leads", **ADA, email="a@example.com")).status_code == 201
    mask = {"role": "agent", "entity": "leads", "field": "phone", "access": "hidden"}
    assert (await api.put("/v1/field-masks", json={"items": [mask]})).is_success
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    # The number would say whose it is.
    assert (await post(agent, "leads", first_name="X")).status_code == 201
    cell = {"role": "agent", "entity": "leads", "verb": "read", "scope": "own"}
    assert (await api.put("/v1/permissions", json={"items": [cell]})).is_success
    assert (await post(agent, "leads", email="a@example.com")).status_code == 201
    reader = sign_in(await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id))
    assert (await post(reader, "leads", email="a@example.com")).status_code == 403


async def test_two_at_once_are_not_both_kept_by_one_key(api: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await api.post("/v1/leads", json=ADA, headers=key)
    again = await api.post("/v1/leads", json=ADA, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


async def test_a_sweep_finds_what_came_in_otherwise(
    api: httpx.AsyncClient, import_csv: ImportCsv, db: Database, owner: Claims
) -> None:
    rows = "".join(f"{n},Person {n},Company {n},p{n}@example.com,\n" for n in range(600))
    content = (
        f"id,name,company,email,phone\n{rows}"
        "a,Ada Lovelace,Acme,ada@example.com,+49 30 1234567\n"
        "b,A. L.,,,+4930 123 45 67\n"
        "c,Lovelace Ada,ACME Ltd,,\n"
        "d,,,ADA@EXAMPLE.COM,\n"
        "e,Grace Hopper,Acme,,\n"
    )
    answer = await import_csv(content, match_by="external_id")
    assert answer.json()["imported"] == 605
    assert await pairs(api) == []
    assert await sweep_agency(db, owner.agency_id, NOW) == 605
    ids = {r["external_id"]: r["id"] for r in await leads(api, "a,b,c,d,e")}
    names = {record_id: name for name, record_id in ids.items()}
    found = await pairs(api, entity="leads")
    named = {
        "".join(sorted(names[one["id"]] for one in pair["records"])): pair["reasons"]
        for pair in found
    }
    assert named == {"ab": ["phone"], "ac": ["name"], "ad": ["email"]}
    # Nothing changed: nothing is read again, and nothing is found twice.
    assert await sweep_agency(db, owner.agency_id, NOW) == 0
    await change(api, ids["d"], email="other@example.com")
    await change(api, ids["b"], last_name="Changed")
    assert await sweep_agency(db, owner.agency_id, NOW) == 2
    assert len(await pairs(api)) == 1 or {tuple(p["reasons"]) for p in await pairs(api)} <= {
        ("phone",),
        ("name",),
    }


async def leads(api: httpx.AsyncClient, ids: str) -> list[dict[str, Any]]:
    return (await api.get("/v1/leads", params={"external_id.in": ids})).json()["items"]


async def change(api: httpx.AsyncClient, lead_id: str, **fields: Any) -> None:
    answer = await api.patch(f"/v1/leads/{lead_id}", json=fields, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text


async def one_pair(api: httpx.AsyncClient, db: Database, owner: Claims) -> dict[str, Any]:
    for _ in range(2):
        await api.post("/v1/leads", json=ADA, headers=SURE)
    await sweep_agency(db, owner.agency_id, NOW)
    [pair] = await pairs(api)
    return pair


async def test_a_pair_that_was_dismissed_stays_so(
    api: httpx.AsyncClient, db: Database, owner: Claims
) -> None:
    pair = await one_pair(api, db, owner)
    place = f"/v1/duplicates/{pair['id']}"
    dismissed = (await api.post(f"{place}/dismiss")).json()
    assert (dismissed["state"], dismissed["decided_by"]) == ("dismissed", str(owner.sub))
    await change(api, pair["records"][0]["id"], city="Rome")
    assert await sweep_agency(db, owner.agency_id, NOW) == 1
    assert await pairs(api) == []
    assert [one["id"] for one in await pairs(api, state="dismissed")] == [pair["id"]]
    assert (await api.post(f"{place}/reopen")).json()["state"] == "open"
    assert [one["id"] for one in await pairs(api)] == [pair["id"]]


async def test_a_pair_is_for_whoever_reads_both(
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    db: Database,
    owner: Claims,
    sign_in: SignIn,
) -> None:
    pair = await one_pair(api, db, owner)
    cell = {"role": "agent", "entity": "leads", "verb": "read", "scope": "own"}
    assert (await api.put("/v1/permissions", json={"items": [cell]})).is_success
    agent = sign_in(Claims.of(UserId(uuid4()), owner.agency_id, UserRole.AGENT))
    for client in (agent, outsider):
        assert await pairs(client) == []
        assert (await client.post(f"/v1/duplicates/{pair['id']}/dismiss")).status_code == 404
    await api.delete(f"/v1/leads/{pair['records'][0]['id']}", headers={"If-Match": "*"})
    assert await pairs(api) == []


async def test_the_sweeper_goes_where_something_changed(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, db: Database, admin: AdminConnection
) -> None:
    for client in (api, outsider):
        for _ in range(2):
            assert (await client.post("/v1/leads", json=ADA, headers=SURE)).is_success
    sweeper = Duplicates(db, margin=NOW)
    assert await sweeper.sweep() == 4
    assert await sweeper.sweep() == 0
    assert len(await pairs(api)) == len(await pairs(outsider)) == 1
    keys = await admin.fetchval("SELECT count(*) FROM app.likeness_keys")
    await admin.execute("DELETE FROM leads")
    assert keys == 4
    assert await admin.fetchval("SELECT count(*) FROM app.likeness_keys") == 0
    assert await admin.fetchval("SELECT count(*) FROM duplicates") == 0
