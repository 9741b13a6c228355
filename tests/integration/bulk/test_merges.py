"""Two records become one with all that refers to them, and two again as they were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from gardenos.core.claims import Claims, UserRole
from gardenos.core.ids import UserId
from gardenos.testing.postgres import make_member
from tests.support.records import make

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection

    from .conftest import SignIn

MOVED_ON = {"version", "updated_at"}
"""What an undo does not bring back: whoever read a record in between must not write over it."""
TABLES = (
    *("leads", "contacts", "companies", "deals", "activities", "tasks", "attachments"),
    *("taggings", "lead_scores", "follow_ups", "lead_conversions", "custom_values"),
)
OF: dict[str, str] = {"leads": "lead_id", "contacts": "contact_id", "companies": "company_id"}
BOTH = {
    "leads": ({"first_name": "Ada", "city": "Rome"}, {"last_name": "Lovelace", "city": "Oslo"}),
    "contacts": ({"last_name": "Ada", "city": "Rome"}, {"last_name": "A.", "phone": "1"}),
    "companies": ({"name": "Acme", "city": "Rome"}, {"name": "ACME", "domain": "acme.example"}),
}
SCORED = """
WITH task AS (
  INSERT INTO agent_tasks (agency_id, agent_type, payload, state, fence, started_at, finished_at)
  VALUES ($1, 'lead_analysis', jsonb_build_object('lead_id', $2::uuid), 'succeeded', 1, now(), now())
  RETURNING id
), score AS (
  INSERT INTO lead_scores (agency_id, task_id, lead_id, quality_score, conversion_probability, reasons,
                           next_actions, provider, model)
  SELECT $1, id, $2::uuid, 50, 0.5, '[]', '[]', 'rules', 'rules' FROM task
)
INSERT INTO follow_ups (agency_id, task_id, lead_id, subject, body, full_message, provider, model)
SELECT $1, id, $2::uuid, 's', 'b', 'm', 'rules', 'rules' FROM task
"""


async def state(admin: AdminConnection) -> dict[str, list[dict[str, Any]]]:
    """All rows of the tables a merge writes, but what moves on."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in TABLES:
        query = f"SELECT to_jsonb(t) AS row FROM {table} t"  # noqa: S608 from above
        rows = [json.loads(row["row"]) for row in await admin.fetch(query)]
        plain = [{k: v for k, v in row.items() if k not in MOVED_ON} for row in rows]
        found[table] = sorted(plain, key=lambda row: json.dumps(row, sort_keys=True))
    return found


async def furnish(api: httpx.AsyncClient, noun: str, record_id: str) -> None:
    """Whatever may refer to a record."""
    field = OF[noun]
    about = {field: record_id}
    await make(api, "activities", kind="note", subject="Called", **about)
    await make(api, "tasks", title="Call", **about)
    await make(api, "deals", **about)
    attached = {"name": "a.pdf", "media_type": "application/pdf", "bytes": 1, **about}
    assert (await api.post("/v1/attachments", json=attached)).is_success
    for name in ("vip", record_id[-12:]):
        found = (await api.get("/v1/tags", params={"name": name})).json()["items"]
        tag = found[0] if found else await make(api, "tags", name=name)
        assert (await api.put(f"/v1/{noun}/{record_id}/tags/{tag['id']}")).is_success
    if noun == "companies":
        await make(api, "contacts", company_id=record_id)


async def two(api: httpx.AsyncClient, noun: str) -> tuple[dict[str, Any], dict[str, Any]]:
    one, other = BOTH[noun]
    kept = await make(api, noun, external_id="K", custom={"a": 1, "b": 1}, **one)
    gone = await make(api, noun, external_id="G", custom={"b": 2, "c": 2}, notes="n", **other)
    return kept, gone


async def merge(
    api: httpx.AsyncClient, noun: str, kept: Any, gone: Any, **asked: Any
) -> httpx.Response:
    return await api.post(f"/v1/{noun}/{kept['id']}/merge", json={"from": gone["id"], **asked})


@pytest.mark.parametrize("noun", list(OF))
async def test_all_that_refers_to_it_refers_to_the_one_that_is_kept_and_back(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, noun: str
) -> None:
    kept, gone = await two(api, noun)
    for record in (kept, gone):
        await furnish(api, noun, record["id"])
    if noun == "leads":
        await admin.execute(SCORED, owner.agency_id, gone["id"])
    before = await state(admin)
    tried = await merge(api, noun, kept, gone, dry_run=True)
    assert tried.status_code == 200, tried.text
    assert await state(admin) == before

    done = await merge(api, noun, kept, gone)
    assert done.status_code == 200, done.text
    merged = done.json()
    assert merged["changes"] == tried.json()["changes"]
    assert (
        sum(merged["moved"].values()) == sum(tried.json()["moved"].values()) - 1
    )  # one tag is both's
    now = (await api.get(f"/v1/{noun}/{kept['id']}")).json()
    assert (now["external_id"], now["city"], now["notes"]) == ("K", "Rome", "n")
    assert now["custom"] == {"a": 1, "b": 1, "c": 2}
    assert (await api.get(f"/v1/{noun}/{gone['id']}")).status_code == 404
    field = OF[noun]
    for table in ("activities", "tasks", "deals", "attachments", "taggings"):
        left = f"SELECT count(*) FROM {table} WHERE {field} = $1"  # noqa: S608 from above
        assert await admin.fetchval(left, gone["id"]) == 0
    tags = (await api.get(f"/v1/{noun}/{kept['id']}/tags")).json()["items"]
    assert len(tags) == 3

    undone = await api.post(f"/v1/merges/{merged['merge']['id']}/undo")
    assert undone.status_code == 200, undone.text
    assert undone.json()["undone_by"] == str(owner.sub)
    assert await state(admin) == before
    again = await api.post(f"/v1/merges/{merged['merge']['id']}/undo")
    assert again.json() == undone.json()


async def test_whose_value_stands_is_for_the_sender_to_say(api: httpx.AsyncClient) -> None:
    kept, gone = await two(api, "leads")
    prefer = {"city": "other", "external_id": "other", "custom": "other", "last_name": "this"}
    done = await merge(api, "leads", kept, gone, prefer=prefer)
    assert done.status_code == 200, done.text
    now = (await api.get(f"/v1/leads/{kept['id']}")).json()
    assert (now["city"], now["external_id"], now["last_name"]) == ("Oslo", "G", None)
    assert now["custom"] == {"a": 1, "b": 2, "c": 2}
    undone = await api.post(f"/v1/merges/{done.json()['merge']['id']}/undo")
    assert undone.status_code == 200, undone.text
    back = [(await api.get(f"/v1/leads/{one['id']}")).json() for one in (kept, gone)]
    assert [one["external_id"] for one in back] == ["K", "G"]


async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, admin: AdminConnection
) -> None:
    kept, gone = await two(api, "leads")
    theirs = await make(outsider, "leads", last_name="Byron")
    before = await state(admin)
    for other, status in [
        (kept, 422),
        (theirs, 404),
        ({"id": str(uuid4())}, 404),
        ({"id": "x"}, 422),
    ]:
        answer = await merge(api, "leads", kept, other)
        assert answer.status_code == status, answer.text
    assert (await merge(outsider, "leads", kept, theirs)).status_code == 404
    wrong = await merge(api, "leads", kept, gone, prefer={"quality_score": "other"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (
        422,
        "/prefer/quality_score",
    )
    assert await state(admin) == before


async def test_changes_since_stand_in_the_way_of_an_undo(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    kept, gone = await two(api, "leads")
    done = (await merge(api, "leads", kept, gone)).json()
    place = f"/v1/merges/{done['merge']['id']}/undo"
    lead = f"/v1/leads/{kept['id']}"
    await api.patch(lead, json={"last_name": "Byron"}, headers={"If-Match": "*"})
    after = await state(admin)
    refused = await api.post(place)
    assert refused.status_code == 409
    assert "last_name" in refused.json()["detail"]
    assert await state(admin) == after
    await api.patch(lead, json={"last_name": "Lovelace"}, headers={"If-Match": "*"})
    await make(api, "tasks", title="Since", lead_id=kept["id"])
    assert (await api.post(place)).status_code == 200
    tasks = (await api.get("/v1/tasks", params={"lead_id": kept["id"]})).json()["items"]
    assert [task["title"] for task in tasks] == ["Since"]
    restored = (await api.get(f"/v1/leads/{gone['id']}")).json()
    assert (restored["external_id"], restored["last_name"]) == ("G", "Lovelace")


async def test_a_role_merges_what_it_changes_and_deletes(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, sign_in: SignIn
) -> None:
    kept, gone = await two(api, "leads")
    reader = sign_in(await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id))
    assert (await merge(reader, "leads", kept, gone)).status_code == 403
    cell = {"role": "agent", "entity": "leads", "verb": "delete", "scope": "none"}
    assert (await api.put("/v1/permissions", json={"items": [cell]})).is_success
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    before = await state(admin)
    assert (await merge(agent, "leads", kept, gone)).status_code == 403
    assert await state(admin) == before
    done = (await merge(api, "leads", kept, gone)).json()
    place = f"/v1/merges/{done['merge']['id']}"
    other = sign_in(Claims.of(UserId(uuid4()), owner.agency_id, UserRole.MANAGER))
    assert (await other.get(place)).status_code == 200
    assert (await other.post(f"{place}/undo")).status_code == 403


async def test_every_reference_there_is_is_moved(admin: AdminConnection) -> None:
    keys = await admin.fetch(
        "SELECT confrelid::regclass::text AS noun, conrelid::regclass::text AS relation"
        " FROM pg_constraint WHERE contype = 'f'"
        " AND confrelid = ANY (ARRAY['leads', 'contacts', 'companies']::regclass[])"
    )
    known = {
        noun: {
            row["relation"]
            for row in await admin.fetch("SELECT relation FROM app.references_to($1)", noun)
        }
        for noun in OF
    }
    assert len(keys) > 15
    assert [key for key in keys if key["relation"] not in known[key["noun"]]] == []
    # Columns that say whose a row is without a foreign key.
    columns = await admin.fetch(
        "SELECT table_name || '.' || column_name AS name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name ~ '(^|_)(lead|contact|company)_id$'"
    )
    moved = {
        f"{row['relation']}.{row['field']}"
        for noun in OF
        for row in await admin.fetch("SELECT relation, field FROM app.references_to($1)", noun)
    }
    assert {row["name"] for row in columns} - moved == set()
