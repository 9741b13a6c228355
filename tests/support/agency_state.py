"""All that an agency holds, without what differs from one agency to the next: ids and moments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import httpx

LISTS = (
    "leads",
    "contacts",
    "companies",
    "pipelines",
    "deals",
    "tasks",
    "activities",
    "tags",
    "custom-fields",
    "views",
    "members",
    "invitations",
    "permissions",
    "field-masks",
    "audit",
)
_OF_EACH = {"pipelines": ("stages", "board"), "deals": ("stages", "tags"), "leads": ("tags",)}
_NAMES = ("name", "title", "subject", "key", "email", "last_name", "first_name")
_UNNAMED = frozenset({"audit", "permissions", "field-masks", "members"})
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOW = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|\+00:00)")
"""A moment that nobody wrote: those have no fractions of a second."""


async def state_of(url: str, token: str) -> dict[str, list[Any]]:
    """What the agency of a token holds: each list, in an order that does not depend on time."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as api:
        found = {noun: await _everything(api, f"/v1/{noun}") for noun in LISTS}
        for noun, parts in _OF_EACH.items():
            for record in found[noun]:
                for part in parts:
                    record[part] = await _everything(api, f"/v1/{noun}/{record['id']}/{part}")
    named = {
        str(record["id"]): f"<{noun} {_name(record)}>"
        for noun, records in found.items()
        if noun not in _UNNAMED
        for record in records
    }
    for pipeline in found["pipelines"]:
        named |= {stage["id"]: f"<stage {stage['name']}>" for stage in pipeline["stages"]}
    for entry in found["audit"]:
        del entry["id"], entry["request_id"]
    return {noun: _alike(records, named) for noun, records in found.items()}


def _name(record: dict[str, Any]) -> str:
    return " ".join(str(record[name]) for name in _NAMES if record.get(name))


def _alike(records: Sequence[Any], named: dict[str, str]) -> list[Any]:
    text = json.dumps(records, sort_keys=True)
    text = _UUID.sub(lambda found: named.get(found[0], "<id>"), text)
    alike: list[Any] = json.loads(_NOW.sub("<now>", text))
    return sorted(alike, key=lambda record: json.dumps(record, sort_keys=True))


async def _everything(api: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    address: str | None = path
    while address:
        answer = await api.get(address)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        address = answer.links.get("next", {}).get("url")
    return found
