"""Every filter, order and page of every noun's list, generated from the declarations."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gardenos.core.errors import InvalidRequest
from gardenos.core.page import CursorSigner
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.records import Field, service
from gardenos.crm.records.kinds import Kind, Op
from gardenos.crm.records.query import parameter, parameter_names, parse
from tests.support.records import ENTITIES, fill, make

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.crm.records import Entity
    from gardenos.db.session import Database, TenantSession
    from gardenos.testing.postgres import AdminConnection

COUNT = 23
_COMPARE: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: lambda found, value: found is not None and found == value,
    Op.NE: lambda found, value: found != value,
    Op.LT: lambda found, value: found is not None and found < value,
    Op.LTE: lambda found, value: found is not None and found <= value,
    Op.GT: lambda found, value: found is not None and found > value,
    Op.GTE: lambda found, value: found is not None and found >= value,
}


def read(field: Field, value: Any) -> Any:
    """A value of a record, as filters compare it."""
    if value is None:
        return None
    if field.kind is Kind.MOMENT:
        return datetime.fromisoformat(value)
    if field.kind is Kind.DECIMAL:
        return Decimal(value)
    return value.lower() if field.match_column else value


def matches(field: Field, op: Op, found: Any, sent: str) -> bool:
    """Whether a filter should let a record through."""
    value = read(field, found)
    if op is Op.IS_NULL:
        return (value is None) == (sent == "true")
    if op in (Op.IN, Op.NOT_IN):
        values = [str(read(field, one)) for one in sent.split(",")]
        return (value is not None and str(value) in values) == (op is Op.IN)
    if op is Op.CONTAINS:
        return value is not None and sent.lower() in value.lower()
    if op is Op.STARTS_WITH:
        return value is not None and value.lower().startswith(sent.lower())
    kinds: Mapping[Kind, Callable[[str], Any]] = {
        Kind.INTEGER: int,
        Kind.NUMBER: float,
        Kind.BOOLEAN: lambda text: text == "true",
    }
    wanted = kinds.get(field.kind, str)(sent)
    return _COMPARE[op](value, read(field, wanted))


def asked(field: Field, op: Op, items: list[dict[str, Any]]) -> list[str]:
    """What to send for the filter: values that there are, and some that there are not."""
    if op is Op.IS_NULL:
        return ["true", "false"]
    there = sorted({str(item[field.name]) for item in items if item[field.name] is not None})
    if field.kind is Kind.BOOLEAN:
        return ["true", "false"]
    absent = {
        Kind.INTEGER: "1",
        Kind.NUMBER: "0.5",
        Kind.DECIMAL: "10.5",
        Kind.DATE: "2026-12-12",
        Kind.MOMENT: "2026-12-12T10:00:00+01:00",
        Kind.ID: "00000000-0000-0000-0000-000000000000",
        Kind.TEXT: "Nobody's",
    }
    middle = there[len(there) // 2 :][:1]
    if field.kind is Kind.CHOICE:
        assert field.choices
        return [next(iter(field.choices)).value]
    if op in (Op.IN, Op.NOT_IN):
        return [",".join([*there[:2], absent[field.kind]])]
    if op in (Op.CONTAINS, Op.STARTS_WITH):
        return [text[:3].upper() for text in middle] or ["x"]
    return middle or [absent[field.kind]]


async def items(api: httpx.AsyncClient, noun: str, **params: str) -> list[dict[str, Any]]:
    answer = await api.get(f"/v1/{noun}", params={"limit": "200", **params})
    assert answer.status_code == 200, (params, answer.text)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def arranged(
    api: httpx.AsyncClient, admin: AdminConnection, noun: str
) -> list[dict[str, Any]]:
    await fill(api, noun, COUNT if noun != "pipelines" else 5)
    if noun == "leads":
        await admin.execute(
            "UPDATE leads SET quality_score = n % 7, conversion_probability = n % 7 / 10.0,"
            " scored_at = now() FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM leads) r"
            " WHERE r.id = leads.id AND n % 3 > 0"
        )
    return await items(api, noun)


@pytest.mark.parametrize("noun", ENTITIES)
async def test_every_field_is_filtered_by_every_operator_it_has(
    api: httpx.AsyncClient, admin: AdminConnection, noun: str
) -> None:
    every = await arranged(api, admin, noun)
    told_apart = 0
    for field in ENTITIES[noun].fields.values():
        for op in field.operators:
            for sent in asked(field, op, every):
                found = await items(api, noun, **{parameter(field, op): sent})
                expected = [one for one in every if matches(field, op, one[field.name], sent)]
                assert found == expected, (parameter(field, op), sent)
                told_apart += 0 < len(found) < len(every)
    assert told_apart > 5


@pytest.mark.parametrize("noun", ENTITIES)
async def test_the_document_has_every_parameter_with_its_type(noun: str) -> None:
    from gardenos.serve.api import create_api

    document = create_api().openapi()["paths"][f"/v1/{noun}"]["get"]
    documented = {one["name"] for one in document["parameters"]}
    assert documented == set(parameter_names(ENTITIES[noun])) - {"custom.<key>"}


async def test_filters_are_all_to_be_met(api: httpx.AsyncClient) -> None:
    every = await fill(api, "contacts", 12)
    found = await items(
        api, "contacts", **{"last_name": "AMBER", "first_name.is_null": "false", "q": "exam am"}
    )
    expected = {
        one["id"] for one in every if one["last_name"] == "amber" and one["first_name"] is not None
    }
    assert {one["id"] for one in found} == expected
    assert expected


async def test_a_custom_value_is_compared_as_what_it_is(api: httpx.AsyncClient) -> None:
    for custom in ({"n": 5}, {"n": 10}, {"n": "7"}, {"n": "b"}, {"n": True}, {}):
        await make(api, "leads", custom=custom)

    async def found(**params: str) -> list[Any]:
        return [
            one["custom"].get("n") for one in await items(api, "leads", sort="created_at", **params)
        ]

    assert await found(**{"custom.n": "5"}) == [5]
    assert await found(**{"custom.n": "true"}) == [True]
    assert await found(**{"custom.n.gt": "5"}) == [10]
    assert await found(**{"custom.n.lte": "7.5"}) == [5]
    assert await found(**{"custom.n.gte": "a"}) == ["b", True]
    assert await found(**{"custom.n.in": "5,b"}) == [5, "b"]
    assert await found(**{"custom.n.is_null": "true"}) == [None]
    assert await found(**{"custom.n.ne": "5"}) == [10, "7", "b", True, None]
    assert await found(**{"custom.n.contains": "B"}) == ["b"]
    assert await found(**{'custom.it\'s "ü" -- .n': "x"}) == []


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        (Kind.INTEGER, "5", [5, 10]),
        (Kind.NUMBER, "5", [5, 7.5, 10]),
        (Kind.DECIMAL, "5", [5, 7.5, 10]),
        (Kind.DATE, "2026-01-02", ["2026-01-02"]),
        (Kind.MOMENT, "2026-01-02T00:00:00Z", ["2026-01-02"]),
    ],
)
async def test_a_typed_custom_field_passes_over_values_older_than_its_type(  # noqa: PLR0917 pytest
    api: httpx.AsyncClient,
    db: Database,
    owner: Claims,
    kind: Kind,
    sent: str,
    expected: list[Any],
) -> None:
    for value in (10, 7.5, 5, "many", "2026-01-02", "2026-13-41", True, None):
        await make(api, "leads", custom={"n": value})

    async def known(
        _session: TenantSession, _entity: str, keys: Collection[str]
    ) -> Mapping[str, Field]:
        return {key: Field(name=f"custom.{key}", kind=kind, key=key) for key in keys}

    typed = replace(LEADS, custom=known)
    cursors = CursorSigner("0" * 32)
    asked = [("custom.n.gte", sent), ("sort", "custom.n"), ("limit", "1")]
    found: list[Any] = []
    cursor: str | None = ""
    async with db.session(owner) as session:
        while cursor is not None:
            query = parse(typed, [*asked, *([("cursor", cursor)] if cursor else [])])
            page = await service.find(session, typed, query, cursors)
            found += [item.values["custom"]["n"] for item in page.items]
            cursor = page.next_cursor
        with pytest.raises(InvalidRequest):
            await service.find(session, typed, parse(typed, [("custom.n.gte", "never")]), cursors)
    assert found == expected


def sort_key(entity: Entity, name: str, item: dict[str, Any]) -> tuple[bool, Any]:
    """Where a record stands in an ascending order: empty values come last."""
    field = entity.fields[name]
    value = read(field, item[name])
    if name == "quality_score" and value is None:
        return (False, -1)  # a lead without a score counts as below 0
    if isinstance(value, str) and field.sort_column:
        value = value.lower()
    return (value is None, 0 if value is None else value)


def in_order(entity: Entity, every: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    """The records as the list should have them: the last of its keys is the id."""
    names = sort.split(",")
    last = ("-" if names[-1].startswith("-") else "") + "id"
    found = list(every)
    for name in reversed([*names, last]):
        found.sort(
            key=lambda item, name=name: sort_key(entity, name.removeprefix("-"), item),
            reverse=name.startswith("-"),
        )
    return found


Between = Callable[[], Awaitable[Any]]


async def pages(
    api: httpx.AsyncClient, noun: str, between: Between | None = None, **params: Any
) -> list[dict[str, Any]]:
    """All pages of a list, by following its Link headers; `between` happens before each next one."""
    found: list[dict[str, Any]] = []
    answer = await api.get(f"/v1/{noun}", params=params)
    while True:
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if "link" not in answer.headers:
            return found
        if between is not None:
            await between()
        answer = await api.get(answer.headers["link"].partition(">")[0].removeprefix("<"))


@pytest.mark.parametrize("noun", ENTITIES)
@settings(
    max_examples=30,
    deadline=None,
    database=None,
    derandomize=True,
    # The records are made once, and only read.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_pages_partition_the_list_in_any_order(
    api: httpx.AsyncClient, admin: AdminConnection, noun: str, data: st.DataObject
) -> None:
    entity = ENTITIES[noun]
    every = await items(api, noun) or await arranged(api, admin, noun)
    sortable = [field.name for field in entity.fields.values() if field.sortable]
    names = data.draw(st.lists(st.sampled_from(sortable), min_size=1, max_size=4, unique=True))
    sort = ",".join(data.draw(st.sampled_from(("", "-"))) + name for name in names)
    limit = data.draw(st.integers(3, COUNT + 1))
    found = await pages(api, noun, sort=sort, limit=limit)
    assert [one["id"] for one in found] == [one["id"] for one in in_order(entity, every, sort)]


@pytest.mark.parametrize("noun", ENTITIES)
async def test_pages_show_every_old_record_once_while_others_come_and_go(
    api: httpx.AsyncClient, noun: str
) -> None:
    entity = ENTITIES[noun]
    every = await fill(api, noun, 12)
    text = next(
        (name for name in ("last_name", "name", "title", "subject") if name in every[0]), "city"
    )
    for sort in ("-created_at", "created_at", text, f"-{text},created_at"):
        made: list[dict[str, Any]] = []

        async def change(made: list[dict[str, Any]] = made) -> None:
            if made and entity.deletes:
                assert (await api.delete(f"/v1/{noun}/{made.pop()['id']}")).status_code == 204
            if len(made) < 8:
                made += await fill(api, noun, 2)

        found = await pages(api, noun, change, sort=sort, limit=3)
        shown = [one["id"] for one in found]
        assert len(shown) == len(set(shown))
        old = {one["id"]: one for one in every}
        assert [one for one in shown if one in old] == [
            one["id"] for one in in_order(entity, every, sort)
        ]
        every = await items(api, noun)


async def test_a_total_counts_all_that_match_on_every_page(api: httpx.AsyncClient) -> None:
    await fill(api, "contacts", 7)
    asked = {"last_name": "amber", "total": "true", "limit": "1"}
    page = (await api.get("/v1/contacts", params=asked)).json()
    assert page["total"] == 2
    for contact in page["items"]:
        await api.delete(f"/v1/contacts/{contact['id']}")
    rest = (await api.get("/v1/contacts", params={**asked, "cursor": page["next_cursor"]})).json()
    assert (rest["total"], len(rest["items"])) == (1, 1)
    none = (await api.get("/v1/contacts", params={**asked, "last_name": "x"})).json()
    assert (none["total"], none["items"], none["next_cursor"]) == (0, [], None)


HOSTILE = (
    "' OR '1'='1",
    "'; DROP TABLE leads; --",
    '"; DELETE FROM members; --',
    "$1",
    "%(limit)s",
    "a\\",
    "1) OR (1=1",
    "NULL",
    "{}",
    "\x00",
    "\u0663",
)


@pytest.mark.parametrize("noun", ENTITIES)
async def test_sql_in_any_parameter_is_a_value_or_refused(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, admin: AdminConnection, noun: str
) -> None:
    await make(outsider, noun)
    names = [*parameter_names(ENTITIES[noun]), "custom.' OR true --", "' OR true --", "id;--"]
    for name, hostile in itertools.product(names, HOSTILE):
        answer = await api.get(f"/v1/{noun}", params={name.replace("<key>", "it's"): hostile})
        assert answer.status_code in (200, 400), (name, hostile, answer.text)
        if answer.status_code == 200:
            assert answer.json()["items"] == []
        else:
            assert answer.json()["type"].startswith("urn:gardenos:problem:")
    assert await admin.fetchval("SELECT count(*) FROM members") == 2


async def test_a_cursor_serves_only_the_list_that_gave_it(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient
) -> None:
    for client in (api, outsider):
        await fill(client, "contacts", 3)
        await fill(client, "companies", 3)
    asked = "limit=1&sort=-created_at"
    cursor = (await api.get(f"/v1/contacts?{asked}")).json()["next_cursor"]
    assert (await api.get(f"/v1/contacts?{asked}&cursor={cursor}")).status_code == 200
    assert (await api.get(f"/v1/contacts?sort=-created_at&fields=id&cursor={cursor}")).is_success
    for client, query in (
        (outsider, f"contacts?{asked}"),
        (api, f"companies?{asked}"),
        (api, "contacts?limit=1&sort=created_at"),
        (api, "contacts?limit=1"),
        (api, f"contacts?{asked}&last_name=amber"),
        (api, f"contacts?{asked}&include_deleted=true"),
    ):
        refused = await client.get(f"/v1/{query}&cursor={cursor}")
        assert refused.status_code == 400, query
        assert refused.json()["type"].endswith("invalid-cursor")


async def test_a_list_is_bounded(api: httpx.AsyncClient) -> None:
    many = "&".join(f"custom.k{n}=1" for n in range(21))
    for query in (
        many,
        "source.in=" + ",".join(map(str, range(201))),
        "q=" + "+".join("abcdefghijk"),
        "q=" + "x" * 201,
        "source=" + "x" * 501,
        "cursor=" + "x" * 8001,
        "custom." + "k" * 65 + "=1",
        "sort=city,source,country,phone,email",
    ):
        answer = await api.get(f"/v1/leads?{query}")
        assert answer.status_code == 400, query[:80]
        assert len(answer.content) < 5000
    in_full = "source.in=" + ",".join(map(str, range(200)))
    assert (await api.get(f"/v1/leads?{in_full}&q={'x' * 200}")).status_code == 200
