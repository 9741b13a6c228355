"""Lists filter and sort by custom fields as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from gardenos.testing.postgres import AdminConnection
    from tests.integration.fields.conftest import Make

LONG = "x" * 400
VALUES: dict[str, tuple[str, dict[str, Any], list[Any]]] = {
    "region": ("text", {}, ["north", "North", "south", LONG + "a", LONG + "b", None]),
    "visits": ("number", {}, [10, 9, 2.5, -1, 100, None]),
    "price": (
        "money",
        {},
        [
            {"amount": "99999999999999.0001", "currency": "EUR"},
            {"amount": "99999999999999.0002", "currency": "EUR"},
            {"amount": "10.10", "currency": "EUR"},
            {"amount": "9", "currency": "USD"},
            {"amount": "-5", "currency": "EUR"},
            None,
        ],
    ),
    "since": ("date", {}, ["2026-01-31", "2026-02-01", "2025-12-31", "2026-02-01", None, None]),
    "member": ("boolean", {}, [True, False, True, False, None, None]),
    "parts": (
        "multi_choice",
        {"choices": ["a", "b", "c"]},
        [["a", "b"], ["b"], [], ["c"], None, None],
    ),
    "mail": ("email", {}, ["Ada@x.org", "bob@x.org", None, None, None, None]),
}
FILTERS: list[tuple[str, str, Sequence[int]]] = [
    ("region", "north", [0]),
    ("region.ne", "north", [1, 2, 3, 4, 5]),
    ("region.in", "north,south", [0, 2]),
    ("region.not_in", "north,south", [1, 3, 4, 5]),
    ("region", LONG + "a", [3]),
    ("region.in", f"{LONG}b,south", [2, 4]),
    ("region.contains", "RTH", [0, 1]),
    ("region.starts_with", LONG + "b", [4]),
    ("region.is_null", "true", [5]),
    ("region.is_null", "false", [0, 1, 2, 3, 4]),
    ("visits", "2.5", [2]),
    ("visits.gt", "9", [0, 4]),
    ("visits.gte", "9", [0, 1, 4]),
    ("visits.lt", "2.5", [3]),
    ("visits.lte", "2.5", [2, 3]),
    ("visits.ne", "10", [1, 2, 3, 4, 5]),
    ("price", "99999999999999.0002", [1]),
    ("price.gt", "99999999999999.0001", [1]),
    ("price.lt", "99999999999999.0002", [0, 2, 3, 4]),
    ("price.gte", "10.1", [0, 1, 2]),
    ("price.ne", "9", [0, 1, 2, 4, 5]),
    ("since", "2026-02-01", [1, 3]),
    ("since.lt", "2026-02-01", [0, 2]),
    ("since.is_null", "true", [4, 5]),
    ("member", "true", [0, 2]),
    ("member", "false", [1, 3]),
    ("parts", "b", [0, 1]),
    ("parts.in", "a,c", [0, 3]),
    ("parts.ne", "b", [2, 3, 4, 5]),
    ("parts.is_null", "true", [2, 4, 5]),
    ("parts.contains", "B", [0, 1]),
    ("mail", "ADA@X.ORG", [0]),
    ("mail.in", "ada@x.org,BOB@x.org", [0, 1]),
]


@pytest.fixture
async def leads(make: Make) -> list[str]:
    """Six leads with a value of each kind; their ids."""
    for key, (kind, options, _) in VALUES.items():
        new = {"entity": "leads", "key": key, "label": key, "kind": kind, "options": options}
        await make("custom-fields", **new)
    found: list[str] = []
    for n in range(6):
        custom = {key: values[n] for key, (_, _, values) in VALUES.items() if values[n] is not None}
        found.append((await make("leads", last_name=f"n{n}", custom=custom))["id"])
    return found


async def listed(api: httpx.AsyncClient, **parameters: str) -> list[str]:
    """The ids of the whole list, two by two."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.get("/v1/leads", params={"limit": "2", **parameters, **cursor})
        assert answer.status_code == 200, answer.text
        found += [item["id"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


async def test_filters_compare_values_as_what_they_are(
    api: httpx.AsyncClient, leads: list[str]
) -> None:
    for parameter, value, expected in FILTERS:
        found = await listed(api, **{f"custom.{parameter}": value, "sort": "created_at"})
        assert [leads.index(one) for one in found] == list(expected), (parameter, value)


@pytest.mark.parametrize("key", ["region", "visits", "price", "since", "member", "mail"])
async def test_pages_follow_the_order_of_a_custom_field(
    api: httpx.AsyncClient, admin: AdminConnection, leads: list[str], key: str
) -> None:
    rank = {
        row["id"]: row["n"]
        for row in await admin.fetch(
            "SELECT v.record_id::text AS id, rank() OVER (ORDER BY v.text_value, v.number_value,"
            " v.date_value) AS n FROM custom_values v JOIN custom_fields f ON f.id = v.field_id"
            " WHERE f.key = $1",
            key,
        )
    }
    assert len(rank) == len(leads)
    rising = await listed(api, sort=f"custom.{key}")
    assert sorted(rising) == sorted(leads)
    assert rising == sorted(leads, key=lambda one: (rank[one], one))
    falling = await listed(api, sort=f"-custom.{key},created_at")
    assert falling == sorted(leads, key=lambda one: (-rank[one], one))


async def test_an_empty_value_counts_as_the_highest(
    api: httpx.AsyncClient, leads: list[str]
) -> None:
    assert (await listed(api, sort="custom.visits"))[-1] == leads[5]
    assert (await listed(api, sort="-custom.visits"))[0] == leads[5]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("custom.visits", "many"),
        ("custom.since.gte", "yesterday"),
        ("custom.price.gt", "9 EUR"),
        ("custom.member", "perhaps"),
        ("custom.region.gt", "a"),
        ("custom.visits.contains", "1"),
        ("sort", "custom.parts"),
        ("sort", "custom.unknown"),
    ],
)
async def test_what_a_field_never_holds_is_refused(
    api: httpx.AsyncClient, leads: list[str], parameter: str, value: str
) -> None:
    answer = await api.get("/v1/leads", params={parameter: value})
    assert (len(leads), answer.status_code) == (6, 400)
    assert answer.json()["errors"][0]["pointer"] == parameter


async def test_the_total_counts_what_a_custom_filter_finds(
    api: httpx.AsyncClient, leads: list[str]
) -> None:
    params = {"custom.visits.gte": "9", "sort": "custom.visits", "total": "true", "limit": "1"}
    answer = (await api.get("/v1/leads", params=params)).json()
    assert (answer["total"], [one["id"] for one in answer["items"]]) == (3, [leads[1]])
