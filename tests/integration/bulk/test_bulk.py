"""Many operations at once: each has its own result, and none spoils another."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gardenos.core.claims import UserRole
from gardenos.crm.records import entity as declared
from gardenos.crm.records.bulk.models import MAX_AT_ONCE, kinds
from gardenos.testing.postgres import make_member
from tests.support.records import CHANGING, make, varied

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection

    from .conftest import SignIn

LEADS = "/v1/leads/bulk"
CONTACTS = "/v1/contacts/bulk"


def create(**record: Any) -> dict[str, Any]:
    return {"op": "create", "record": record}


def update(record: dict[str, Any], version: int | None = None, **changes: Any) -> dict[str, Any]:
    return {"op": "update", "id": record["id"], "version": version, "changes": changes}


def delete(record: dict[str, Any], version: int | None = None) -> dict[str, Any]:
    return {"op": "delete", "id": record["id"], "version": version}


async def bulk(
    api: httpx.AsyncClient, path: str, *operations: Any, key: str | None = None
) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    # As ASCII: what has no character in UTF-8 can be written so, too.
    content = json.dumps({"operations": operations})
    answer = await api.post(path, content=content, headers=headers)
    assert answer.status_code == 207, answer.text
    said: dict[str, Any] = answer.json()
    assert said["failed"] == sum("problem" in result for result in said["results"])
    assert said["succeeded"] + said["failed"] == len(operations) == len(said["results"])
    return said


def statuses(said: dict[str, Any]) -> list[int]:
    return [result["status"] for result in said["results"]]


async def test_what_fails_has_its_problem_and_what_succeeds_is_stored(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    stored = await make(api, "leads", external_id="taken", city="Rome")
    doomed = await make(api, "leads")
    said = await bulk(
        api,
        LEADS,
        create(first_name="Ada", external_id="new"),
        create(first_name="Eve", external_id="taken"),
        create(first_name="Joan", email="no address"),
        update(stored, city="Paris"),
        delete(doomed),
        delete(doomed),
        update({"id": str(uuid4())}, city="Oslo"),
        {"op": "update", "id": "17", "changes": {"city": "Oslo"}},
        create(first_name="Grace"),
    )
    assert statuses(said) == [201, 409, 422, 200, 204, 404, 404, 422, 201]
    first, taken, unfit, changed, *_ = said["results"]
    assert (first["version"], first["etag"]) == (1, '"1"')
    assert (await api.get(f"/v1/leads/{first['id']}")).json()["first_name"] == "Ada"
    assert taken["problem"]["type"] == "urn:gardenos:problem:conflict"
    assert taken["problem"]["errors"][0]["pointer"] == "/operations/1/record/external_id"
    assert unfit["problem"]["errors"][0]["pointer"] == "/operations/2/record/email"
    assert said["results"][7]["problem"]["errors"][0]["pointer"] == "/operations/7/id"
    assert (changed["id"], changed["etag"]) == (stored["id"], '"2"')
    assert (await api.get(f"/v1/leads/{doomed['id']}")).status_code == 404
    names = await admin.fetchval("SELECT array_agg(first_name) FROM leads WHERE first_name <> ''")
    assert sorted(names) == ["Ada", "Grace"]


async def test_of_two_changes_of_one_version_the_first_is_taken(api: httpx.AsyncClient) -> None:
    lead = await make(api, "leads")
    said = await bulk(
        api,
        LEADS,
        update(lead, 1, city="Rome"),
        update(lead, 1, city="Oslo"),
        delete(lead, 1),
        update(lead, 2, city="Bern"),
        update(lead, city="Kyiv"),
    )
    assert statuses(said) == [200, 412, 412, 200, 200]
    assert said["results"][1]["id"] == lead["id"]
    read = (await api.get(f"/v1/leads/{lead['id']}")).json()
    assert (read["city"], read["version"]) == ("Kyiv", 4)


@pytest.mark.parametrize("noun", CHANGING)
async def test_every_noun_is_stored_changed_and_deleted_in_bulk(
    api: httpx.AsyncClient, noun: str
) -> None:
    kept, doomed = [await make(api, noun) for _ in range(2)]
    changes = {"name": "Upsales"} if noun == "pipelines" else varied(noun, 1)
    said = await bulk(
        api, f"/v1/{noun}/bulk", update(kept, 1, **changes), delete(doomed, 1), update(kept, 1)
    )
    assert statuses(said) == [200, 204, 412]
    assert (await api.get(f"/v1/{noun}/{kept['id']}")).json()["version"] == 2
    assert (await api.get(f"/v1/{noun}/{doomed['id']}")).status_code == 404


async def test_what_a_noun_does_on_storing_happens_in_bulk_too(api: httpx.AsyncClient) -> None:
    said = await bulk(api, "/v1/pipelines/bulk", create(name="Renewals"), create(name="renewals"))
    assert statuses(said) == [201, 409]
    stages = (await api.get(f"/v1/pipelines/{said['results'][0]['id']}/stages")).json()["items"]
    assert stages


def test_every_noun_that_can_has_a_bulk_route(app: FastAPI) -> None:
    paths = set(app.openapi()["paths"])
    able = [entity for entity in declared.known().values() if kinds(entity)]
    assert len(able) >= len(CHANGING)
    assert {f"/v1/{entity.path}/bulk" for entity in able} <= paths


async def test_a_member_does_in_bulk_what_their_role_may_do_and_no_more(
    api: httpx.AsyncClient, sign_in: SignIn, admin: AdminConnection, owner: Claims
) -> None:
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    reader = sign_in(await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id))
    mask = {"role": "agent", "entity": "contacts", "field": "phone", "access": "hidden"}
    assert (await api.put("/v1/field-masks", json={"items": [mask]})).is_success
    theirs = await make(api, "contacts")
    said = await bulk(
        agent,
        CONTACTS,
        create(last_name="Byron"),
        create(last_name="Byron", phone="1"),
        delete(theirs),
    )
    assert statuses(said) == [201, 403, 403]
    said = await bulk(reader, CONTACTS, create(last_name="Eve"), update(theirs, last_name="Eve"))
    assert statuses(said) == [403, 403]
    assert "Your role" in said["results"][0]["problem"]["detail"]


async def test_another_agencys_records_are_not_there(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    lead = await make(api, "leads", city="Rome")
    said = await bulk(outsider, LEADS, update(lead, city="Oslo"), delete(lead))
    assert statuses(said) == [404, 404]
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["city"] == "Rome"


async def test_a_repeated_request_takes_effect_once(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    operations = [create(first_name="Ada"), create(email="none")]
    answers = await asyncio.gather(*(bulk(api, LEADS, *operations, key="k") for _ in range(3)))
    assert answers[0] == answers[1] == answers[2]
    assert await admin.fetchval("SELECT count(*) FROM leads") == 1
    body = {"operations": [create(first_name="Eve")]}
    other = await api.post(LEADS, json=body, headers={"Idempotency-Key": "k"})
    assert other.status_code == 409


async def test_as_many_as_fit_are_answered_at_once(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    said = await bulk(api, LEADS, *(create(first_name=f"L{n}") for n in range(MAX_AT_ONCE)))
    assert said["succeeded"] == MAX_AT_ONCE
    assert await admin.fetchval("SELECT count(*) FROM leads") == MAX_AT_ONCE


@pytest.mark.parametrize(
    ("operations", "pointer"),
    [
        ([], "/operations"),
        ({}, "/operations"),
        ([{"op": "destroy", "id": "1"}], "/operations/0"),
        ([create(), {"op": "create", "record": []}], "/operations/1/create/record"),
        ([{"op": "delete", "id": 1}], "/operations/0/delete/id"),
        ([{"op": "delete", "id": "1", "version": "1"}], "/operations/0/delete/version"),
        ([{"op": "delete", "id": "1", "force": True}], "/operations/0/delete/force"),
    ],
)
async def test_what_is_no_list_of_operations_is_refused_whole(
    api: httpx.AsyncClient, admin: AdminConnection, operations: Any, pointer: str
) -> None:
    answer = await api.post(LEADS, json={"operations": operations})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert await admin.fetchval("SELECT count(*) FROM leads") == 0


@pytest.mark.parametrize("text", ["\x00", "\ud800", "'; DROP TABLE leads; --", "x" * 100_000])
async def test_hostile_text_is_refused_or_stored_as_it_is(
    api: httpx.AsyncClient, text: str
) -> None:
    said = await bulk(
        api,
        LEADS,
        create(first_name=text),
        create(**{text: "x"}),
        {"op": "delete", "id": text[:100].encode("ascii", "ignore").decode()},
        create(first_name="Ada"),
    )
    assert statuses(said)[1:] == [422, 422, 201]
    assert statuses(said)[0] in (201, 422)


async def test_a_body_may_be_larger_than_others_within_bounds(
    api: httpx.AsyncClient, app: FastAPI
) -> None:
    most = app.state.services.settings.max_bulk_bytes
    assert (await bulk(api, LEADS, create(description="x" * 15_000)))["results"]
    answer = await api.post(LEADS, content=b"{}", headers={"Content-Length": str(most + 1)})
    assert answer.status_code == 413


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "PATCH", "DELETE"])
async def test_bulk_is_no_id_of_a_record(api: httpx.AsyncClient, method: str) -> None:
    answer = await api.request(method, LEADS)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["status"] == 405
