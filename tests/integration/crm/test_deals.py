"""Deals, their pipelines, and what they are worth."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member
from tests.support.records import make

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn

ANY = {"If-Match": "*"}
USUAL = ["Qualified", "Meeting", "Proposal", "Negotiation", "Won", "Lost"]


async def stages(api: httpx.AsyncClient, pipeline_id: str) -> dict[str, dict[str, Any]]:
    answer = await api.get(f"/v1/pipelines/{pipeline_id}/stages")
    assert answer.status_code == 200, answer.text
    return {stage["name"]: stage for stage in answer.json()["items"]}


async def test_the_first_deal_makes_the_first_pipeline(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    answers = await asyncio.gather(
        *(api.post("/v1/deals", json={"name": f"Deal {n}"}) for n in range(4))
    )
    assert {answer.status_code for answer in answers} == {201}
    [pipeline] = (await api.get("/v1/pipelines")).json()["items"]
    assert (pipeline["name"], pipeline["is_default"]) == ("Sales", True)
    found = await stages(api, pipeline["id"])
    assert list(found) == USUAL
    assert {answer.json()["stage_id"] for answer in answers} == {found["Qualified"]["id"]}
    assert (await outsider.get("/v1/pipelines")).json()["items"] == []


async def test_a_role_that_makes_no_pipeline_is_told_to_ask_for_one(
    api: httpx.AsyncClient, sign_in: SignIn, admin: AdminConnection, owner: Claims
) -> None:
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    refused = await agent.post("/v1/deals", json={"name": "x"})
    assert refused.status_code == 409
    assert refused.json()["detail"].endswith("Ask a manager for one.")
    assert (await api.get("/v1/pipelines")).json()["items"] == []
    await make(api, "pipelines")
    assert (await agent.post("/v1/deals", json={"name": "x"})).status_code == 201


async def test_a_deal_goes_through_its_stages_and_its_history_says_so(
    api: httpx.AsyncClient, owner: Claims
) -> None:
    deal = await make(api, "deals", amount="1200.50", currency="EUR")
    path = f"/v1/deals/{deal['id']}"
    found = await stages(api, deal["pipeline_id"])
    moved = await api.patch(
        path, json={"stage_id": found["Proposal"]["id"]}, headers={"If-Match": '"1"'}
    )
    assert (moved.status_code, moved.json()["status"]) == (200, "open")
    won = await api.post(f"{path}/win", json={"reason": "The price"}, headers={"If-Match": '"2"'})
    assert won.status_code == 200, won.text
    body = won.json()
    assert (body["status"], body["close_reason"]) == ("won", "The price")
    assert body["stage_id"] == found["Won"]["id"]
    assert body["closed_at"] is not None
    assert (await api.post(f"{path}/win", json={}, headers={"If-Match": '"2"'})).status_code == 412
    back = await api.post(f"{path}/reopen", json={})
    assert back.status_code == 200
    assert (back.json()["stage_id"], back.json()["status"]) == (found["Proposal"]["id"], "open")
    assert (back.json()["closed_at"], back.json()["close_reason"]) == (None, None)
    assert (await api.post(f"{path}/reopen", json={})).status_code == 409
    lost = await api.post(f"{path}/lose", json={"reason": "No budget"})
    assert (lost.json()["status"], lost.json()["close_reason"]) == ("lost", "No budget")
    first = await api.get(f"{path}/stages?limit=3")
    second = await api.get(first.headers["link"].partition(">")[0].removeprefix("<"))
    history = first.json()["items"] + second.json()["items"]
    names = {stage["id"]: name for name, stage in found.items()}
    assert [names[entry["stage_id"]] for entry in history] == [
        "Lost",
        "Proposal",
        "Won",
        "Proposal",
        "Qualified",
    ]
    assert [names.get(entry["from_stage_id"]) for entry in history] == [
        "Proposal",
        "Won",
        "Proposal",
        "Qualified",
        None,
    ]
    assert {(one["amount"], one["currency"]) for one in history} == {("1200.5", "EUR")}
    assert {one["moved_by"] for one in history} == {str(owner.sub)}


async def test_a_deal_that_names_half_its_place_gets_the_other_half(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    usual, other = await make(api, "pipelines", is_default=True), await make(api, "pipelines")
    here, there = await stages(api, usual["id"]), await stages(api, other["id"])
    by_stage = await make(api, "deals", stage_id=there["Meeting"]["id"])
    assert by_stage["pipeline_id"] == other["id"]
    by_pipeline = await make(api, "deals", pipeline_id=other["id"])
    assert by_pipeline["stage_id"] == there["Qualified"]["id"]
    path = f"/v1/deals/{by_stage['id']}"
    moved = await api.patch(path, json={"stage_id": here["Won"]["id"]}, headers=ANY)
    assert (moved.json()["pipeline_id"], moved.json()["status"]) == (usual["id"], "won")
    back = await api.patch(path, json={"pipeline_id": other["id"]}, headers=ANY)
    assert (back.json()["stage_id"], back.json()["status"]) == (there["Qualified"]["id"], "open")
    theirs = await make(outsider, "pipelines")
    foreign = next(iter((await stages(outsider, theirs["id"])).values()))["id"]
    for wrong, pointer in (
        ({"stage_id": foreign}, "/stage_id"),
        ({"pipeline_id": theirs["id"]}, "/pipeline_id"),
        ({"pipeline_id": usual["id"], "stage_id": there["Won"]["id"]}, "/stage_id"),
        ({"stage_id": str(uuid4())}, "/stage_id"),
    ):
        for answer in (
            await api.post("/v1/deals", json={"name": "x", **wrong}),
            await api.patch(path, json=wrong, headers=ANY),
        ):
            assert answer.status_code == 422, answer.text
            assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    wrong_kind = await api.post(f"{path}/win", json={"stage_id": there["Lost"]["id"]})
    assert wrong_kind.status_code == 422


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1500.00", "1500"),
        (1500, "1500"),
        (0.1, "0.1"),
        ("0.0001", "0.0001"),
        ("99999999999999.9999", "99999999999999.9999"),
        (0, "0"),
    ],
)
async def test_an_amount_is_kept_exactly(api: httpx.AsyncClient, sent: Any, kept: str) -> None:
    deal = await make(api, "deals", amount=sent, currency="EUR")
    assert deal["amount"] == kept
    assert (await api.get(f"/v1/deals/{deal['id']}")).json()["amount"] == kept
    found = (await api.get("/v1/deals", params={"amount": kept})).json()["items"]
    assert [one["id"] for one in found] == [deal["id"]]


@pytest.mark.parametrize(
    "money",
    [
        {"amount": "1"},
        {"currency": "EUR"},
        {"amount": "1.00001", "currency": "EUR"},
        {"amount": "-1", "currency": "EUR"},
        {"amount": "NaN", "currency": "EUR"},
        {"amount": "1e99", "currency": "EUR"},
        {"amount": "100000000000000", "currency": "EUR"},
        {"amount": True, "currency": "EUR"},
        {"amount": "1_000", "currency": "EUR"},
        {"amount": "1", "currency": "eur"},
        {"amount": "1", "currency": "EURO"},
        {"amount": "1", "currency": "ZZZ"},
        {"amount": "1", "currency": "DEM"},
    ],
)
async def test_money_that_is_none_is_refused(api: httpx.AsyncClient, money: dict[str, Any]) -> None:
    answer = await api.post("/v1/deals", json={"name": "x", **money})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] in ("/amount", "/currency")
    deal = await make(api, "deals", amount="5", currency="USD")
    path = f"/v1/deals/{deal['id']}"
    if len(money) == 1:
        money = dict.fromkeys(money)
    assert (await api.patch(path, json=money, headers=ANY)).status_code == 422
    both = await api.patch(path, json={"amount": None, "currency": None}, headers=ANY)
    assert (both.json()["amount"], both.json()["currency"]) == (None, None)


async def test_a_pipeline_or_stage_that_holds_deals_stays(api: httpx.AsyncClient) -> None:
    deal = await make(api, "deals")
    pipeline = (await api.get(f"/v1/pipelines/{deal['pipeline_id']}")).json()
    path = f"/v1/pipelines/{pipeline['id']}"
    refused = await api.delete(path)
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "The pipeline holds 1 deal. Move them to another one first.",
    )
    held = (await api.get(f"{path}/stages")).json()["items"]
    without = [stage for stage in held if stage["name"] != "Qualified"]
    turned = [
        {**stage, "kind": "won", "probability": 100} if stage["name"] == "Qualified" else stage
        for stage in held
    ]
    for wanted in (without, turned):
        sent = [
            {k: v for k, v in one.items() if k in ("id", "name", "kind", "probability")}
            for one in wanted
        ]
        answer = await api.put(f"{path}/stages", json={"items": sent}, headers=ANY)
        assert answer.status_code == 409, answer.text
        assert "'Qualified' holds 1 deal" in answer.json()["detail"]
    assert (await api.get(f"{path}/stages")).json()["items"] == held
    await api.delete(f"/v1/deals/{deal['id']}")
    assert (await api.delete(path)).status_code == 204
    assert (await api.post(f"{path}/restore")).status_code == 200


async def test_stages_are_put_as_a_whole(api: httpx.AsyncClient) -> None:
    pipeline = await make(
        api, "pipelines", stages=[{"name": "New"}, {"name": "Sold", "kind": "won"}]
    )
    path = f"/v1/pipelines/{pipeline['id']}/stages"
    first = await api.get(path)
    assert first.headers["etag"] == '"1"'
    new, sold = first.json()["items"]
    assert [
        (one["name"], one["kind"], one["probability"], one["position"]) for one in (new, sold)
    ] == [
        ("New", "open", 50, 0),
        ("Sold", "won", 100, 1),
    ]
    wanted = [
        {"id": sold["id"], "name": "Signed", "kind": "won"},
        {"name": "Talks", "probability": 30},
        {"name": "Off", "kind": "lost"},
    ]
    assert (await api.put(path, json={"items": wanted})).status_code == 428
    put = await api.put(path, json={"items": wanted}, headers={"If-Match": '"1"'})
    assert put.status_code == 200, put.text
    assert put.headers["etag"] == '"2"'
    items = put.json()["items"]
    assert [(one["name"], one["probability"], one["position"]) for one in items] == [
        ("Signed", 100, 0),
        ("Talks", 30, 1),
        ("Off", 0, 2),
    ]
    assert items[0]["id"] == sold["id"]
    assert (
        await api.put(path, json={"items": wanted}, headers={"If-Match": '"1"'})
    ).status_code == 412
    swapped = [
        {"id": items[1]["id"], "name": "Off"},
        {"id": items[2]["id"], "name": "Talks", "kind": "lost"},
    ]
    assert (await api.put(path, json={"items": swapped}, headers=ANY)).status_code in (200, 409)
    missing = await api.put(f"/v1/pipelines/{uuid4()}/stages", json={"items": wanted}, headers=ANY)
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        [{"name": "a"}, {"name": "A"}],
        [{"name": "a", "kind": "won"}],
        [{"name": "a", "kind": "won", "probability": 50}, {"name": "b"}],
        [{"name": "a", "probability": 101}],
        [{"name": "a", "id": str(uuid4())}],
        [{"name": " "}],
        [{"name": "a", "position": 3}],
        [{"name": f"s{n}"} for n in range(51)],
    ],
)
async def test_stages_that_will_not_do_are_refused(
    api: httpx.AsyncClient, wanted: list[dict[str, Any]]
) -> None:
    pipeline = await make(api, "pipelines")
    path = f"/v1/pipelines/{pipeline['id']}/stages"
    answer = await api.put(path, json={"items": wanted}, headers=ANY)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("/items")
    assert list(await stages(api, pipeline["id"])) == USUAL


async def test_one_pipeline_is_the_default_and_names_differ(api: httpx.AsyncClient) -> None:
    first = await make(api, "pipelines", name="Sales", is_default=True)
    second = await make(api, "pipelines", name="Renewals", is_default=True)
    taken = await api.post("/v1/pipelines", json={"name": "SALES"})
    assert taken.status_code == 409
    assert taken.json()["errors"] == [{"pointer": "/name", "detail": "is taken"}]

    async def default() -> list[str]:
        found = (await api.get("/v1/pipelines?is_default=true")).json()["items"]
        return [one["id"] for one in found]

    assert await default() == [second["id"]]
    path = f"/v1/pipelines/{first['id']}"
    assert (await api.patch(path, json={"is_default": True}, headers=ANY)).status_code == 200
    assert await default() == [first["id"]]
    await api.delete(path)
    assert await default() == []
    await make(api, "pipelines", name="Sales", is_default=True)
    refused = await api.post(f"{path}/restore")
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith(
        "Another pipeline, perhaps a deleted one, has the same"
    )


async def test_a_board_counts_and_sums_by_currency(api: httpx.AsyncClient) -> None:
    pipeline = await make(api, "pipelines")
    found = await stages(api, pipeline["id"])
    meeting = {"stage_id": found["Meeting"]["id"]}
    for amount, currency in (("10.25", "EUR"), ("20", "EUR"), ("5", "USD")):
        await make(api, "deals", amount=amount, currency=currency, **meeting)
    await make(api, "deals", **meeting)
    gone = await make(api, "deals", amount="1000", currency="EUR", **meeting)
    await api.delete(f"/v1/deals/{gone['id']}")
    board = (await api.get(f"/v1/pipelines/{pipeline['id']}/board")).json()["items"]
    assert [stage["name"] for stage in board] == USUAL
    assert [stage["deals"] for stage in board] == [0, 4, 0, 0, 0, 0]
    assert board[1]["sums"] == [
        {"currency": "EUR", "amount": "30.25", "weighted": "12.1"},
        {"currency": "USD", "amount": "5", "weighted": "2"},
    ]
    assert board[0]["sums"] == []
    assert (await api.get(f"/v1/pipelines/{uuid4()}/board")).status_code == 404


async def test_what_hangs_on_a_deal_belongs_to_its_agency(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    deal = await make(api, "deals")
    path = f"/v1/deals/{deal['id']}"
    pipeline = f"/v1/pipelines/{deal['pipeline_id']}"
    answers = [
        await outsider.post(f"{path}/win", json={}),
        await outsider.post(f"{path}/lose", json={}),
        await outsider.post(f"{path}/reopen", json={}),
        await outsider.get(f"{path}/stages"),
        await outsider.get(f"{pipeline}/stages"),
        await outsider.get(f"{pipeline}/board"),
        await outsider.put(f"{pipeline}/stages", json={"items": [{"name": "x"}]}, headers=ANY),
    ]
    assert {answer.status_code for answer in answers} == {404}


async def test_a_currency_that_is_none_is_named(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/deals", json={"name": "A", "amount": "1", "currency": "ZZZ"})
    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"]) == (422, "/currency")
    assert fault["detail"] == "is no currency in use by ISO 4217; write its code, as in EUR"
