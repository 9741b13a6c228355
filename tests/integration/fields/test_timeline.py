"""Timelines: everything that happened with a record, in one order, as the reader may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member
from tests.integration.fields.conftest import etag

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn
    from tests.integration.fields.conftest import Make

NOBODY = "00000000-0000-0000-0000-000000000001"
SCORE = """
INSERT INTO lead_scores (agency_id, task_id, lead_id, quality_score, conversion_probability, provider,
                         model)
VALUES ($1, uuidv7(), $2, 70, 0.5, 'rules', 'rules')
"""
FOLLOW_UP = """
INSERT INTO follow_ups (agency_id, task_id, lead_id, subject, body, full_message, provider, model)
VALUES ($1, uuidv7(), $2, 'Hello', 'Dear Ada', 'Dear Ada', 'rules', 'rules')
"""


async def timeline(
    api: httpx.AsyncClient, noun: str, record: dict[str, Any], limit: int = 50
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        params = {"limit": limit, **cursor}
        answer = await api.get(f"/v1/{noun}/{record['id']}/timeline", params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


@pytest.fixture
async def lead(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims, make: Make
) -> dict[str, Any]:
    """A lead that was called, scored, written to and changed."""
    found = await make("leads", first_name="Ada", last_name="Lovelace", company="Engines")
    await make("activities", kind="call", lead_id=found["id"], body="She was out")
    for statement in (SCORE, FOLLOW_UP):
        await admin.execute(statement, owner.agency_id, found["id"])
    path = f"/v1/leads/{found['id']}"
    changed = await api.patch(
        path, json={"phone": "+44 1", "status": "contacted"}, headers=etag(found)
    )
    return changed.json()


async def test_everything_that_happened_with_a_lead_comes_newest_first(
    api: httpx.AsyncClient, lead: dict[str, Any]
) -> None:
    found = await timeline(api, "leads", lead)
    assert sorted(one["kind"] for one in found) == [
        "activity",
        "change",
        "change",
        "follow_up",
        "score",
    ]
    assert [one["at"] for one in found] == sorted((one["at"] for one in found), reverse=True)
    newest, oldest = found[0], found[-1]
    assert newest["data"]["changes"] == {
        "phone": [None, "+44 1"],
        "status": ["new", "contacted"],
    }
    assert (oldest["kind"], oldest["data"]["verb"]) == ("change", "create")
    by_kind = {one["kind"]: one["data"] for one in found}
    assert by_kind["activity"]["body"] == "She was out"
    assert by_kind["score"]["quality_score"] == 70
    assert by_kind["follow_up"]["body"] == "Dear Ada"


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_of_a_timeline_make_up_the_whole(
    api: httpx.AsyncClient, admin: AdminConnection, make: Make, lead: dict[str, Any], limit: int
) -> None:
    # Of one moment, all of them: ids tell them apart.
    same = {"lead_id": lead["id"], "occurred_at": "2026-01-01T00:00:00Z"}
    for n in range(4):
        await make("activities", kind="note", body=str(n), **same)
    await admin.execute("UPDATE lead_scores SET created_at = '2026-01-01T00:00:00Z'")
    whole = await timeline(api, "leads", lead)
    assert len(whole) == 9
    assert await timeline(api, "leads", lead, limit) == whole


async def test_what_a_lead_became_has_its_activities(
    api: httpx.AsyncClient, make: Make, lead: dict[str, Any]
) -> None:
    body = {"deal": {"name": "An engine"}}
    made = (await api.post(f"/v1/leads/{lead['id']}/convert", json=body)).json()
    # With both of them: it is one activity.
    both = {"lead_id": lead["id"], "contact_id": made["contact_id"]}
    await make("activities", kind="meeting", **both)
    for noun, key in (
        ("contacts", "contact_id"),
        ("companies", "company_id"),
        ("deals", "deal_id"),
    ):
        found = await timeline(api, noun, {"id": made[key]})
        kinds = [one["data"]["kind"] for one in found if one["kind"] == "activity"]
        assert kinds == ["meeting", "call"], noun
        assert {one["kind"] for one in found} == {"activity", "change", "follow_up", "score"}
    await api.post(f"/v1/leads/{lead['id']}/unconvert", json={"force": True})
    contact = await timeline(api, "contacts", {"id": made["contact_id"]})
    assert [one["data"]["kind"] for one in contact if one["kind"] == "activity"] == ["meeting"]


async def test_a_timeline_is_held_to_scopes_and_masks(
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
    outsider: httpx.AsyncClient,
    lead: dict[str, Any],
) -> None:
    path = f"/v1/leads/{lead['id']}/timeline"
    assert (await outsider.get(path)).status_code == 404
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    agent = sign_in(member)
    # The audit log is for owners and admins.
    assert "change" not in {one["kind"] for one in await timeline(agent, "leads", lead)}
    mask = (
        "INSERT INTO field_masks (agency_id, role, entity, field, access)"
        " VALUES ($1, 'agent', $2, $3, 'hidden')"
    )
    await admin.execute(mask, owner.agency_id, "activities", "body")
    await admin.execute(mask, owner.agency_id, "leads", "quality_score")
    by_kind = {one["kind"]: one["data"] for one in await timeline(agent, "leads", lead)}
    assert "body" not in by_kind["activity"]
    assert "quality_score" not in by_kind["score"]
    await admin.execute(
        "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
        " VALUES ($1, 'agent', 'leads', 'read', 'own')",
        owner.agency_id,
    )
    assert (await agent.get(path)).status_code == 404


async def test_a_timeline_of_nothing_and_a_cursor_of_another_are_refused(
    api: httpx.AsyncClient, make: Make, lead: dict[str, Any]
) -> None:
    assert (await api.get(f"/v1/leads/{NOBODY}/timeline")).status_code == 404
    first = await api.get(f"/v1/leads/{lead['id']}/timeline", params={"limit": 1})
    other = await make("leads", last_name="Byron")
    cursor = {"cursor": first.json()["next_cursor"]}
    answer = await api.get(f"/v1/leads/{other['id']}/timeline", params=cursor)
    assert (answer.status_code, answer.json()["type"][-14:]) == (400, "invalid-cursor")
    await api.delete(f"/v1/leads/{lead['id']}")
    assert (await api.get(f"/v1/leads/{lead['id']}/timeline")).status_code == 404
