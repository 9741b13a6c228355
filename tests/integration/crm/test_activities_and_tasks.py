"""What happened, which nothing changes, and what there is to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.records import make

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims

ANY = {"If-Match": "*"}


async def test_a_timeline_is_read_by_what_happened_last(
    api: httpx.AsyncClient, owner: Claims
) -> None:
    contact = await make(api, "contacts")
    other = await make(api, "contacts")
    days = ("2026-11-03", "2026-11-01", "2026-11-02")
    for day in days:
        await make(
            api,
            "activities",
            kind="call",
            contact_id=contact["id"],
            subject=day,
            occurred_at=f"{day}T09:00:00Z",
            duration_s=60,
            direction="out",
        )
    await make(api, "activities", contact_id=other["id"])
    answer = await api.get(
        "/v1/activities", params={"contact_id": contact["id"], "include": "contact,author"}
    )
    assert [one["subject"] for one in answer.json()["items"]] == sorted(days, reverse=True)
    assert answer.json()["included"]["contacts"] == {contact["id"]: contact}
    assert list(answer.json()["included"]["members"]) == [str(owner.sub)]


async def test_nothing_changes_or_deletes_what_happened(api: httpx.AsyncClient) -> None:
    made = await make(api, "activities")
    path = f"/v1/activities/{made['id']}"
    answers = [
        await api.patch(path, json={"subject": "x"}, headers=ANY),
        await api.delete(path),
        await api.put(path, json={}),
    ]
    assert {answer.status_code for answer in answers} == {405}
    assert (await api.get(path)).json() == made


async def test_it_happened_with_somebody(api: httpx.AsyncClient) -> None:
    refused = await api.post("/v1/activities", json={"kind": "note", "body": "x"})
    assert refused.status_code == 422
    assert "lead_id, contact_id, company_id or deal_id" in refused.json()["errors"][0]["detail"]
    for wrong in ({"kind": "dream"}, {"kind": "call", "duration_s": -1}, {"direction": "in"}):
        assert (await api.post("/v1/activities", json=wrong)).status_code == 422


async def test_a_contact_can_be_found_by_something(api: httpx.AsyncClient) -> None:
    refused = await api.post("/v1/contacts", json={"city": "Rome"})
    assert refused.status_code == 422
    assert "nobody could find it" in refused.json()["errors"][0]["detail"]
    contact = await make(api, "contacts", last_name="Ada")
    emptied = await api.patch(
        f"/v1/contacts/{contact['id']}", json={"last_name": None}, headers=ANY
    )
    assert emptied.status_code == 422


async def test_a_task_that_is_done_has_a_time(api: httpx.AsyncClient, owner: Claims) -> None:
    task = await make(api, "tasks", due_at="2026-12-01T09:00:00+01:00", assignee_id=str(owner.sub))
    assert (task["status"], task["completed_at"]) == ("open", None)
    assert task["due_at"] == "2026-12-01T08:00:00Z"
    path = f"/v1/tasks/{task['id']}"
    done = (await api.patch(path, json={"status": "done"}, headers=ANY)).json()
    assert done["completed_at"] is not None
    again = (await api.patch(path, json={"title": "Call again"}, headers=ANY)).json()
    assert again["completed_at"] == done["completed_at"]
    opened = (await api.patch(path, json={"status": "open"}, headers=ANY)).json()
    assert opened["completed_at"] is None
    mine = await api.get("/v1/tasks", params={"assignee_id": str(owner.sub), "sort": "due_at"})
    assert [one["id"] for one in mine.json()["items"]] == [task["id"]]


@pytest.mark.parametrize(
    "wrong",
    [{"title": None}, {"status": None}, {"completed_at": "2026-01-01T00:00:00Z"}, {"due_at": 5}],
)
async def test_a_task_is_not_changed_into_none(
    api: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    task = await make(api, "tasks")
    answer = await api.patch(f"/v1/tasks/{task['id']}", json=wrong, headers=ANY)
    assert answer.status_code == 422
