"""Whatever is sent, these routes answer with a problem and never with a failure of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.integration.fields.conftest import Make

UGLY: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "\x00",
    "\ud800",
    "'; DROP TABLE leads; --",
    "%s%n{}$1",
    "x" * 100_000,
    [],
    ["a", ["a"]],
    {},
    {"a": {"b": None}},
]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/custom-fields": {
        "entity": "leads",
        "key": "x",
        "label": "X",
        "kind": "choice",
        "options": {"choices": ["a"]},
        "required": False,
        "position": 1,
        "convert": False,
    },
    "/v1/tags": {"name": "VIP", "color": "#000000"},
    "/v1/views": {
        "entity": "leads",
        "name": "Mine",
        "shared": False,
        "filters": {"status": "new"},
        "sort": ["email"],
        "columns": ["email"],
    },
    "/v1/attachments": {
        "lead_id": None,
        "name": "a.txt",
        "media_type": "text/plain",
        "bytes": 1,
        "sha256": "0" * 64,
    },
}
CONVERT: dict[str, Any] = {
    "contact_id": None,
    "contact": {"last_name": "A"},
    "company": {"name": "B"},
    "with_company": True,
    "deal": {"name": "C"},
}
KINDS = {
    "text": {},
    "number": {},
    "money": {},
    "date": {},
    "boolean": {},
    "choice": {"choices": ["a", "%", "'"]},
    "multi_choice": {"choices": ["a"]},
    "url": {},
    "email": {},
    "phone": {},
    "relation": {"entity": "leads"},
}


async def sent(api: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    # Python's own JSON writes half a surrogate pair as an escape, which is what a client can send.
    content = json.dumps(body).encode()
    return await api.post(path, content=content, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("path", BODIES)
async def test_no_field_of_a_body_breaks_a_route(api: httpx.AsyncClient, path: str) -> None:
    usual = BODIES[path]
    for field in (*usual, "unknown", "\x00"):
        for ugly in UGLY:
            answer = await sent(api, path, {**usual, field: ugly})
            assert answer.status_code < 500, (field, str(ugly)[:80], answer.text)


async def test_no_field_of_a_conversion_breaks_it(api: httpx.AsyncClient, make: Make) -> None:
    lead = await make("leads", last_name="A", website="http://[broken", email="a@b")
    for action in ("convert", "unconvert"):
        path = f"/v1/leads/{lead['id']}/{action}"
        for field in (*CONVERT, "force"):
            for ugly in UGLY:
                answer = await sent(api, path, {field: ugly})
                assert answer.status_code < 500, (field, str(ugly)[:80], answer.text)


async def test_no_value_breaks_a_custom_field_in_bodies_filters_or_orders(
    api: httpx.AsyncClient, make: Make
) -> None:
    for kind, options in KINDS.items():
        new = {"entity": "leads", "key": kind, "label": kind, "kind": kind, "options": options}
        await make("custom-fields", **new)
    texts = [
        *(one for one in UGLY if isinstance(one, str) and len(one) < 600),
        "1e999",
        "-0",
        "9" * 400,
    ]
    for kind in KINDS:
        for ugly in [*UGLY, {"amount": "9" * 30, "currency": "EUR"}, "99999-01-01", "infinity"]:
            answer = await sent(api, "/v1/leads", {"last_name": "A", "custom": {kind: ugly}})
            assert answer.status_code < 500, (kind, str(ugly)[:80], answer.text)
        for op in ("", ".ne", ".gt", ".in", ".contains", ".is_null"):
            for text in texts:
                if "\ud800" in text:
                    continue  # No URL can carry it.
                answer = await api.get("/v1/leads", params={f"custom.{kind}{op}": text})
                assert answer.status_code < 500, (kind, op, text[:80], answer.text)
        for sort in (f"custom.{kind}", f"-custom.{kind},custom.{kind}", f"custom.{kind}.x"):
            assert (await api.get("/v1/leads", params={"sort": sort})).status_code < 500


@pytest.mark.parametrize("noun", ["leads", "contacts", "companies", "deals"])
async def test_no_parameter_breaks_tags_views_and_timelines(
    api: httpx.AsyncClient, make: Make, noun: str
) -> None:
    names = {"leads": "last_name", "contacts": "last_name", "companies": "name", "deals": "name"}
    record = await make(noun, **{names[noun]: "A"})
    for ugly in (one for one in UGLY if isinstance(one, str) and one != "\ud800"):
        for parameter in ("tag", "view", "cursor", "sort", "custom.", "custom..gt", "custom.a.b"):
            answer = await api.get(f"/v1/{noun}", params={parameter: ugly[:5000]})
            assert answer.status_code < 500, (parameter, ugly[:80], answer.text)
        for parameter in ("cursor", "limit", "unknown"):
            path = f"/v1/{noun}/{record['id']}/timeline"
            answer = await api.get(path, params={parameter: ugly[:5000]})
            assert answer.status_code < 500, (parameter, ugly[:80], answer.text)
