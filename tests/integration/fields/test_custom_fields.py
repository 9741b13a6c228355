"""Custom fields over HTTP: definitions, and kinds that change under data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.fields.conftest import etag

if TYPE_CHECKING:
    import httpx

    from tests.integration.fields.conftest import Make

FIELDS = "/v1/custom-fields"


async def test_a_definition_is_stored_listed_and_archived(
    api: httpx.AsyncClient, make: Make
) -> None:
    options = {"choices": ["gold", "silver"]}
    field = await make(
        "custom-fields", entity="leads", key="tier", label="Tier", kind="choice", options=options
    )
    assert (field["kind"], field["options"], field["required"]) == ("choice", options, False)
    await make("custom-fields", entity="deals", key="tier", label="Tier", kind="text")
    listed = await api.get(FIELDS, params={"entity": "leads"})
    assert [one["id"] for one in listed.json()["items"]] == [field["id"]]
    assert (await api.delete(f"{FIELDS}/{field['id']}")).status_code == 204
    await make("leads", last_name="Byron", custom={"tier": "anything"})
    restored = await api.post(f"{FIELDS}/{field['id']}/restore")
    assert restored.status_code == 422
    assert restored.json()["errors"][0]["pointer"] == "/kind"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"key": "Tier"}, "/key"),
        ({"key": "a b"}, "/key"),
        ({"key": "x" * 64}, "/key"),
        ({"entity": "pipelines"}, "/entity"),
        ({"kind": "blob"}, "/kind"),
        ({"kind": "choice"}, "/options"),
        ({"kind": "choice", "options": {"choices": ["a", "a"]}}, "/options"),
        ({"kind": "choice", "options": {"choices": []}}, "/options/choices"),
        ({"kind": "text", "options": {"choices": ["a"]}}, "/options"),
        ({"kind": "relation"}, "/options"),
        ({"kind": "money", "options": {"currency": "euro"}}, "/options/currency"),
        ({"kind": "money", "options": {"currency": "ZZZ"}}, "/options/currency"),
        ({"label": " "}, "/label"),
    ],
)
async def test_a_definition_that_says_nothing_sensible_is_refused(
    api: httpx.AsyncClient, wrong: dict[str, Any], pointer: str
) -> None:
    good = {"entity": "leads", "key": "tier", "label": "Tier", "kind": "text"}
    answer = await api.post(FIELDS, json=good | wrong)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_key_is_defined_once(api: httpx.AsyncClient, make: Make) -> None:
    await make("custom-fields", entity="leads", key="tier", label="Tier", kind="text")
    again = {"entity": "leads", "key": "tier", "label": "Level", "kind": "number"}
    answer = await api.post(FIELDS, json=again)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/key")


@pytest.mark.parametrize("change", [{"key": "level"}, {"entity": "deals"}])
async def test_a_key_is_not_renamed(
    api: httpx.AsyncClient, make: Make, change: dict[str, str]
) -> None:
    field = await make("custom-fields", entity="leads", key="tier", label="Tier", kind="text")
    answer = await api.patch(f"{FIELDS}/{field['id']}", json=change, headers=etag(field))
    assert answer.status_code == 422


async def test_a_kind_that_changes_under_data_converts_all_or_nothing(
    api: httpx.AsyncClient, make: Make
) -> None:
    field = await make("custom-fields", entity="leads", key="size", label="Size", kind="text")
    seven = await make("leads", last_name="A", custom={"size": " 7 "})
    many = await make("leads", last_name="B", custom={"size": "many"})
    address = f"{FIELDS}/{field['id']}"

    asked = await api.patch(address, json={"kind": "number"}, headers=etag(field))
    assert asked.status_code == 409
    assert {"values": 2, "fitting": 0, "convertible": 1}.items() <= asked.json().items()
    assert asked.json()["detail"].startswith("2 of 2 values stored under size are not of the kind")

    lossy = {"kind": "number", "convert": True}
    refused = await api.patch(address, json=lossy, headers=etag(field))
    assert refused.status_code == 409
    assert "1 of 2 values" in refused.json()["detail"]
    assert (await api.get(f"/v1/leads/{seven['id']}")).json()["custom"] == {"size": "7"}

    corrected = {"custom": {"size": "12"}}
    await api.patch(f"/v1/leads/{many['id']}", json=corrected, headers=etag(many))
    done = await api.patch(address, json=lossy, headers=etag(field))
    assert (done.status_code, done.json()["kind"]) == (200, "number")
    kept = [
        (await api.get(f"/v1/leads/{lead['id']}")).json()["custom"]["size"]
        for lead in (seven, many)
    ]
    assert kept == [7, 12]
    wrong = await api.post("/v1/leads", json={"last_name": "C", "custom": {"size": "many"}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"] == [{"pointer": "/custom/size", "detail": "is no number"}]


async def test_a_definition_over_values_of_imports_converts_them_if_asked(
    api: httpx.AsyncClient, make: Make
) -> None:
    lead = await make("leads", last_name="A", custom={"member": "yes"})
    new = {"entity": "leads", "key": "member", "label": "Member", "kind": "boolean"}
    asked = await api.post(FIELDS, json=new)
    assert (asked.status_code, asked.json()["convertible"]) == (409, 1)
    assert (await api.post(FIELDS, json=new | {"convert": True})).status_code == 201
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["custom"] == {"member": True}


CONVERSIONS: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("number", "-12.50", {}, -12.5),
    ("text", 7, {}, "7"),
    ("text", True, {}, "true"),
    ("date", "2026-02-28", {}, "2026-02-28"),
    ("money", "12.5 EUR", {}, {"amount": "12.5", "currency": "EUR"}),
    ("money", 12, {"currency": "EUR"}, {"amount": "12", "currency": "EUR"}),
    ("choice", "GOLD", {"choices": ["gold"]}, "gold"),
    ("multi_choice", "Gold", {"choices": ["gold"]}, ["gold"]),
    ("boolean", "No", {}, False),
]
LOSSES: list[tuple[str, Any, dict[str, Any]]] = [
    ("number", "1e3", {}),
    ("number", True, {}),
    ("date", "28.2.2026", {}),
    ("money", 12, {}),
    ("choice", "bronze", {"choices": ["gold"]}),
    ("boolean", "maybe", {}),
    ("email", "ada", {}),
    ("relation", "ada", {"entity": "contacts"}),
]


async def test_values_become_another_kind_where_nothing_is_lost(
    api: httpx.AsyncClient, make: Make
) -> None:
    for n, (kind, before, options, after) in enumerate(CONVERSIONS):
        lead = await make("leads", last_name="A", custom={f"x{n}": before})
        new = {"entity": "leads", "key": f"x{n}", "label": "X", "kind": kind, "options": options}
        answer = await api.post(FIELDS, json=new | {"convert": True})
        assert answer.status_code == 201, answer.text
        assert (await api.get(f"/v1/leads/{lead['id']}")).json()["custom"] == {f"x{n}": after}


async def test_values_that_would_be_lost_stay_as_they_are(
    api: httpx.AsyncClient, make: Make
) -> None:
    for n, (kind, value, options) in enumerate(LOSSES):
        await make("leads", last_name="A", custom={f"x{n}": value})
        new = {"entity": "leads", "key": f"x{n}", "label": "X", "kind": kind, "options": options}
        answer = await api.post(FIELDS, json=new | {"convert": True})
        assert (answer.status_code, answer.json().get("convertible")) == (409, 0), answer.text


async def test_money_several_choices_and_relations_are_stored_over_http(
    api: httpx.AsyncClient, make: Make
) -> None:
    await make("custom-fields", entity="leads", key="price", label="Price", kind="money")
    several = {"choices": ["a", "b"]}
    new = {"entity": "leads", "key": "parts", "label": "Parts", "kind": "multi_choice"}
    await make("custom-fields", **new, options=several)
    new = {"entity": "leads", "key": "twin", "label": "Twin", "kind": "relation"}
    await make("custom-fields", **new, options={"entity": "leads"})
    first = await make("leads", last_name="A")
    custom = {
        "price": {"amount": "12.50", "currency": "EUR"},
        "parts": ["b", "a"],
        "twin": first["id"],
    }
    assert (await make("leads", last_name="B", custom=custom))["custom"] == custom
    nobody = {"twin": "00000000-0000-0000-0000-000000000001"}
    answer = await api.post("/v1/leads", json={"last_name": "C", "custom": nobody})
    assert answer.json()["errors"][0] == {
        "pointer": "/custom/twin",
        "detail": "names none of your leads",
    }


async def test_who_only_reads_defines_nothing(reader: httpx.AsyncClient, make: Make) -> None:
    field = await make("custom-fields", entity="leads", key="tier", label="Tier", kind="text")
    new = {"entity": "leads", "key": "level", "label": "Level", "kind": "text"}
    assert (await reader.post(FIELDS, json=new)).status_code == 403
    change = {"kind": "number"}
    path = f"{FIELDS}/{field['id']}"
    assert (await reader.patch(path, json=change, headers=etag(field))).status_code == 403
    assert (await reader.get(path)).status_code == 200


async def test_money_of_a_custom_field_is_in_a_currency_that_is_in_use(
    api: httpx.AsyncClient,
) -> None:
    for currency, status in (("EUR", 201), ("ZZZ", 422), ("DEM", 422)):
        price = {"amount": "12.50", "currency": currency}
        answer = await api.post("/v1/leads", json={"last_name": "A", "custom": {"price": price}})
        assert answer.status_code == status, answer.text
        assert ("is no currency in use by ISO 4217" in answer.text) == (status == 422)
