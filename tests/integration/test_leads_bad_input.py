from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

JSON = {"Content-Type": "application/json"}


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


BODIES = {
    "no JSON": (b"{", 400),
    "nothing": (b"", 422),
    "not UTF-8": (b'{"first_name": "\xff"}', 400),
    "deep nesting": (b"[" * 200_000, 400),
    "deep nesting in a field": (b'{"custom": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}", 422),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "a number with 5,000 digits": (b'{"custom": {"a": ' + b"9" * 5000 + b"}}", 400),
    "a number with 400 digits": (b'{"custom": {"a": ' + b"9" * 400 + b"}}", 422),
    "a number beyond a double": (b'{"custom": {"a": 1e999}}', 422),
    "NaN": (b'{"custom": {"a": NaN}}', 422),
    "Infinity": (b'{"custom": {"a": -Infinity}}', 422),
    "NaN as text": (b'{"first_name": NaN}', 422),
    "NUL": (body(first_name="a\x00b"), 422),
    "NUL in a custom key": (body(custom={"a\x00": 1}), 422),
    "NUL in a custom value": (body(custom={"a": "\x00"}), 422),
    "half a surrogate pair": (b'{"first_name": "\\ud800"}', 422),
    "half a surrogate pair in a custom key": (b'{"custom": {"\\udfff": 1}}', 422),
    "half a surrogate pair in a custom value": (b'{"custom": {"a": "x\\ud800y"}}', 422),
    "half a surrogate pair as a field": (b'{"\\ud800": 1}', 422),
    "an unknown field": (body(first_nme="Ada"), 422),
    "a field agents write": (body(quality_score=100), 422),
    "a number for a name": (body(first_name=7), 422),
    "a list for a name": (body(first_name=["Ada"]), 422),
    "an unknown status": (body(status="hot"), 422),
    "no status": (body(status=None), 422),
    "a name that is too long": (body(first_name="x" * 201), 422),
    "a long text": (body(notes="x" * 900_000), 422),
    "no address": (body(email="ada.example.com"), 422),
    "two addresses": (body(email="a@example.com, b@example.com"), 422),
    "half an address": (body(email="@example.com"), 422),
    "an owner that is no id": (body(owner_id="me"), 422),
    "nested custom values": (body(custom={"a": {"b": 1}}), 422),
    "null for the custom values": (body(custom=None), 422),
    "an empty custom key": (body(custom={" ": 1}), 422),
    "too many custom values": (body(custom={str(n): n for n in range(101)}), 422),
    "100,000 unknown fields": (body(**{f"f{n}": 1 for n in range(60_000)}), 422),
}


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:gardenos:problem:")
    assert len(answer.content) < 50_000
    return problem


@pytest.mark.parametrize("what", BODIES)
async def test_a_body_that_will_not_do_is_refused_and_changes_nothing(
    api: httpx.AsyncClient, what: str
) -> None:
    content, status = BODIES[what]
    assert_problem(await api.post("/v1/leads", content=content, headers=JSON), status)
    lead = (await api.post("/v1/leads", json={"first_name": "Ada"})).json()
    path = f"/v1/leads/{lead['id']}"
    changed = await api.patch(path, content=content, headers={**JSON, "If-Match": '"1"'})
    assert_problem(changed, status)
    assert (await api.get("/v1/leads")).json()["items"] == [lead]


async def test_a_faulty_field_is_pointed_at(api: httpx.AsyncClient) -> None:
    sent = {"email": "nobody", "custom": {"a/b": [1]}, "first_name": "\x00"}
    problem = assert_problem(await api.post("/v1/leads", json=sent), 422)
    details = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert details["/email"] == "is not an e-mail address: one @, no blanks"
    assert details["/first_name"] == "contains a NUL character"
    assert any(pointer.startswith("/custom/a~1b") for pointer in details)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_of_another_media_type_is_refused(api: httpx.AsyncClient, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert_problem(await api.post("/v1/leads", content=b"{}", headers=headers), 415)


QUERIES = {
    "limit=0": 400,
    "limit=-1": 400,
    "limit=201": 400,
    "limit=99999999999999999999999": 400,
    "limit=ten": 400,
    "limit=5&limit=6": 400,
    "sort=name": 400,
    "status=hot": 400,
    "cursor=": 400,
    "cursor=nonsense": 400,
    "cursor=%00": 400,
    "cursor=WyIwMTkzIl0.c2lnbmF0dXJl": 400,
    "q=%00": 400,
    "q=": 400,
    "email=%20": 400,
    "source=a%00b": 400,
    "quality_score.gte=101": 400,
    "quality_score.lte=-1": 400,
    "created_at.gte=yesterday": 400,
    "created_at.gte=2026-01-01T00:00:00": 400,
    "created_at.gte=1767225600": 400,
    "created_at.lt=0.5": 400,
    "created_at.gte=0001-01-01T00:00:00%2B14:00": 400,
    "created_at.lt=9999-12-31T23:59:59-14:00": 400,
    "total=maybe": 400,
    "page=2": 400,
    "quality_score=5": 200,
    "quality_score=5.5": 400,
    "quality_score.like=5": 400,
    "quality_score.eq=5": 400,
    "notes.gt=a": 400,
    "nothing.is_null=true": 400,
    "status.is_null=true": 400,
    "email.is_null=perhaps": 400,
    "status.in=new,hot": 400,
    "status.in=": 400,
    "status.in=new,lost": 200,
    "owner_id=me": 400,
    "owner_id.in=1,2": 400,
    "source.in=%22": 400,
    "source.in=": 400,
    "source.in=,": 400,
    "source.in=%22a%2Cb%22,c": 200,
    "sort=notes": 400,
    "sort=-created_at,created_at": 400,
    "sort=city,country,source,phone,email": 400,
    "sort=": 400,
    "fields=": 400,
    "fields=id,secret": 400,
    "fields=email,email": 400,
    "include=everything": 400,
    "custom.=1": 400,
    "custom.a%00=1": 400,
    "custom.a=%00": 400,
    "custom.a.gt=%00": 400,
    "custom.a.gt=1e999": 200,
    "custom.a.gt=nan": 200,
    "sort=custom.a": 400,
    "q=%ff%fe": 200,
    "q=%25_%5C": 200,
    "created_at.gte=0001-01-01T00:00:00Z&created_at.lt=9999-12-31T23:59:59Z": 200,
    "limit=200&total=true&include_deleted=1": 200,
}


@pytest.mark.parametrize("query", QUERIES)
async def test_a_query_is_answered_or_refused(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/v1/leads?{query}")
    assert answer.status_code == QUERIES[query], answer.text
    if answer.status_code != 200:
        assert_problem(answer, 400)


@pytest.mark.parametrize("listed", ["scores", "follow-ups"])
async def test_a_list_of_a_lead_refuses_what_that_of_leads_does(
    api: httpx.AsyncClient, listed: str
) -> None:
    lead = (await api.post("/v1/leads", json={})).json()
    for query in ["limit=0", "limit=-1", "limit=201", f"limit={10**30}", "cursor=x", "sort=id"]:
        assert_problem(await api.get(f"/v1/leads/{lead['id']}/{listed}?{query}"), 400)


async def test_an_unknown_parameter_is_named_on_every_route(api: httpx.AsyncClient) -> None:
    lead = (await api.post("/v1/leads", json={})).json()
    path = f"/v1/leads/{lead['id']}"
    answers = [
        await api.get(f"{path}?fieds=id"),
        await api.get(f"{path}?limit=5"),
        await api.delete(f"{path}?force=1"),
        await api.post("/v1/leads?dry_run=1", json={}),
        await api.get("/v1/agency?x=1"),
        await api.get(f"/v1/imports/{uuid4()}?x"),
        await api.get("/v1/leads?limt=5&Sort=x"),
    ]
    problems = [assert_problem(answer, 400) for answer in answers]
    assert {problem["type"] for problem in problems} == {"urn:gardenos:problem:unknown-parameter"}
    assert [error["pointer"] for error in problems[-1]["errors"]] == ["Sort", "limt"]
    assert "`quality_score.gte`" in problems[-1]["detail"]
    assert (await api.get(path)).status_code == 200


async def test_a_cursor_serves_only_the_list_that_gave_it(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    for _ in range(3):
        await api.post("/v1/leads", json={"source": "web"})
        await outsider.post("/v1/leads", json={"source": "web"})
    page = (await api.get("/v1/leads?limit=1&source=web")).json()
    cursor = page["next_cursor"]
    assert (await api.get(f"/v1/leads?limit=2&source=web&cursor={cursor}")).status_code == 200
    for client, query in [
        (outsider, f"source=web&cursor={cursor}"),
        (api, f"cursor={cursor}"),
        (api, f"source=web&sort=created_at&cursor={cursor}"),
        (api, f"source=web&cursor={cursor[:-1]}"),
        (api, f"source=web&cursor={cursor}x"),
    ]:
        problem = assert_problem(await client.get(f"/v1/leads?{query}"), 400)
        assert problem["type"] == "urn:gardenos:problem:invalid-cursor"


@pytest.mark.parametrize("lead_id", ["1", "nil", "%00", "%ff", "x" * 5000, f"{UUID(int=1)}0"])
async def test_an_id_that_is_none_is_refused(api: httpx.AsyncClient, lead_id: str) -> None:
    assert_problem(await api.get(f"/v1/leads/{lead_id}"), 400)


async def test_a_request_without_a_token_is_unauthenticated(
    api: httpx.AsyncClient, crm_app: FastAPI
) -> None:
    transport = httpx.ASGITransport(crm_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gardenos.test") as nobody:
        for answer in [
            await nobody.get("/v1/leads"),
            await nobody.post("/v1/imports", files={"file": b"email\n"}),
            await nobody.get("/v1/agency", headers={"Authorization": "Bearer forged"}),
        ]:
            assert_problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await api.delete("/v1/leads")).status_code == 405


async def test_a_body_over_the_limit_is_413_announced_or_not(api: httpx.AsyncClient) -> None:
    content = body(notes="x" * 10_000_000)
    announced = await api.post("/v1/leads", content=content, headers=JSON)
    assert_problem(announced, 413)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 65_536):
            yield content[start : start + 65_536]

    streamed = await api.post("/v1/leads", content=pieces(), headers=JSON)
    assert assert_problem(streamed, 413)["detail"].startswith("The request body is larger")
    assert (await api.get("/v1/leads")).json()["items"] == []


async def test_the_limit_refuses_nothing_below_it(api: httpx.AsyncClient) -> None:
    custom = {f"k{n}": "é" * 1999 for n in range(99)}
    answer = await api.post("/v1/leads", json={"notes": "x" * 20_000, "custom": custom})
    assert answer.status_code == 201
    assert answer.json()["custom"] == custom
