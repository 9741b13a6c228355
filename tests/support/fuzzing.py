"""Requests for records that are served, which no generator would guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.records import ENTITIES, make

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Known:
    """A request that is served, which no generator would guess."""

    body: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


_BODIES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "contacts": ({"last_name": "Lovelace"}, {"city": "Rome"}),
    "companies": ({"name": "Ada & Co"}, {"city": "Rome"}),
    "pipelines": ({"name": "Renewals"}, {"name": "Upsales"}),
    "deals": ({"name": "A hundred seats"}, {"amount": "1500.00", "currency": "EUR"}),
    "tasks": ({"title": "Call back"}, {"status": "done"}),
}


async def record_requests(client: httpx.AsyncClient, lead: Mapping[str, Any]) -> dict[str, Known]:
    """A request for each operation on records that needs one, but for those on leads."""
    happened = await make(client, "activities", **lead)
    known = {
        "create_activity": Known({"kind": "call", **lead}),
        "get_activity": Known(parameters={"activity_id": happened["id"]}),
    }
    for noun, (new, changes) in _BODIES.items():
        one = ENTITIES[noun].singular
        kept, doomed = [await make(client, noun) for _ in range(2)]
        this = {f"{one}_id": kept["id"]}
        known |= {
            f"create_{one}": Known(new),
            f"get_{one}": Known(parameters=this),
            f"change_{one}": Known(changes, parameters=this | {"If-Match": "*"}),
            f"delete_{one}": Known(parameters={f"{one}_id": doomed["id"]}),
            f"restore_{one}": Known(parameters=this),
        }
    return known | await _deal_requests(client)


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
