from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection


async def make(api: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await api.post("/v1/leads", json=fields)
    assert answer.status_code == 201, answer.text
    lead: dict[str, Any] = answer.json()
    return lead


async def test_a_lead_reads_as_it_was_written(api: httpx.AsyncClient, owner: Claims) -> None:
    fields = {
        "external_id": "crm-17",
        "first_name": "  Зоя ",
        "last_name": "O'Brien-Łuczak",
        "email": "Zoya.Obrien@Example.com",
        "phone": "+48 (22) 555-01 02",
        "company": "李氏贸易",
        "job_title": "",
        "source": "Website",
        "notes": "Met twice.\nLikes ✨.",
        "custom": {"total_visits": 7, "newsletter": True, "score": 0.25, "gone": None},
        "owner_id": str(owner.sub),
    }
    answer = await api.post("/v1/leads", json=fields)
    assert answer.status_code == 201
    lead = answer.json()
    assert answer.headers["location"] == f"/v1/leads/{lead['id']}"
    assert answer.headers["etag"] == '"1"'
    read = await api.get(answer.headers["location"])
    assert read.status_code == 200
    assert read.json() == lead
    assert read.headers["etag"] == '"1"'
    kept = fields | {
        "first_name": "Зоя",
        "job_title": None,
        "status": "new",
        "custom": {"total_visits": 7, "newsletter": True, "score": 0.25},
    }
    assert {name: lead[name] for name in kept} == kept
    assert " ".join(lead) == (
        "id external_id first_name last_name email phone company job_title website city country "
        "source status notes custom owner_id import_id quality_score conversion_probability "
        "scored_at converted_at converted_contact_id converted_company_id converted_deal_id "
        "version created_at updated_at deleted_at"
    )


async def test_another_agencys_lead_is_not_there(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    lead = await make(api, first_name="Ada")
    path = f"/v1/leads/{lead['id']}"
    match = {"If-Match": '"1"'}
    answers = [
        await outsider.get(path),
        await outsider.patch(path, json={"first_name": "Eve"}, headers=match),
        await outsider.delete(path),
        await outsider.post(f"{path}/restore"),
        await outsider.get(f"{path}/scores"),
        await outsider.get(f"{path}/follow-ups"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert all(a.json()["type"] == "urn:gardenos:problem:not-found" for a in answers)
    assert (await outsider.get("/v1/leads")).json()["items"] == []
    assert (await api.get(path)).json() == lead


async def test_a_reader_reads_and_changes_nothing(
    api: httpx.AsyncClient, reader: httpx.AsyncClient
) -> None:
    lead = await make(api, first_name="Ada")
    path = f"/v1/leads/{lead['id']}"
    assert (await reader.get(path)).status_code == 200
    refused = [
        await reader.post("/v1/leads", json={}),
        await reader.patch(path, json={"city": "Rome"}, headers={"If-Match": "*"}),
        await reader.delete(path),
        await reader.post(f"{path}/restore"),
        await reader.post("/v1/imports", files={"file": ("a.csv", b"email\na@example.com\n")}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert (await api.get(path)).json() == lead


async def test_a_change_needs_the_version_it_was_made_for(api: httpx.AsyncClient) -> None:
    lead = await make(api, first_name="Ada", custom={"a": 1, "b": 2})
    path = f"/v1/leads/{lead['id']}"
    assert (await api.patch(path, json={"city": "Rome"})).status_code == 428
    changed = await api.patch(
        path,
        json={"city": "Rome", "custom": {"b": None, "c": "x"}, "status": "contacted"},
        headers={"If-Match": '"1"'},
    )
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    body = changed.json()
    assert (body["first_name"], body["city"], body["status"]) == ("Ada", "Rome", "contacted")
    assert body["custom"] == {"a": 1, "c": "x"}
    assert body["updated_at"] > lead["updated_at"]
    stale = await api.patch(path, json={"city": "Oslo"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    anyhow = await api.patch(path, json={"city": None}, headers={"If-Match": "*"})
    assert anyhow.json()["city"] is None
    one_of = await api.patch(path, json={"city": "Bonn"}, headers={"If-Match": '"9", W/"3"'})
    assert one_of.json()["version"] == 4
    missing = await api.patch(f"/v1/leads/{uuid4()}", json={}, headers={"If-Match": '"1"'})
    assert missing.status_code == 404


@pytest.mark.parametrize("header", ["3", '"', 'W/3, "4"', "", '"1" "2"'])
async def test_an_unreadable_precondition_is_refused(api: httpx.AsyncClient, header: str) -> None:
    lead = await make(api)
    answer = await api.patch(f"/v1/leads/{lead['id']}", json={}, headers={"If-Match": header})
    assert answer.status_code == 400


@pytest.mark.parametrize("header", ['"99999999999999999999"', '"²"', '"abc"', '"-1"'])
async def test_a_foreign_etag_matches_nothing(api: httpx.AsyncClient, header: str) -> None:
    lead = await make(api)
    answer = await api.patch(
        f"/v1/leads/{lead['id']}", json={}, headers={b"If-Match": header.encode("latin-1")}
    )
    assert answer.status_code == 412


async def test_a_reader_of_the_current_version_gets_304(api: httpx.AsyncClient) -> None:
    lead = await make(api)
    path = f"/v1/leads/{lead['id']}"
    answer = await api.get(path, headers={"If-None-Match": '"1"'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')
    assert (await api.get(path, headers={"If-None-Match": '"7"'})).status_code == 200


async def test_a_deleted_lead_comes_back_by_restore(api: httpx.AsyncClient) -> None:
    lead = await make(api, first_name="Ada")
    path = f"/v1/leads/{lead['id']}"
    assert (await api.delete(path, headers={"If-Match": '"5"'})).status_code == 412
    gone = await api.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get(path)).status_code == 404
    assert (await api.delete(path)).status_code == 404
    assert (await api.get("/v1/leads")).json()["items"] == []
    shown = (await api.get("/v1/leads", params={"include_deleted": "true"})).json()["items"]
    assert shown[0]["deleted_at"] is not None
    back = await api.post(f"{path}/restore")
    assert (back.status_code, back.json()["deleted_at"]) == (200, None)
    again = await api.post(f"{path}/restore")
    assert again.json() == back.json() == (await api.get(path)).json()


async def test_an_external_id_belongs_to_one_lead(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    await make(api, external_id="x1")
    other = await make(api, external_id="x2")
    again = await api.post("/v1/leads", json={"external_id": "x1"})
    assert again.status_code == 409
    assert again.json()["errors"][0]["pointer"] == "/external_id"
    moved = await api.patch(
        f"/v1/leads/{other['id']}", json={"external_id": "x1"}, headers={"If-Match": "*"}
    )
    assert moved.status_code == 409
    await make(outsider, external_id="x1")


async def test_an_owner_is_a_member(
    api: httpx.AsyncClient, stranger: Claims, owner: Claims
) -> None:
    refused = await api.post("/v1/leads", json={"owner_id": str(stranger.sub)})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"pointer": "/owner_id", "detail": "is no member here"}]
    lead = await make(api)
    path, match = f"/v1/leads/{lead['id']}", {"If-Match": "*"}
    patched = await api.patch(path, json={"owner_id": str(stranger.sub)}, headers=match)
    assert patched.status_code == 422
    taken = await api.patch(path, json={"owner_id": str(owner.sub)}, headers=match)
    assert taken.json()["owner_id"] == str(owner.sub)
    freed = await api.patch(path, json={"owner_id": None}, headers=match)
    assert freed.json()["owner_id"] is None


async def test_what_agents_made_of_a_lead_is_listed_newest_first(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    lead = await make(api)
    for score in (10, 20, 30):
        await admin.execute(
            "INSERT INTO lead_scores (agency_id, task_id, lead_id, quality_score,"
            " conversion_probability, reasons, provider, model)"
            " VALUES ($1, uuidv7(), $2, $3, 0.5, $4, 'rules', 'rules-1')",
            owner.agency_id,
            lead["id"],
            score,
            '[{"feature": "source", "value": "web", "contribution": 2, "text": "Came by"}]',
        )
        await admin.execute(
            "INSERT INTO follow_ups (agency_id, task_id, lead_id, subject, body, full_message,"
            " provider, model) VALUES ($1, uuidv7(), $2, $3, 'b', 'm', 'rules', 'rules-1')",
            owner.agency_id,
            lead["id"],
            f"Hello {score}",
        )
    path = f"/v1/leads/{lead['id']}"
    first = await api.get(f"{path}/scores", params={"limit": 2})
    assert [item["quality_score"] for item in first.json()["items"]] == [30, 20]
    assert first.json()["items"][0]["reasons"][0]["feature"] == "source"
    rest = await api.get(first.headers["link"].split(">")[0].lstrip("<"))
    assert [item["quality_score"] for item in rest.json()["items"]] == [10]
    assert rest.json()["next_cursor"] is None
    drafts = (await api.get(f"{path}/follow-ups")).json()["items"]
    assert [draft["subject"] for draft in drafts] == ["Hello 30", "Hello 20", "Hello 10"]
    assert drafts[0]["state"] == "draft"
    borrowed = first.json()["next_cursor"]
    wrong = await api.get(f"{path}/follow-ups", params={"cursor": borrowed})
    assert wrong.json()["type"].endswith("invalid-cursor")


async def test_of_two_changes_made_for_one_version_one_is_taken(api: httpx.AsyncClient) -> None:
    lead = await make(api, custom={"a": 0})
    path = f"/v1/leads/{lead['id']}"
    answers = await asyncio.gather(
        *(
            api.patch(path, json={"custom": {f"k{n}": n}}, headers={"If-Match": '"1"'})
            for n in range(6)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    kept = (await api.get(path)).json()
    assert kept["version"] == 2
    assert [answer.json() for answer in answers if answer.status_code == 200] == [kept]


async def test_changes_of_different_fields_at_the_same_time_are_all_kept(
    api: httpx.AsyncClient,
) -> None:
    lead = await make(api, custom={"a": 0})
    path, match = f"/v1/leads/{lead['id']}", {"If-Match": "*"}
    changes: list[dict[str, Any]] = [
        *({name: name} for name in ("first_name", "last_name", "city", "company", "notes")),
        *({"custom": {f"k{n}": n}} for n in range(5)),
    ]
    answers = await asyncio.gather(
        *(api.patch(path, json=change, headers=match) for change in changes)
    )
    assert {answer.status_code for answer in answers} == {200}
    kept = (await api.get(path)).json()
    assert kept["version"] == 1 + len(changes)
    assert kept["custom"] == {"a": 0} | {f"k{n}": n for n in range(5)}
    assert [kept[name] for change in changes[:5] for name in change] == [
        name for change in changes[:5] for name in change
    ]


async def test_null_and_blank_empty_a_field_and_absent_ones_stay(
    api: httpx.AsyncClient, owner: Claims
) -> None:
    texts = (
        "external_id first_name last_name phone company job_title website city country source notes"
    )
    fields = dict.fromkeys(texts.split(), "x") | {
        "email": "x@example.com",
        "owner_id": str(owner.sub),
    }
    lead = await make(api, **fields, status="lost", custom={"a": 1, "b": 2})
    path, match = f"/v1/leads/{lead['id']}", {"If-Match": "*"}
    untouched = (await api.patch(path, json={}, headers=match)).json()
    assert {name: untouched[name] for name in fields} == fields
    for name in fields:
        emptied = await api.patch(path, json={name: None}, headers=match)
        assert emptied.json()[name] is None, name
    left = (await api.get(path)).json()
    assert {left[name] for name in fields} == {None}
    assert (left["status"], left["custom"]) == ("lost", {"a": 1, "b": 2})
    blank = await api.patch(path, json={"city": " \t"}, headers=match)
    assert blank.json()["city"] is None


async def test_a_lead_is_restored_beside_another_with_its_address(
    api: httpx.AsyncClient,
) -> None:
    gone = await make(api, email="ada@example.com", external_id="x1")
    path = f"/v1/leads/{gone['id']}"
    await api.delete(path)
    await make(api, email="Ada@example.com")
    again = await api.post("/v1/leads", json={"external_id": "x1"})
    assert again.status_code == 409
    assert (await api.post(f"{path}/restore")).status_code == 200
    found = (await api.get("/v1/leads", params={"email": "ada@EXAMPLE.com"})).json()["items"]
    assert {lead["email"] for lead in found} == {"ada@example.com", "Ada@example.com"}


async def test_custom_values_are_bounded_over_several_changes(api: httpx.AsyncClient) -> None:
    lead = await make(api, custom={f"a{n}": n for n in range(60)})
    path, match = f"/v1/leads/{lead['id']}", {"If-Match": "*"}
    more = {f"b{n}": n for n in range(41)}
    refused = await api.patch(path, json={"custom": more}, headers=match)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/custom"
    assert (await api.get(path)).json() == lead
    freed = await api.patch(path, json={"custom": {**more, "a0": None}}, headers=match)
    assert len(freed.json()["custom"]) == 100
