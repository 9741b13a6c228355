"""Search: what is found by which words, by whom, and in which order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.orchestrator.queue import PostgresQueue
from gardenos.testing.postgres import make_member
from tests.support.records import make

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn

MASK = (
    "INSERT INTO field_masks (agency_id, role, entity, field, access)"
    " VALUES ($1, 'agent', 'leads', $2, 'hidden')"
)
REACH = (
    "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
    " VALUES ($1, 'agent', $2, 'read', $3)"
)
IF_ANY = {"If-Match": "*"}


async def search(api: httpx.AsyncClient, q: str, **params: Any) -> dict[str, Any]:
    answer = await api.get("/v1/search", params={"q": q, **params})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def titles(api: httpx.AsyncClient, q: str, **params: Any) -> list[str]:
    return [one["title"] for one in (await search(api, q, **params))["items"]]


@pytest.fixture
async def ada(api: httpx.AsyncClient) -> dict[str, Any]:
    """A lead to be found, and one that is not meant."""
    await make(api, "leads", first_name="Grace", last_name="Hopper", company="Navy")
    return await make(
        api,
        "leads",
        first_name="Zoë",
        last_name="Müller-Lüdenscheidt",
        email="zoe.mueller@example.org",
        phone="+49 (0)30 / 123 45 67",
        company="Baanston GmbH",
        city="Gdańsk",
        notes="Likes <b>tulips</b> & roses",
        custom={"hobby": "Falconry"},
    )


@pytest.mark.parametrize(
    "q",
    [
        *("Müller", "muller", "MULLER", "müll", "zoe mul", "ludenscheidt zoe"),
        *("zoe.mueller@example.org", "baanston", "Gdansk", "tulips", "falconry zoe"),
        *("1234567", "+49 030 123 4567", "490301234", "Baanston Müller", "Zo", "müller's zoe"[:6]),
    ],
)
@pytest.mark.usefixtures("ada")
async def test_words_beginnings_accents_and_numbers_find_it(api: httpx.AsyncClient, q: str) -> None:
    found = await search(api, q)
    assert [one["title"] for one in found["items"]] == ["Zoë Müller-Lüdenscheidt"]
    assert found["corrected"] is None
    assert found["items"][0]["matches"]


@pytest.mark.parametrize(
    ("q", "meant"),
    [
        ("Mullre", "muller"),
        ("Mueler zoe", None),
        ("Baantson", "baanston"),
        ("Bananston", "baanston"),
        ("zeo", "zoe"),
        ("ludenschedt", "ludenscheidt"),
    ],
)
@pytest.mark.usefixtures("ada")
async def test_what_is_misspelt_is_found_and_said_so(
    api: httpx.AsyncClient, q: str, meant: str | None
) -> None:
    found = await search(api, q)
    if meant is None:
        assert found["items"] == [] or found["corrected"]
        return
    assert [one["title"] for one in found["items"]] == ["Zoë Müller-Lüdenscheidt"]
    assert found["corrected"] is not None
    assert meant in found["corrected"]


async def test_a_word_that_is_there_is_not_taken_for_another(api: httpx.AsyncClient) -> None:
    await make(api, "leads", last_name="Meier")
    await make(api, "leads", last_name="Maier")
    assert await titles(api, "Meier") == ["Meier"]
    assert (await search(api, "Meier"))["corrected"] is None


async def test_every_kind_is_found_and_can_be_chosen(api: httpx.AsyncClient) -> None:
    lead = await make(api, "leads", last_name="Orchid")
    await make(api, "contacts", last_name="Orchid")
    await make(api, "companies", name="Orchid Ltd")
    await make(api, "deals", name="Orchid rollout")
    await make(api, "activities", lead_id=lead["id"], subject="Call", body="About an orchid")
    found = (await search(api, "orchid"))["items"]
    assert {one["entity"] for one in found} == {
        *("leads", "contacts", "companies", "deals", "activities"),
    }
    (note,) = [one for one in found if one["entity"] == "activities"]
    assert note["lead_id"] == lead["id"]
    assert note["matches"] == {"body": "About an <mark>orchid</mark>"}
    some = (await search(api, "orchid", types="deals, companies"))["items"]
    assert {one["entity"] for one in some} == {"deals", "companies"}


async def test_names_come_before_notes_and_whole_words_before_begun_ones(
    api: httpx.AsyncClient,
) -> None:
    await make(api, "leads", last_name="Noted", notes="met Lin in Oslo")
    await make(api, "leads", last_name="Lindgren")
    await make(api, "leads", last_name="Lin")
    await make(api, "leads", last_name="Firm", company="Lin Ltd")
    assert await titles(api, "lin") == ["Lin", "Firm", "Lindgren", "Noted"]


@pytest.mark.usefixtures("ada")
async def test_matches_are_escaped_and_marked(api: httpx.AsyncClient) -> None:
    (one,) = (await search(api, "tulips"))["items"]
    assert one["matches"] == {"notes": "Likes &lt;b&gt;<mark>tulips</mark>&lt;/b&gt; &amp; roses"}
    (one,) = (await search(api, "zoe mul"))["items"]
    assert one["matches"]["last_name"] == "<mark>Müller</mark>-Lüdenscheidt"
    (one,) = (await search(api, "falcon"))["items"]
    assert one["matches"] == {"custom.hobby": "<mark>Falconry</mark>"}
    (one,) = (await search(api, "1234567"))["items"]
    assert list(one["matches"]) == ["phone"]


async def test_the_index_follows_every_change(
    api: httpx.AsyncClient, ada: dict[str, Any], db: Database, admin: AdminConnection
) -> None:
    path = f"/v1/leads/{ada['id']}"
    changed = await api.patch(path, json={"last_name": "Schmidt"}, headers=IF_ANY)
    assert changed.status_code == 200
    assert await titles(api, "schmidt") == ["Zoë Schmidt"]
    assert await titles(api, "ludenscheidt") == []
    assert (await api.delete(path, headers=IF_ANY)).status_code == 204
    assert await titles(api, "schmidt") == []
    assert (await api.post(f"{path}/restore")).status_code == 200
    assert await titles(api, "schmidt") == ["Zoë Schmidt"]
    await api.delete(path, headers=IF_ANY)
    await PostgresQueue(db).prune(keep=timedelta(days=1), limit=100, keep_deleted=timedelta(0))
    words = {row["word"] for row in await admin.fetch("SELECT word FROM app.search_words")}
    assert words == {"grace", "hopper", "navy"}
    assert await admin.fetchval("SELECT count(*) FROM app.search_documents") == 1


async def test_an_erased_person_is_not_even_in_the_dictionary(
    api: httpx.AsyncClient, ada: dict[str, Any], admin: AdminConnection
) -> None:
    erased = await api.post("/v1/privacy/erase", json={"lead_ids": [ada["id"]]})
    assert erased.status_code == 200
    for q in ("Müller", "Mullre", "tulips", "falconry", "1234567"):
        assert await titles(api, q) == []
    words = {row["word"] for row in await admin.fetch("SELECT word FROM app.search_words")}
    assert words == {"erased", "grace", "hopper", "navy"}


async def test_what_comes_in_bulk_is_found_and_says_that_there_is_more(
    api: httpx.AsyncClient,
) -> None:
    operations = [
        {"op": "create", "record": {"last_name": f"Bulk{n}", "company": "Everywhere"}}
        for n in range(400)
    ]
    made = await api.post("/v1/leads/bulk", json={"operations": operations})
    assert made.status_code == 207
    assert await titles(api, "bulk399") == ["Bulk399"]
    found = await search(api, "everywhere", limit=5)
    assert (len(found["items"]), found["truncated"]) == (5, True)
    assert (await search(api, "bulk399"))["truncated"] is False


@pytest.mark.usefixtures("ada")
async def test_another_agency_finds_nothing_of_ours(outsider: httpx.AsyncClient) -> None:
    for q in ("Müller", "Mullre", "zoe", "1234567"):
        assert await search(outsider, q) == {"items": [], "truncated": False, "corrected": None}


async def test_each_finds_what_each_may_read(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, sign_in: SignIn
) -> None:
    mate = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    agent = sign_in(mate)
    nouns = {"leads": "last_name", "companies": "name", "deals": "name"}
    for noun, name in nouns.items():
        await make(api, noun, **{name: "Shared"})
        await make(api, noun, **{name: "Shared"}, owner_id=str(mate.sub))
    for scope, seen in (("own", 1), ("team", 1), ("none", 0), ("agency", 2)):
        await admin.execute("DELETE FROM permissions")
        for noun in nouns:
            await admin.execute(REACH, owner.agency_id, noun, scope)
        found = [one["entity"] for one in (await search(agent, "shared"))["items"]]
        assert {noun: found.count(noun) for noun in nouns} == dict.fromkeys(nouns, seen), scope


@pytest.mark.usefixtures("ada")
async def test_nobody_finds_by_a_field_that_is_hidden(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, sign_in: SignIn
) -> None:
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    await admin.execute(MASK, owner.agency_id, "email")
    assert await titles(agent, "example") == []
    assert await titles(agent, "tulips") == ["Zoë Müller-Lüdenscheidt"]
    await admin.execute(MASK, owner.agency_id, "notes")
    assert await titles(agent, "tulips") == []
    assert await titles(agent, "example") == []
    assert await titles(agent, "1234567") == []
    (one,) = (await search(agent, "baanston"))["items"]
    assert list(one["matches"]) == ["company"]
    assert await titles(api, "tulips") == ["Zoë Müller-Lüdenscheidt"]


@pytest.mark.parametrize(
    "q",
    [
        *("", " ", "!!!", "--", "x" * 201, "y" * 10_000, "a\x00b", "😀"),
        " ".join(["word"] * 11),
    ],
)
async def test_a_query_that_is_none_is_refused(api: httpx.AsyncClient, q: str) -> None:
    answer = await api.get("/v1/search", params={"q": q})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "q",
    [
        *("'; DROP TABLE leads; --", "a & b | !c", "x:*", "foo:A", "<->", "(((a", "\\", "%_%"),
        *("ﬁne", "ß", "İstanbul", "日本語", "Привет", "a" * 200, "1", "12345", "ⅷ", "²"),
    ],
)
@pytest.mark.usefixtures("ada")
async def test_no_query_breaks_anything(api: httpx.AsyncClient, q: str) -> None:
    answer = await api.get("/v1/search", params={"q": q})
    assert answer.status_code in {200, 400}, answer.text


@pytest.mark.parametrize("name", ["日本語", "Привет", "İstanbul", "ﬁne", "Straße", "Ⅷ", "O'Neill"])
async def test_names_of_any_script_are_found(api: httpx.AsyncClient, name: str) -> None:
    await make(api, "companies", name=name)
    assert await titles(api, name) == [name]


@pytest.mark.parametrize("types", ["", "leads,nothing", "leads;deals", "x" * 101])
async def test_kinds_that_are_none_are_refused(api: httpx.AsyncClient, types: str) -> None:
    answer = await api.get("/v1/search", params={"q": "ada", "types": types})
    assert answer.status_code == 400, answer.text
