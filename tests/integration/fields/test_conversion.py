"""Leads become contacts, companies and deals: all or nothing, once, and back again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member
from tests.integration.fields.conftest import etag

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn
    from tests.integration.fields.conftest import Make

ADA: dict[str, Any] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@engines.example",
    "company": "Engines",
    "website": "https://www.engines.example/about",
    "status": "qualified",
    "notes": "Met in London",
}
DEAL: dict[str, Any] = {"name": "An engine", "amount": "1500.50", "currency": "GBP"}


async def convert(
    api: httpx.AsyncClient, lead: dict[str, Any], body: dict[str, Any] | None = None
) -> httpx.Response:
    return await api.post(f"/v1/leads/{lead['id']}/convert", json=body or {})


async def unconvert(api: httpx.AsyncClient, lead: dict[str, Any], **body: Any) -> httpx.Response:
    return await api.post(f"/v1/leads/{lead['id']}/unconvert", json=body)


async def count(api: httpx.AsyncClient, noun: str) -> int:
    return (await api.get(f"/v1/{noun}", params={"total": "true"})).json()["total"]


async def test_a_lead_becomes_a_contact_a_company_and_a_deal(
    api: httpx.AsyncClient, make: Make
) -> None:
    for entity in ("leads", "contacts"):
        await make("custom-fields", entity=entity, key="tier", label="Tier", kind="text")
    lead = await make("leads", **ADA, custom={"tier": "gold", "visits": 7})
    answer = await convert(api, lead, {"deal": DEAL, "contact": {"mobile": "+44 1"}})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["contact_made"], made["company_made"]) == (True, True)
    contact = (await api.get(f"/v1/contacts/{made['contact_id']}")).json()
    kept = {key: contact[key] for key in ("first_name", "last_name", "email", "notes")}
    assert kept == {key: ADA[key] for key in kept}
    assert (contact["mobile"], contact["custom"]) == ("+44 1", {"tier": "gold"})
    company = (await api.get(f"/v1/companies/{made['company_id']}")).json()
    assert (company["name"], company["domain"]) == ("Engines", "engines.example")
    deal = (await api.get(f"/v1/deals/{made['deal_id']}")).json()
    assert (deal["amount"], deal["lead_id"]) == ("1500.5", lead["id"])
    assert contact["company_id"] == deal["company_id"] == company["id"]
    after = (await api.get(f"/v1/leads/{lead['id']}")).json()
    assert after["status"] == "converted"
    assert after["converted_at"] is not None
    assert after["converted_deal_id"] == deal["id"]


async def test_what_is_there_is_taken_as_it_is(api: httpx.AsyncClient, make: Make) -> None:
    by_domain = await make("companies", name="Analytical", domain="Engines.example")
    await make("companies", name="engines")
    known = await make("contacts", email="ADA@engines.example")
    made = (await convert(api, await make("leads", **ADA))).json()
    assert (made["contact_id"], made["company_id"]) == (known["id"], by_domain["id"])
    assert (made["contact_made"], made["company_made"], made["deal_id"]) == (False, False, None)
    unchanged = (await api.get(f"/v1/contacts/{known['id']}")).json()
    assert unchanged["version"] == known["version"]


async def test_a_company_is_found_by_its_name_and_need_not_be_made(
    api: httpx.AsyncClient, make: Make
) -> None:
    company = await make("companies", name="ENGINES")
    made = (await convert(api, await make("leads", last_name="A", company="Engines"))).json()
    assert made["company_id"] == company["id"]
    alone = await convert(
        api, await make("leads", last_name="B", company="Looms"), {"with_company": False}
    )
    assert alone.json()["company_id"] is None
    assert await count(api, "companies") == 1


async def test_two_conversions_at_once_make_one_contact_and_one_company(
    api: httpx.AsyncClient, make: Make
) -> None:
    first, second = await make("leads", **ADA), await make("leads", **ADA)
    both = await asyncio.gather(convert(api, first), convert(api, second))
    assert [one.status_code for one in both] == [200, 200]
    assert (await count(api, "contacts"), await count(api, "companies")) == (1, 1)


async def test_a_lead_is_converted_once_however_many_try(
    api: httpx.AsyncClient, make: Make
) -> None:
    lead = await make("leads", **ADA)
    tries = await asyncio.gather(*(convert(api, lead, {"deal": DEAL}) for _ in range(4)))
    assert sorted(one.status_code for one in tries) == [200, 409, 409, 409]
    assert (await count(api, "deals"), await count(api, "contacts")) == (1, 1)


@pytest.mark.parametrize(
    "body",
    [
        {"deal": {"name": "x", "amount": "1"}},
        {"deal": {"name": "x", "stage_id": "00000000-0000-0000-0000-000000000001"}},
        {"contact_id": "00000000-0000-0000-0000-000000000001"},
        {"company": {"external_id": "taken"}},
        {"colour": "red"},
    ],
)
async def test_a_conversion_that_fails_makes_nothing(
    api: httpx.AsyncClient, make: Make, body: dict[str, Any]
) -> None:
    await make("companies", name="Other", external_id="taken")
    lead = await make("leads", **ADA)
    answer = await convert(api, lead, body)
    assert answer.status_code in {409, 422}, answer.text
    assert (await count(api, "contacts"), await count(api, "companies")) == (0, 1)
    assert (await api.get(f"/v1/leads/{lead['id']}")).json() == lead


async def test_a_conversion_is_taken_back(api: httpx.AsyncClient, make: Make) -> None:
    lead = await make("leads", **ADA)
    await convert(api, lead, {"deal": DEAL})
    answer = await unconvert(api, lead)
    assert (answer.status_code, answer.json()["kept"]) == (200, {})
    after = (await api.get(f"/v1/leads/{lead['id']}")).json()
    assert (after["status"], after["converted_at"]) == ("qualified", None)
    assert after["converted_contact_id"] is None
    assert [await count(api, noun) for noun in ("contacts", "companies", "deals")] == [0, 0, 0]
    assert (await unconvert(api, lead)).status_code == 409
    assert (await convert(api, lead)).status_code == 200


async def test_what_was_there_before_stays_when_a_conversion_is_taken_back(
    api: httpx.AsyncClient, make: Make
) -> None:
    known = await make("contacts", email=ADA["email"])
    lead = await make("leads", **ADA)
    await convert(api, lead)
    assert (await unconvert(api, lead)).status_code == 200
    assert (await api.get(f"/v1/contacts/{known['id']}")).status_code == 200
    assert await count(api, "companies") == 0


async def test_what_was_changed_or_used_since_is_not_taken_back_unless_it_is_kept(
    api: httpx.AsyncClient, make: Make
) -> None:
    lead = await make("leads", **ADA)
    made = (await convert(api, lead, {"deal": DEAL})).json()
    deal = (await api.get(f"/v1/deals/{made['deal_id']}")).json()
    change = {"name": "Two engines"}
    await api.patch(f"/v1/deals/{deal['id']}", json=change, headers=etag(deal))
    await make("activities", kind="call", contact_id=made["contact_id"])
    refused = await unconvert(api, lead)
    assert refused.status_code == 409
    assert {one["detail"] for one in refused.json()["errors"]} == {"was changed", "was used"}
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["status"] == "converted"
    forced = await unconvert(api, lead, force=True)
    assert forced.json()["kept"] == {"deals": [deal["id"]], "contacts": [made["contact_id"]]}
    assert [await count(api, noun) for noun in ("contacts", "companies", "deals")] == [1, 0, 1]


async def test_a_conversion_needs_the_version_that_was_read_and_the_right_to_change(
    api: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
    make: Make,
) -> None:
    lead = await make("leads", **ADA)
    path = f"/v1/leads/{lead['id']}/convert"
    stale = {"If-Match": '"7"'}
    assert (await api.post(path, json={}, headers=stale)).status_code == 412
    member = await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id)
    assert (await sign_in(member).post(path, json={})).status_code == 403
    await admin.execute(
        "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
        " VALUES ($1, 'agent', 'companies', 'create', 'none')",
        owner.agency_id,
    )
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    assert (await agent.post(path, json={})).status_code == 403
    assert (await count(api, "contacts"), await count(api, "companies")) == (0, 0)
    once = {"Idempotency-Key": "k"}
    first = await api.post(path, json={}, headers=once)
    again = await api.post(path, json={}, headers=once)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_nobody_converts_a_lead_of_another_agency(
    outsider: httpx.AsyncClient, make: Make
) -> None:
    lead = await make("leads", **ADA)
    assert (await convert(outsider, lead)).status_code == 404
    assert (await unconvert(outsider, lead)).status_code == 404
