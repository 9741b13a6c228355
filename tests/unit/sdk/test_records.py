"""What all records have in common: conditions, what is sent of a record, versions, includes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, assert_type
from uuid import UUID

import httpx
import pytest

from gardenos.core.errors import Conflict
from gardenos.sdk import (
    AsyncGardenOS,
    Company,
    Contact,
    Deal,
    GardenOS,
    NotSent,
    Page,
    Todo,
)
from gardenos.sdk.records import conditions
from gardenos.testing import samples
from gardenos.testing.wire import problem

if TYPE_CHECKING:
    from pathlib import Path

    from gardenos.testing.wire import Wire

DEAL, COMPANY, STAGE = UUID(int=11), UUID(int=12), UUID(int=13)


def deal(**fields: Any) -> dict[str, Any]:
    return {
        "id": str(DEAL),
        "name": "Garden",
        "amount": "1500.50",
        "currency": "EUR",
        "expected_close": "2026-12-24",
        "company_id": str(COMPANY),
        "contact_id": None,
        "version": 3,
        **fields,
    }


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)


# -- conditions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        (None, {}),
        ({"status": "new"}, {"status": "new"}),
        ({"amount.gte": Decimal("1000.50")}, {"amount.gte": "1000.50"}),
        (
            {"closed_at.lt": datetime(2026, 1, 1, tzinfo=UTC)},
            {"closed_at.lt": "2026-01-01T00:00:00Z"},
        ),
        ({"expected_close": date(2026, 12, 24)}, {"expected_close": "2026-12-24"}),
        ({"is_default": True}, {"is_default": True}),
        ({"custom.tier": "gold"}, {"custom.tier": "gold"}),
        ({"owner_id": None}, {"owner_id.is_null": "true"}),
        ({"owner_id.ne": None}, {"owner_id.is_null": "false"}),
        ({"company_id": Company(id=COMPANY)}, {"company_id": str(COMPANY)}),
        ({"status": ["open", "won"]}, {"status.in": "open,won"}),
        ({"status.ne": ["open", "won"]}, {"status.not_in": "open,won"}),
        ({"id.in": [COMPANY, DEAL]}, {"id.in": f"{COMPANY},{DEAL}"}),
        ({"city": ["Berlin", 'Bad "X", Y']}, {"city.in": 'Berlin,"Bad ""X"", Y"'}),
    ],
)
def test_conditions_are_spelt_as_the_api_has_them(where: Any, sent: dict[str, Any]) -> None:
    assert conditions(where) == sent


def test_a_list_says_what_of_which_in_what_order(wire: Wire, garden: GardenOS) -> None:
    answer = {"items": [deal()], "next_cursor": "on", "total": None}
    wire.will(
        httpx.Response(200, json=answer),
        httpx.Response(200, json={**answer, "next_cursor": None}),
    )
    found = garden.deals.list(
        {"status": "open", "is_default": False},
        q="garden",
        sort=["-amount", "name"],
        fields=["name", "amount"],
        include="company",
        include_deleted=True,
    )
    assert [each.name for each in found] == ["Garden"] * 2
    first = {
        "status": "open",
        "is_default": "false",
        "q": "garden",
        "sort": "-amount,name",
        "fields": "name,amount",
        "include": "company",
        "include_deleted": "true",
        "limit": "100",
    }
    assert [dict(request.url.params) for request in wire.asked] == [
        first,
        {**first, "cursor": "on"},
    ]


# -- what is sent of a record ----------------------------------------------------------------


def test_a_record_is_read_as_what_it_is(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.Response(200, json=deal(new_field=1)))
    read = garden.deals.get(DEAL)
    assert (read.amount, read.expected_close) == (Decimal("1500.50"), date(2026, 12, 24))
    assert read.contact_id is None
    assert read["new_field"] == 1
    assert wire.paths == [f"GET /v1/deals/{DEAL}"]


def test_what_was_not_sent_is_not_taken_for_none(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.Response(200, json={"id": str(DEAL), "name": "Garden"}))
    read = garden.deals.get(DEAL, fields=["name"])
    with pytest.raises(NotSent, match="no 'amount': it was not asked for"):
        _ = read.amount
    with pytest.raises(KeyError):
        _ = read["amount"]
    assert not hasattr(read, "version")
    assert (read.get("name"), read.get("amount"), read.get("amount", 0)) == ("Garden", None, 0)
    assert dict(read) == {"id": DEAL, "name": "Garden"}
    assert read.model_dump() == {"id": DEAL, "name": "Garden"}
    assert "amount" not in repr(read)
    assert read == Deal(id=DEAL, name="Garden") != Deal(id=DEAL, name="Garden", amount=None)


def test_what_was_included_comes_with_every_record(wire: Wire, garden: GardenOS) -> None:
    included = {"companies": {str(COMPANY): {"id": str(COMPANY), "name": "Floral"}}}
    wire.will(
        httpx.Response(200, json={"items": [deal()], "next_cursor": None, "included": included}),
        httpx.Response(200, json=deal(included=included)),
    )
    listed = next(garden.deals.list(include=["company"]))
    alone = garden.deals.get(listed, include=["company"])
    for read in (listed, alone):
        assert read.company_id == COMPANY
        assert read.included["companies"][COMPANY]["name"] == "Floral"


def test_without_an_include_there_is_none(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.Response(200, json={"items": [deal()], "next_cursor": None}))
    page = garden.deals.page()
    assert page.included == {}
    with pytest.raises(NotSent):
        _ = page.items[0].included


# -- writing ---------------------------------------------------------------------------------


async def test_fields_are_sent_exactly(wire: Wire, agarden: AsyncGardenOS) -> None:
    wire.will(httpx.Response(201, json=deal()))
    made = await agarden.deals.create(
        name="Garden",
        amount=Decimal("1500.50"),
        currency="EUR",
        expected_close=date(2026, 12, 24),
        company_id=COMPANY,
        custom={"tier": "gold", "since": date(2026, 1, 1)},
        idempotency_key="once",
    )
    assert made.id == DEAL
    assert wire.asked[0].headers["Idempotency-Key"] == "once"
    assert body(wire.asked[0]) == {
        "name": "Garden",
        "amount": "1500.50",
        "currency": "EUR",
        "expected_close": "2026-12-24",
        "company_id": str(COMPANY),
        "custom": {"tier": "gold", "since": "2026-01-01"},
    }


def test_a_change_names_the_version_that_was_read(wire: Wire, garden: GardenOS) -> None:
    wire.will(*[httpx.Response(200, json=deal(version=4)) for _ in range(4)])
    read = Deal.model_validate(deal())
    assert garden.deals.change(read, stage_id=STAGE).version == 4
    garden.deals.change(read, version=9, name="x")
    garden.deals.change(read, version="*", name="x")
    garden.deals.change(DEAL, name="x")
    assert [r.headers.get("If-Match") for r in wire.asked] == ['"3"', '"9"', "*", None]
    assert body(wire.asked[0]) == {"stage_id": str(STAGE)}


def test_a_deal_ends_and_goes_on(wire: Wire, garden: GardenOS) -> None:
    wire.will(*[httpx.Response(200, json=deal()) for _ in range(3)])
    read = garden.deals.win(DEAL, reason="Price", version=3)
    garden.deals.lose(read, stage_id=STAGE)
    garden.deals.reopen(read)
    assert [body(request) for request in wire.asked] == [
        {"reason": "Price"},
        {"stage_id": str(STAGE)},
        {},
    ]
    assert [r.headers.get("If-Match") for r in wire.asked] == ['"3"', None, None]
    assert all("Idempotency-Key" in request.headers for request in wire.asked)


def test_a_record_is_deleted_whatever_its_version_unless_said(wire: Wire, garden: GardenOS) -> None:
    wire.will(*[httpx.Response(204) for _ in range(2)], problem(409, "conflict", "holds deals"))
    read = Todo.model_validate({"id": str(DEAL), "version": 2})
    garden.todos.delete(read)
    garden.todos.delete(read, version=read.version)
    with pytest.raises(Conflict, match="holds deals"):
        garden.pipelines.delete(COMPANY)
    assert [r.headers.get("If-Match") for r in wire.asked] == [None, '"2"', None]
    assert wire.paths[0] == f"DELETE /v1/tasks/{DEAL}"


def test_the_stages_of_a_pipeline_are_put_as_a_whole(wire: Wire, garden: GardenOS) -> None:
    pipeline = {"id": str(COMPANY), "name": "Sales", "is_default": True, "version": 5}
    wire.will(httpx.Response(200, json=pipeline), httpx.Response(200, json={"items": []}))
    read = garden.pipelines.get(COMPANY)
    garden.pipelines.put_stages(
        read, [{"id": STAGE, "name": "New"}, {"name": "Won", "kind": "won"}]
    )
    assert wire.asked[1].headers["If-Match"] == '"5"'
    assert body(wire.asked[1]) == {
        "items": [{"id": str(STAGE), "name": "New"}, {"name": "Won", "kind": "won"}]
    }


# -- accounts and agencies -------------------------------------------------------------------


def grant(number: int) -> httpx.Response:
    return httpx.Response(
        200,
        json={
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "expires_in": 3600,
        },
    )


def test_entering_another_agency_takes_another_token(wire: Wire, member: GardenOS) -> None:
    entered = httpx.Response(200, json={"agency_id": str(COMPANY), "next_step": "Refresh."})
    wire.will(grant(1), entered, grant(2), httpx.Response(200, json={"items": []}))
    assert member.memberships.enter(COMPANY).agency_id == COMPANY
    member.members.list()
    assert body(wire.asked[2]) == {"refresh_token": "refresh-1"}
    assert wire.asked[3].headers["Authorization"] == "Bearer access-2"


def test_who_has_no_account_yet_sends_no_token(wire: Wire, member: GardenOS) -> None:
    invitation = {
        "agency": "Ada & Co",
        "email": "b@example.org",
        "role": "agent",
        "expires_at": "2026-01-01T00:00:00Z",
    }
    wire.will(httpx.Response(200, json=invitation), problem(422, "invalid-content", "Too short."))
    assert member.invitations.read("a/b").agency == "Ada & Co"
    with pytest.raises(Exception, match="Too short"):
        member.account.sign_up("b@example.org", "short", data={"invitation": "a/b"})
    assert wire.asked[0].url.raw_path == b"/v1/join/a%2Fb"
    assert all("Authorization" not in request.headers for request in wire.asked)
    assert body(wire.asked[1])["data"] == {"invitation": "a/b"}


# -- types -----------------------------------------------------------------------------------


async def test_a_type_checker_knows_every_noun(garden: GardenOS, agarden: AsyncGardenOS) -> None:
    assert_type(garden.deals.list({"status": "open"}), Iterator[Deal])
    assert_type(agarden.contacts.list(), AsyncIterator[Contact])
    page = agarden.companies.page()
    _ = assert_type(page, Coroutine[Any, Any, Page[Company]])
    page.close()
    change = agarden.todos.change(samples.TASK_ID, title="Call")
    _ = assert_type(change, Coroutine[Any, Any, Todo])
    change.close()


# -- files -----------------------------------------------------------------------------------


async def test_a_file_is_sent_anew_as_a_whole_and_without_a_token(
    wire: Wire, garden: GardenOS, agarden: AsyncGardenOS, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.pdf"
    plan.write_bytes(b"plan " * 200_000)
    upload = {"method": "PUT", "url": "http://files.test/x", "expires_at": "2026-01-01T00:00:00Z"}
    attachment = {"id": str(DEAL), "state": "pending", "bytes": 1_000_000}

    def answers() -> None:
        wire.will(
            httpx.Response(201, json={**attachment, "upload": upload}),
            problem(503, "unavailable"),
            httpx.Response(204),
            httpx.Response(200, json={**attachment, "state": "stored"}),
        )

    answers()
    assert garden.attachments.store(plan, deal_id=DEAL).state == "stored"
    answers()
    assert (await agarden.attachments.store(plan, deal_id=DEAL)).state == "stored"
    assert wire.paths[:4] == [
        "POST /v1/attachments",
        "PUT /x",
        "PUT /x",
        f"POST /v1/attachments/{DEAL}/confirm",
    ]
    announced = body(wire.asked[0])
    assert announced["sha256"] == hashlib.sha256(plan.read_bytes()).hexdigest()
    assert (announced["name"], announced["media_type"]) == ("plan.pdf", "application/pdf")
    sent = [request for request in wire.asked if request.method == "PUT"]
    assert [request.content for request in sent] == [plan.read_bytes()] * 4
    for request in sent:
        assert request.headers["Content-Length"] == "1000000"
        assert "Transfer-Encoding" not in request.headers
        assert "Authorization" not in request.headers
