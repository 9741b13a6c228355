"""What every noun's routes do alike when records are written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member
from tests.support.records import CHANGING, ENTITIES, make

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn

CHANGES: dict[str, dict[str, Any]] = {
    "leads": {"city": "Rome"},
    "contacts": {"city": "Rome"},
    "companies": {"city": "Rome"},
    "pipelines": {"name": "Renamed"},
    "deals": {"name": "Renamed"},
    "tasks": {"title": "Renamed"},
}


@pytest.mark.parametrize("noun", ENTITIES)
async def test_a_record_reads_as_its_model_says(api: httpx.AsyncClient, noun: str) -> None:
    entity = ENTITIES[noun]
    made = await make(api, noun)
    assert list(made) == list(entity.record.model_fields)
    answer = await api.get(f"/v1/{noun}/{made['id']}")
    assert answer.json() == made
    entity.record.model_validate(made)
    some = await api.get(f"/v1/{noun}/{made['id']}?fields=created_at")
    assert some.json() == {"id": made["id"], "created_at": made["created_at"]}


@pytest.mark.parametrize("noun", CHANGING)
async def test_a_record_is_changed_deleted_and_restored(api: httpx.AsyncClient, noun: str) -> None:
    made = await make(api, noun)
    path, change = f"/v1/{noun}/{made['id']}", CHANGES[noun]
    assert (await api.patch(path, json=change)).status_code == 428
    stale = await api.patch(path, json=change, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    changed = await api.patch(path, json=change, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] == '"2"'
    moved = {"version": 2, "updated_at": changed.json()["updated_at"]}
    assert changed.json() == made | change | moved
    nothing = await api.patch(path, json={}, headers={"If-Match": '"2"'})
    assert nothing.json() == changed.json()
    assert (await api.patch(path, json={}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await api.get(path, headers={"If-None-Match": '"2"'})).status_code == 304
    assert (await api.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await api.delete(path, headers={"If-Match": '"2"'})).status_code == 204
    gone = [
        await api.get(path),
        await api.delete(path),
        await api.patch(path, json=change, headers={"If-Match": "*"}),
        await api.patch(path, json={}, headers={"If-Match": "*"}),
    ]
    assert [answer.status_code for answer in gone] == [404] * 4
    listed = (await api.get(f"/v1/{noun}")).json()["items"]
    assert made["id"] not in {item["id"] for item in listed}
    back = await api.post(f"{path}/restore")
    assert (back.status_code, back.json()["deleted_at"]) == (200, None)
    assert (await api.post(f"{path}/restore")).json() == back.json()


@pytest.mark.parametrize("noun", ENTITIES)
async def test_another_agency_sees_and_changes_nothing_of_a_record(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, noun: str
) -> None:
    made = await make(api, noun)
    path = f"/v1/{noun}/{made['id']}"
    answers = [await outsider.get(path)]
    if noun in CHANGING:
        answers += [
            await outsider.patch(path, json=CHANGES[noun], headers={"If-Match": "*"}),
            await outsider.delete(path),
            await outsider.post(f"{path}/restore"),
        ]
    assert {answer.status_code for answer in answers} == {404}
    assert (
        await outsider.get(
            f"/v1/{noun}?include_deleted=true" if noun in CHANGING else f"/v1/{noun}"
        )
    ).json()["items"] == []
    assert (await api.get(path)).json() == made


@pytest.mark.parametrize("noun", ENTITIES)
async def test_a_reference_leads_to_a_record_of_the_same_agency(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, stranger: Claims, noun: str
) -> None:
    theirs = {
        "company_id": (await make(outsider, "companies"))["id"],
        "contact_id": (await make(outsider, "contacts"))["id"],
        "lead_id": (await make(outsider, "leads"))["id"],
        "deal_id": (await make(outsider, "deals"))["id"],
        "owner_id": str(stranger.sub),
        "assignee_id": str(stranger.sub),
    }
    body = {"activities": {"kind": "note"}, "tasks": {"title": "x"}, "contacts": {"last_name": "x"}}
    new = ENTITIES[noun].new
    assert new is not None
    for field, record_id in theirs.items():
        if field not in new.model_fields:
            continue
        for wrong in (record_id, str(uuid4())):
            sent = {**body.get(noun, {"name": "x"} if noun != "leads" else {}), field: wrong}
            answer = await api.post(f"/v1/{noun}", json=sent)
            assert answer.status_code == 422, answer.text
            assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]


@pytest.mark.parametrize("noun", ENTITIES)
async def test_a_post_with_the_same_key_takes_effect_once(
    api: httpx.AsyncClient, noun: str
) -> None:
    made = await make(api, noun)
    new = ENTITIES[noun].new
    assert new is not None
    sent = {name: made[name] for name in new.model_fields if made.get(name) is not None}
    sent |= {"name": "Once"} if noun == "pipelines" else {}
    key = {"Idempotency-Key": "k1", "Allow-Duplicate": "true"}
    first = await api.post(f"/v1/{noun}", json=sent, headers=key)
    again = await api.post(f"/v1/{noun}", json=sent, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("noun", CHANGING)
async def test_of_two_writers_of_one_version_one_is_taken(
    api: httpx.AsyncClient, noun: str
) -> None:
    made = await make(api, noun)
    path = f"/v1/{noun}/{made['id']}"
    answers = await asyncio.gather(
        *(api.patch(path, json=CHANGES[noun], headers={"If-Match": '"1"'}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


@pytest.mark.parametrize("noun", CHANGING)
async def test_a_reader_is_refused_in_a_sentence(
    api: httpx.AsyncClient, reader: httpx.AsyncClient, noun: str
) -> None:
    made = await make(api, noun)
    path = f"/v1/{noun}/{made['id']}"
    sent = {name: made[name] for name in ("name", "last_name", "title") if made.get(name)}
    answers = [
        await reader.post(f"/v1/{noun}", json=sent),
        await reader.patch(path, json=CHANGES[noun], headers={"If-Match": "*"}),
        await reader.patch(path, json={}, headers={"If-Match": "*"}),
        await reader.delete(path),
        await reader.post(f"{path}/restore"),
    ]
    said = {answer.json()["type"].rpartition(":")[2] for answer in answers[1:]}
    assert said == {"forbidden"}
    assert [answer.status_code for answer in answers[1:]] == [403] * 4
    # A deal of an agency without a pipeline is refused for that.
    assert answers[0].status_code in ((409, 403) if noun == "deals" else (403,))
    assert all(answer.json()["detail"].endswith(".") for answer in answers)
    assert (await reader.get(path)).json() == made


async def test_an_agent_deletes_only_what_is_theirs(
    api: httpx.AsyncClient, sign_in: SignIn, admin: AdminConnection, owner: Claims
) -> None:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    agent = sign_in(member)
    theirs = await make(api, "companies")
    mine = await make(api, "companies", owner_id=str(member.sub))
    refused = await agent.delete(f"/v1/companies/{theirs['id']}")
    assert refused.status_code == 403
    assert refused.json()["detail"].startswith(
        "Your role does not delete or restore these companies"
    )
    assert (await agent.delete(f"/v1/companies/{mine['id']}")).status_code == 204
    assert (await api.get(f"/v1/companies/{theirs['id']}")).status_code == 200


HIDDEN = (
    ("companies", "phone"),
    ("companies", "custom.margin"),
    ("companies", "domain"),
    ("contacts", "company_id"),
    ("deals", "amount"),
)


@pytest.fixture
async def agent(sign_in: SignIn, admin: AdminConnection, owner: Claims) -> httpx.AsyncClient:
    """A client of a member from whom fields are hidden."""
    for entity, field in HIDDEN:
        await admin.execute(
            "INSERT INTO field_masks (agency_id, role, entity, field, access)"
            " VALUES ($1, 'agent', $2, $3, 'hidden')",
            owner.agency_id,
            entity,
            field,
        )
    return sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))


@pytest.fixture
async def company(api: httpx.AsyncClient) -> dict[str, Any]:
    custom = {"margin": 5, "size": 1}
    return await make(api, "companies", phone="1", domain="a.example", custom=custom)


async def test_what_is_hidden_from_a_role_is_in_no_answer(
    api: httpx.AsyncClient, agent: httpx.AsyncClient, company: dict[str, Any]
) -> None:
    contact = await make(api, "contacts", company_id=company["id"])
    deal = await make(api, "deals", company_id=company["id"], amount=5, currency="EUR")
    seen = (await agent.get(f"/v1/companies/{company['id']}")).json()
    assert seen == {
        name: value for name, value in company.items() if name not in ("phone", "domain")
    } | {"custom": {"size": 1}}
    [listed] = (await agent.get("/v1/companies")).json()["items"]
    assert listed == seen
    shown = (await agent.get("/v1/deals?include=company,owner")).json()
    assert "amount" not in shown["items"][0]
    assert shown["included"] == {"companies": {company["id"]: seen}, "members": {}}
    hidden = (await agent.get(f"/v1/contacts/{contact['id']}?include=company")).json()
    assert hidden["included"] == {"companies": {}}
    assert "company_id" not in hidden
    board = (await agent.get(f"/v1/pipelines/{deal['pipeline_id']}/board")).json()["items"]
    assert [stage["sums"] for stage in board] == [None] * len(board)
    history = (await agent.get(f"/v1/deals/{deal['id']}/stages")).json()["items"]
    assert history[0]["amount"] is None


async def test_what_is_hidden_from_a_role_cannot_be_guessed_by_lists(
    api: httpx.AsyncClient, agent: httpx.AsyncClient, company: dict[str, Any]
) -> None:
    for asked in (
        "companies?phone=1",
        "companies?phone.is_null=true",
        "companies?sort=phone",
        "companies?custom.margin=5",
        "companies?custom.margin.gt=1",
        "companies?domain.starts_with=a",
        "deals?amount.gt=1",
        "deals?sort=name,-amount",
        f"contacts?company_id={company['id']}",
    ):
        refused = await agent.get(f"/v1/{asked}")
        assert refused.status_code == 403, asked
        assert "does not see" in refused.json()["detail"]
    assert (await agent.get("/v1/companies?custom.size=1")).json()["items"]
    assert (await agent.get("/v1/companies?q=a.example")).json()["items"] == []
    assert len((await api.get("/v1/companies?q=a.example")).json()["items"]) == 1


async def test_what_is_hidden_from_a_role_is_not_set_by_it(
    agent: httpx.AsyncClient, company: dict[str, Any]
) -> None:
    path, match = f"/v1/companies/{company['id']}", {"If-Match": "*"}
    written = await agent.patch(path, json={"phone": "2"}, headers=match)
    assert written.status_code == 403
    assert "does not set phone" in written.json()["detail"]
    assert (await agent.post("/v1/companies", json={"name": "x", "phone": "2"})).status_code == 403
    other = await agent.patch(path, json={"city": "Rome"}, headers=match)
    assert other.status_code == 200
    assert "phone" not in other.json()


async def test_a_record_shows_what_it_refers_to(api: httpx.AsyncClient, owner: Claims) -> None:
    company = await make(api, "companies", owner_id=str(owner.sub))
    contact = await make(api, "contacts", company_id=company["id"])
    deal = await make(api, "deals", company_id=company["id"], contact_id=contact["id"])
    asked = "company,contact,owner,pipeline,stage"
    answer = (await api.get(f"/v1/deals/{deal['id']}?include={asked}&fields=name")).json()
    included = answer.pop("included")
    assert answer == {"id": deal["id"], "name": deal["name"]}
    assert included["companies"] == {company["id"]: company}
    assert included["contacts"] == {contact["id"]: contact}
    assert included["members"] == {}
    assert included["stages"][deal["stage_id"]]["kind"] == "open"
    assert included["pipelines"][deal["pipeline_id"]]["is_default"] is True
    await make(api, "companies")
    page = (await api.get("/v1/companies?include=owner&fields=name")).json()
    assert page["included"]["members"] == {
        str(owner.sub): {"user_id": str(owner.sub), "role": "owner"}
    }
    assert set(page["items"][0]) == {"id", "name"}
