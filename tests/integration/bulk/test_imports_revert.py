"""Rows that change leads, give them owners and tags; and imports taken back, to the byte."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member
from tests.support.records import make

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection

    from .conftest import SignIn

    ImportCsv = Callable[..., Awaitable[httpx.Response]]

COUNTS = ("imported", "updated", "duplicates", "rejected")
MOVED_ON = {"version", "updated_at"}
"""What a revert does not bring back: whoever read a record in between must not write over it."""
TABLES = ("leads", "tags", "taggings", "custom_values", "app.search_documents")


def counts(answer: httpx.Response) -> tuple[int, ...]:
    assert answer.status_code in (200, 201, 202), answer.text
    return tuple(answer.json()[name] for name in COUNTS)


async def state(admin: AdminConnection) -> dict[str, list[dict[str, Any]]]:
    """All rows of the tables an import writes, but what moves on."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in TABLES:
        query = f"SELECT to_jsonb(t) AS row FROM {table} t ORDER BY 1"  # noqa: S608 from above
        rows = await admin.fetch(query)
        loaded = [json.loads(row["row"]) for row in rows]
        found[table] = [{k: v for k, v in row.items() if k not in MOVED_ON} for row in loaded]
    found["counts"] = [
        dict(row)
        for row in await admin.fetch(
            "SELECT agency_id, owner_id, status, sum(n) AS n FROM ("
            "SELECT agency_id, owner_id, status, n FROM app.record_counts WHERE entity = 'leads'"
            " UNION ALL SELECT agency_id, owner_id, status, n FROM app.record_count_changes"
            " WHERE entity = 'leads') c GROUP BY 1, 2, 3 HAVING sum(n) <> 0 ORDER BY 1, 2, 3"
        )
    ]
    return found


async def leads(api: httpx.AsyncClient, **query: str) -> dict[str, dict[str, Any]]:
    """By external_id."""
    found = (await api.get("/v1/leads", params={"limit": "200", **query})).json()["items"]
    return {lead["external_id"]: lead for lead in found}


MAPPING = {
    "fields": {"external_id": "id", "email": "email", "city": "city", "last_name": "name"},
    "custom": {"size": {"column": "size", "type": "number"}},
    "owner": "owner",
    "tags": "tags",
}


async def test_rows_change_the_leads_they_are_and_only_what_they_say(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    header = "id,email,city,name,size,owner,tags\n"
    first = f"{header}1,a@example.com,Rome,Ada,7,,vip\n2,b@example.com,,Bo,,,\n"
    assert counts(await import_csv(first, mapping=MAPPING)) == (2, 0, 0, 0)
    second = (
        "id,email,city,name,size,owner,tags\n"
        "1,,Oslo,,8,,VIP; north\n"
        "2,b@example.com,,,,,\n"
        "3,c@example.com,,Cy,,,\n"
        "3,,,,,,late\n"
        "1,,Bonn,,,,\n"
        ",B@EXAMPLE.com,Pisa,,,,\n"
    )
    answer = await import_csv(second, mapping=MAPPING, on_duplicate="update")
    # The row of 2 says nothing new; the one that adds a tag to 3 does.
    assert counts(answer) == (1, 4, 1, 0)
    found = await leads(api)
    assert [found[key]["city"] for key in "123"] == ["Bonn", "Pisa", None]
    assert (found["1"]["last_name"], found["1"]["custom"]) == ("Ada", {"size": 8})
    tagged = (await api.get(f"/v1/leads/{found['1']['id']}/tags")).json()["items"]
    assert [tag["name"] for tag in tagged] == ["north", "vip"]


async def test_owners_are_members_by_address_or_id(
    api: httpx.AsyncClient, import_csv: ImportCsv, admin: AdminConnection, owner: Claims
) -> None:
    members = (await api.get("/v1/members")).json()["items"]
    email = members[0]["email"]
    content = f"id,owner\n1,{email.upper()}\n2,{owner.sub}\n3,\n4,nobody@example.com\n"
    mapping = {"fields": {"external_id": "id"}, "owner": "owner"}
    answer = await import_csv(content, mapping=mapping)
    assert counts(answer) == (3, 0, 0, 1)
    [error] = answer.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (4, "owner", "unknown-owner")
    found = await leads(api)
    assert [found[key]["owner_id"] for key in "123"] == [str(owner.sub), str(owner.sub), None]


@pytest.mark.parametrize(
    ("match_by", "on_duplicate", "expected"),
    [
        ("either", "skip", (1, 0, 3, 0)),
        ("external_id", "skip", (3, 0, 1, 0)),
        ("email", "skip", (0, 0, 4, 0)),
        ("either", "create", (3, 0, 1, 0)),
        ("email", "update", (0, 3, 1, 0)),
        ("external_id", "update", (3, 1, 0, 0)),
    ],
)
async def test_by_what_and_whether_a_row_is_a_lead_is_for_the_sender_to_say(
    api: httpx.AsyncClient,
    import_csv: ImportCsv,
    match_by: str,
    on_duplicate: str,
    expected: tuple[int, ...],
) -> None:
    await make(api, "leads", external_id="1", email="a@example.com")
    await make(api, "leads", external_id="2", email="b@example.com", city="Rome")
    content = (
        "id,email,city\n"
        "1,b@example.com,Oslo\n"  # one lead by its id, another by its address
        "8,a@example.com,Bonn\n"
        ",B@example.com,Pisa\n"
        ",a@example.com,Bonn\n"
    )
    answer = await import_csv(content, match_by=match_by, on_duplicate=on_duplicate)
    assert counts(answer) == expected


async def test_a_revert_restores_what_was_there_to_the_byte(
    api: httpx.AsyncClient, import_csv: ImportCsv, admin: AdminConnection
) -> None:
    await make(api, "custom-fields", entity="leads", key="size", label="Size", kind="number")
    for n in range(20):
        await make(api, "leads", external_id=f"{n}", city="Rome", custom={"size": n, "old": "x"})
    await make(api, "tags", name="vip")
    before = await state(admin)
    rows = "".join(
        f"{n},p{n}@example.com,Oslo,Ada,{n + 1},,vip; new\n{n},,Bonn,,,,\n"
        for n in range(10, 1_600)
    )
    content = "id,email,city,name,size,owner,tags\n" + rows
    answer = await import_csv(content, mapping=MAPPING, on_duplicate="update", score="true")
    assert counts(answer) == (1_580, 1_600, 0, 0)
    assert await state(admin) != before
    place = answer.headers["location"]
    reverted = await api.post(f"{place}/revert")
    assert reverted.status_code == 202, reverted.text
    found = reverted.json()
    assert (found["state"], found["removed"], found["kept"]) == ("reverted", 1_580, 0)
    assert found["restored"] == 10
    assert await state(admin) == before
    assert (await api.post(f"{place}/revert")).json() == found
    assert (await api.post(f"{place}/start")).status_code == 409
    # The file may then be imported anew.
    assert counts(await import_csv(content, mapping=MAPPING)) == (1_580, 0, 1_600, 0)


async def test_what_others_have_worked_on_since_stays(
    api: httpx.AsyncClient, import_csv: ImportCsv, admin: AdminConnection
) -> None:
    old = await make(api, "leads", external_id="old", city="Rome", last_name="Before")
    kept = await make(api, "leads", external_id="kept", city="Rome")
    rows = "".join(f"{n},p{n}@example.com,Oslo,Ada,,,\n" for n in range(6))
    content = f"id,email,city,name,size,owner,tags\n{rows}old,,Oslo,,,,\nkept,,Oslo,After,,,\n"
    answer = await import_csv(content, mapping=MAPPING, on_duplicate="update")
    assert counts(answer) == (6, 2, 0, 0)
    found = await leads(api)
    await api.patch(f"/v1/leads/{found['0']['id']}", json={"phone": "1"}, headers={"If-Match": "*"})
    await make(api, "activities", kind="note", subject="Called", lead_id=found["1"]["id"])
    await make(api, "tasks", title="Call", lead_id=found["2"]["id"])
    await api.put(
        f"/v1/leads/{found['3']['id']}/tags/{(await make(api, 'tags', name='vip'))['id']}"
    )
    # A scored lead is still the import's alone; one that was touched and put back is, too.
    await admin.execute(
        "UPDATE leads SET quality_score = 50, conversion_probability = 0.5, scored_at = now()"
        " WHERE external_id = '4'"
    )
    await api.patch(f"/v1/leads/{kept['id']}", json={"city": "Bonn"}, headers={"If-Match": "*"})
    reverted = (await api.post(f"{answer.headers['location']}/revert")).json()
    assert (reverted["removed"], reverted["restored"], reverted["kept"]) == (2, 1, 5)
    found = await leads(api)
    assert found.keys() == {"0", "1", "2", "3", "old", "kept"}
    assert (found["old"]["city"], found["old"]["last_name"]) == ("Rome", "Before")
    assert (found["kept"]["city"], found["kept"]["last_name"]) == ("Bonn", "After")
    assert found["old"]["version"] > old["version"]


async def test_every_reference_to_a_lead_is_asked_for_by_a_revert(admin: AdminConnection) -> None:
    found = await admin.fetch(
        "SELECT conrelid::regclass::text AS name FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = 'leads'::regclass"
    )
    source = await admin.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'revert_chunk'")
    # Scores are made by machines, and go with their lead.
    names = {row["name"] for row in found} - {"lead_scores"}
    assert len(names) > 5
    assert {name for name in names if f"public.{name} r" not in source} == set()


async def test_an_import_of_another_is_reverted_by_those_who_run_the_agency(
    import_csv: ImportCsv,
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
    outsider: httpx.AsyncClient,
) -> None:
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    other = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    boss = sign_in(await make_member(admin, role=UserRole.ADMIN, agency_id=owner.agency_id))
    place = (await import_csv("email\na@example.com\n", client=agent)).headers["location"]
    assert (await outsider.post(f"{place}/revert")).status_code == 404
    assert (await other.post(f"{place}/revert")).status_code == 403
    assert (await boss.post(f"{place}/revert")).json()["removed"] == 1
