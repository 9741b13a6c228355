"""Requests for records that are served, which no generator would guess."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gardenos.crm.records.bulk.models import MAX_AT_ONCE
from gardenos.crm.tags.routes import TAGGED
from gardenos.crm.timeline.routes import NOUNS
from tests.support.records import ENTITIES, make

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Known:
    """A request that is served, which no generator would guess."""

    body: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


EMAIL: Final = "owner@example.org"
PASSWORD: Final = "a password of some length"
LONGEST_WAIT_S: Final = 0.5
_SURE: Final = {"Allow-Duplicate": "true"}
_LATER: Final = "2027-06-01T00:00:00Z"
_TYPE: Final = {"agent_type": "lead_analysis"}
_TEXT: Final = "Two beds, one pond."
_BODIES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "contacts": ({"last_name": "Lovelace"}, {"city": "Rome"}),
    "companies": ({"name": "Ada & Co"}, {"city": "Rome"}),
    "pipelines": ({"name": "Renewals"}, {"name": "Upsales"}),
    "deals": ({"name": "A hundred seats"}, {"amount": "1500.00", "currency": "EUR"}),
    "tasks": ({"title": "Call back"}, {"status": "done"}),
}


async def known_requests(client: httpx.AsyncClient, dead: str, pair: str) -> dict[str, Known]:
    """A request for each operation that needs a record, or a value with a meaning.

    `dead` is the id of a dead task, `pair` that of two leads that may be one.
    """

    async def made(path: str, **sent: Any) -> str:
        answer = await client.post(path, **sent)
        assert answer.is_success, answer.text
        made_id: str = answer.json()["id"]
        return made_id

    lead = {"lead_id": await made("/v1/leads", json={"first_name": "Ada"})}
    doomed = {"lead_id": await made("/v1/leads", json={"first_name": "Eve"})}
    analysis = {"agent_type": "lead_analysis", "payload": lead}
    tasks = {"operations": [{"op": "create", "record": {"title": "Call"}}]}
    many = {"operations": tasks["operations"] * (MAX_AT_ONCE + 1)}
    job = {"job_id": await made("/v1/tasks/bulk", json=many)}
    task = await made("/ai/tasks", json=analysis)
    [agent, *_] = (await client.get("/ai/agents")).json()["items"]
    soon = {"wait_s": LONGEST_WAIT_S}
    of_lead = ("get_lead", "restore_lead", "list_scores", "list_follow_ups")
    return {name: Known(parameters=lead) for name in of_lead} | {
        "sign_up": Known({"email": "new@example.org", "password": PASSWORD}),
        "get_token": Known(
            {"email": EMAIL, "password": PASSWORD}, parameters={"grant_type": "password"}
        ),
        "change_user": Known({"data": {"colour": "green"}}),
        "change_agency": Known({"name": "Ada & Co"}, parameters={"If-Match": "*"}),
        "change_lead": Known({"city": "Rome"}, parameters=lead | {"If-Match": "*"}),
        "delete_lead": Known(parameters=doomed),
        "search": Known(parameters={"q": "Lovelace", "types": "leads,contacts"}),
        "bulk_tasks": Known(tasks),
        "get_job": Known(parameters=job),
        "list_job_results": Known(parameters=job),
        "submit_tasks": Known(analysis),
        "read_task": Known(parameters={"task_id": task}),
        "replay_task": Known(parameters={"task_id": dead}),
        "analyze_lead": Known(lead | soon),
        "generate_follow_up": Known(lead | soon | {"context": "They asked for a price."}),
        "read_agent_metrics": Known(parameters={"agent_id": agent["id"]}),
        "scale_agents": Known({"replicas": 2}, parameters=_TYPE),
        "run_agent": Known({"input": lead} | soon, parameters=_TYPE),
        "follow_task": Known(parameters={"task_id": task} | soon),
        "follow_events": Known(parameters={"entities": "leads"} | soon),
        **await _import_requests(made),
        **await _alike_requests(client, pair),
        **await _record_requests(client, lead),
        **await _steering_requests(client, made, analysis),
        **await _rights_requests(client, made),
        **await _program_requests(made),
    }


async def _alike_requests(client: httpx.AsyncClient, pair: str) -> dict[str, Known]:
    """The same for records that may be one."""
    found: dict[str, Known] = {}
    for noun, one in (("leads", "lead"), ("contacts", "contact"), ("companies", "company")):
        ids: list[str] = []
        for name in ("Twin", "Other"):
            sent = {"name": name} if noun == "companies" else {"last_name": name}
            made = await client.post(f"/v1/{noun}", json=sent, headers=_SURE)
            ids.append(made.raise_for_status().json()["id"])
        found[f"merge_{one}"] = Known(
            {"from": ids[1], "dry_run": True}, parameters={f"{one}_id": ids[0]}
        )
    place = f"/v1/leads/{found['merge_lead'].parameters['lead_id']}/merge"
    other = (await client.post("/v1/leads", json={"last_name": "Third"})).json()["id"]
    merged = (await client.post(place, json={"from": other})).raise_for_status().json()
    of_merge = {"merge_id": merged["merge"]["id"]}
    of_pair = {"pair_id": pair}
    return found | {
        "get_merge": Known(parameters=of_merge),
        "undo_merge": Known(parameters=of_merge),
        "dismiss_duplicate": Known(parameters=of_pair),
        "reopen_duplicate": Known(parameters=of_pair),
    }


async def _import_requests(made: Callable[..., Awaitable[str]]) -> dict[str, Known]:
    """The same for files."""
    files = [{"file": (f"{name}.csv", f"email\n{name}@example.com\n".encode())} for name in "acd"]
    first, reverted = [{"import_id": await made("/v1/imports", files=file)} for file in files[:2]]
    dry = {"dry_run": "true"}
    staged = {"import_id": await made("/v1/imports", files=files[2], data=dry)}
    return {name: Known(parameters=first) for name in ("get_import", "download_rejected")} | {
        "create_import": Known({"file": "email\nb@example.com\n"}),
        "follow_import": Known(parameters=first | {"wait_s": LONGEST_WAIT_S}),
        "change_import": Known({"score": False}, parameters=staged),
        "start_import": Known(parameters=staged | {"again": "true"}),
        "revert_import": Known(parameters=reverted),
    }


async def _program_requests(made: Callable[..., Awaitable[str]]) -> dict[str, Known]:
    """The same for keys and webhooks."""
    key = {"name": "nightly", "scopes": ["leads:read"]}
    hook = {"url": "https://127.0.0.1:1/hook", "entities": ["deals"]}
    first, second = [{"key_id": await made("/v1/api-keys", json=key)} for _ in range(2)]
    kept, doomed = [{"webhook_id": await made("/v1/webhooks", json=hook)} for _ in range(2)]
    delivery = await made(f"/v1/webhooks/{kept['webhook_id']}/test")
    of_hook = ("get_webhook", "rotate_webhook_secret", "send_test_to_webhook")
    return {name: Known(parameters=kept) for name in of_hook} | {
        "create_api_key": Known(key),
        "get_api_key": Known(parameters=first),
        "revoke_api_key": Known(parameters=second),
        "create_webhook": Known(hook),
        "change_webhook": Known({"active": False}, parameters=kept | {"If-Match": "*"}),
        "delete_webhook": Known(parameters=doomed),
        "list_webhook_deliveries": Known(parameters=kept),
        "replay_webhook_delivery": Known(parameters=kept | {"delivery_id": delivery}),
    }


async def _steering_requests(
    client: httpx.AsyncClient, made: Callable[..., Awaitable[str]], analysis: dict[str, Any]
) -> dict[str, Known]:
    """The same for what steers the queue."""
    later = await made("/ai/tasks", json=analysis | {"run_at": _LATER})
    daily = analysis | {"cron": "0 7 * * *"}
    first, second = [await made("/ai/schedules", json=daily | {"name": name}) for name in "ab"]
    for path, params in (("/ai/pauses", {}), ("/ai/limits", _TYPE)):
        assert (await client.put(path, params=params, json={})).is_success
    return {
        "cancel_task": Known(parameters={"task_id": later}),
        "cancel_tasks": Known({"agent_type": "painter"}),
        "replay_tasks": Known({"agent_type": "painter"}),
        "create_schedule": Known(daily | {"name": "c"}),
        "read_schedule": Known(parameters={"schedule_id": first}),
        "change_schedule": Known(
            {"priority": 1}, parameters={"schedule_id": first, "If-Match": "*"}
        ),
        "delete_schedule": Known(parameters={"schedule_id": second}),
        "pause_dispatch": Known({"reason": "Cleaning"}, parameters=_TYPE),
        "put_limit": Known({"max_running": 5}, parameters=_TYPE),
        "lift_limit": Known(parameters=_TYPE),
    }


async def _rights_requests(
    client: httpx.AsyncClient, made: Callable[..., Awaitable[str]]
) -> dict[str, Known]:
    """The same for who may do what. Its people sign up, for us and for an agency of their own."""

    async def invited(email: str, **sent: Any) -> str:
        body = {"email": email, "role": "agent"}
        answer = await client.post("/v1/invitations", json=body, **sent)
        assert answer.is_success, answer.text
        return answer.json()["token"]

    async def signed_up(email: str, **data: str) -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD, "data": data}
        answer = await client.post("/auth/v1/signup", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def member(email: str) -> dict[str, str]:
        joined = await signed_up(email, invitation=await invited(email))
        return {"user_id": joined["user"]["id"]}

    agency = (await client.get("/v1/agency")).json()["id"]
    stays, goes = await member("stays@example.org"), await member("goes@example.org")
    other = (await signed_up("other@example.org"))["access_token"]
    ours = await invited(EMAIL, headers={"Authorization": f"Bearer {other}"})
    open_one = await made("/v1/invitations", json={"email": "b@example.org", "role": "agent"})
    team, doomed = [await made("/v1/teams", json={"name": name}) for name in "ab"]
    cell = {"role": "agent", "entity": "leads", "verb": "delete", "scope": "none"}
    mask = {"role": "agent", "entity": "leads", "field": "email", "access": "hidden"}
    any_version = {"If-Match": "*"}
    return {
        "get_member": Known(parameters=stays),
        "change_member": Known({"role": "manager"}, parameters=stays | any_version),
        "remove_member": Known(parameters=goes),
        "create_invitation": Known({"email": "c@example.org", "role": "agent"}),
        "withdraw_invitation": Known(parameters={"invitation_id": open_one}),
        "get_open_invitation": Known(parameters={"token": await invited("d@example.org")}),
        "accept_invitation": Known(parameters={"token": ours}),
        "enter_agency": Known(parameters={"agency_id": agency}),
        "get_team": Known(parameters={"team_id": team}),
        "change_team": Known({"name": "Outbound"}, parameters={"team_id": team} | any_version),
        "delete_team": Known(parameters={"team_id": doomed}),
        "set_permissions": Known({"items": [cell]}),
        "set_field_masks": Known({"items": [mask]}),
        "find_person": Known(parameters={"email": "a@example.com"}),
        "export_person": Known({"email": "a@example.com"}),
        "erase_person": Known({"email": "nobody@example.com"}),
    }


async def _record_requests(client: httpx.AsyncClient, lead: Mapping[str, Any]) -> dict[str, Known]:
    """A request for each operation on records that needs one, but for those on leads."""
    happened = await make(client, "activities", **lead)
    known = {
        "create_activity": Known({"kind": "call", **lead}),
        "get_activity": Known(parameters={"activity_id": happened["id"]}),
        "read_lead_timeline": Known(parameters=lead),
    }
    for noun, (new, changes) in _BODIES.items():
        one = ENTITIES[noun].singular
        kept, doomed = [await make(client, noun) for _ in range(2)]
        known |= {f"create_{one}": Known(new), **_of_one(one, kept, doomed, changes)}
        if noun in NOUNS:
            known[f"read_{one}_timeline"] = Known(parameters={f"{one}_id": kept["id"]})
    return {
        **known,
        **await _conversion_requests(client),
        **await _deal_requests(client),
        **await _tag_requests(client),
        **await _list_requests(client),
        **await _file_requests(client, lead),
    }


async def _deal_requests(client: httpx.AsyncClient) -> dict[str, Known]:
    deal, other, lost = [await make(client, "deals") for _ in range(3)]
    pipeline, spare = [await make(client, "pipelines") for _ in range(2)]
    ended = await client.post(f"/v1/deals/{lost['id']}/lose", json={})
    assert ended.is_success, ended.text
    stages = {"items": [{"name": "Talks", "probability": 30}, {"name": "Won", "kind": "won"}]}
    return {
        "win_deal": Known({"reason": "The price"}, parameters={"deal_id": deal["id"]}),
        "lose_deal": Known({"reason": "No budget"}, parameters={"deal_id": other["id"]}),
        "reopen_deal": Known({}, parameters={"deal_id": lost["id"]}),
        "list_deal_stages": Known(parameters={"deal_id": deal["id"]}),
        "list_stages": Known(parameters={"pipeline_id": pipeline["id"]}),
        "read_board": Known(parameters={"pipeline_id": pipeline["id"]}),
        "put_stages": Known(stages, parameters={"pipeline_id": spare["id"], "If-Match": "*"}),
    }


async def _conversion_requests(client: httpx.AsyncClient) -> dict[str, Known]:
    lead, converted = [await make(client, "leads", last_name="Byron") for _ in range(2)]
    done = await client.post(f"/v1/leads/{converted['id']}/convert", json={})
    assert done.is_success, done.text
    return {
        "convert_lead": Known({"with_company": False}, parameters={"lead_id": lead["id"]}),
        "unconvert_lead": Known({"force": True}, parameters={"lead_id": converted["id"]}),
    }


async def _tag_requests(client: httpx.AsyncClient) -> dict[str, Known]:
    kept, doomed = [await _posted(client, "/v1/tags", name=name) for name in ("hot", "cold")]
    known = _of_one("tag", kept, doomed, {"color": "#2f855a"})
    for noun, one in TAGGED.items():
        record = {f"{one}_id": (await make(client, noun))["id"]}
        tagging = Known(parameters=record | {"tag_id": kept["id"]})
        known |= {
            f"list_{one}_tags": Known(parameters=record),
            f"tag_{one}": tagging,
            f"untag_{one}": tagging,
        }
    return known


async def _list_requests(client: httpx.AsyncClient) -> dict[str, Known]:
    """Those for what says how lists look: custom fields and views."""
    field = {"entity": "leads", "label": "Tier", "kind": "text"}
    view = {"entity": "leads", "name": "New ones", "filters": {"status": "new"}}
    tier, size = [await _posted(client, "/v1/custom-fields", key=key, **field) for key in "ab"]
    first, second = [await _posted(client, "/v1/views", **view) for _ in range(2)]
    return {
        "create_custom_field": Known(field | {"key": "c"}),
        **_of_one("custom_field", tier, size, {"label": "Rank"}),
        "create_view": Known(view),
        **_of_one("view", first, second, {"shared": True}),
    }


async def _file_requests(client: httpx.AsyncClient, lead: Mapping[str, Any]) -> dict[str, Known]:
    """Those for attachments: one with its bytes, one without, and one that is put by its address."""
    file = {**lead, "name": "plan.txt", "media_type": "text/plain", "bytes": len(_TEXT)}
    kept, doomed, awaited, put = [
        await _posted(client, "/v1/attachments", **file) for _ in range(4)
    ]
    sent = await client.put(_path(kept["upload"]["url"]), content=_TEXT)
    assert sent.is_success, sent.text
    confirmed = await client.post(f"/v1/attachments/{kept['id']}/confirm")
    assert confirmed.is_success, confirmed.text
    download = await client.get(f"/v1/attachments/{kept['id']}/download")
    assert download.is_success, download.text
    this = {"attachment_id": kept["id"]}
    return {
        "create_attachment": Known(file),
        **_of_one("attachment", kept, doomed, {"name": "map.txt"}),
        "renew_upload": Known(parameters={"attachment_id": awaited["id"]}),
        "confirm_attachment": Known(parameters=this),
        "download_attachment": Known(parameters=this),
        "put_content": Known(_TEXT, parameters={"token": _token(put["upload"]["url"])}),
        "get_content": Known(parameters={"token": _token(download.json()["url"])}),
    }


def _of_one(
    one: str, kept: Mapping[str, Any], doomed: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Known]:
    """The requests that every noun has for one of its records."""
    this = {f"{one}_id": kept["id"]}
    return {
        f"get_{one}": Known(parameters=this),
        f"change_{one}": Known(changes, parameters=this | {"If-Match": "*"}),
        f"delete_{one}": Known(parameters={f"{one}_id": doomed["id"]}),
        f"restore_{one}": Known(parameters=this),
    }


async def _posted(client: httpx.AsyncClient, path: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post(path, json=fields)
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made


def _path(address: str) -> str:
    return urlsplit(address).path


def _token(address: str) -> str:
    return _path(address).rpartition("/")[2]
