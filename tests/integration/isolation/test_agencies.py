"""No agency sees or changes anything of another, whatever operation it asks and whatever it sends.

Everything is made of the OpenAPI document: a new route is asked as soon as it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.isolation.agency import Agency, Sent, send, words
from tests.support.isolation.attack import LAST, Findings, Intruder
from tests.support.isolation.document import Operation
from tests.support.isolation.rows import UUIDS, rows_of
from tests.support.isolation.world import MakeWorld, World

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection

UNFILLED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("llm_calls", "llm_spend"), "what models cost, and the provider here asks none"
    ),
    "app.record_counts": "the orchestrator, which is not here, folds the changes into it",
    **dict.fromkeys(
        ("app.search_words", "app.search_words_gone"),
        "every name here has digits in it, and what has is no word of the dictionary",
    ),
    **dict.fromkeys(("app.likeness_swept", "duplicates"), "the sweep finds pairs, and is not here"),
    "merges": "merging takes two records: bulk/test_merges",
    "webhook_deliveries": "the webhooks here are off: nothing outside is called",
}
"""Tables that no route of an agency fills, and why."""
UNASKED: Final[Mapping[str, str]] = {
    "replay_webhook_delivery": UNFILLED["webhook_deliveries"],
    **dict.fromkeys(("dismiss_duplicate", "reopen_duplicate"), UNFILLED["duplicates"]),
    **dict.fromkeys(("get_merge", "undo_merge"), UNFILLED["merges"]),
}
"""Operations about what is not there, and why."""
UNSERVED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("sign_up", "get_token", "change_user"),
        "about a password, which no agency has: tests/integration/auth",
    ),
    **dict.fromkeys(
        ("merge_lead", "merge_contact", "merge_company"),
        "about two records, and a record is none with itself: bulk/test_merges",
    ),
    **dict.fromkeys(
        ("get_open_invitation", "accept_invitation", "put_content", "get_content"),
        "asks for the secret in an address, which is no id of a record and is held by its signature",
    ),
}
"""Operations that serve nothing to the one whose records they are asked for, and why."""
BLIND: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "read_health",
            "read_readiness",
            "read_metrics",
            "get_sign_in_health",
            "get_sign_in_settings",
            "get_jwks",
            "list_agent_types",
            "list_agents",
            "read_agent_metrics",
            "read_status",
            "read_queues",
        ),
        "about the installation",
    ),
    **dict.fromkeys(
        ("list_permissions", "list_field_masks"),
        "in words that every agency has: rights/test_teams_and_permissions",
    ),
    "read_dashboard": "in numbers: crm/test_dashboard",
    "download_rejected": "of a file without rejected rows: bulk/test_imports_staged",
    "list_duplicates": UNFILLED["duplicates"],
    "list_webhook_deliveries": UNFILLED["webhook_deliveries"],
    "follow_events": "tells of what happens while it is asked: the test of events below",
}
"""Operations that show their agency nothing of its own, and why."""
_ORDER: Final = ("get", "put", "patch", "post", "delete")
_FOUND: Final = 409


async def intrude(world: World, admin: AdminConnection) -> tuple[Findings, list[str]]:
    """Have one agency ask everything of the other: the leaks, and the tables that changed."""
    ours, theirs = world.ours, world.theirs
    before = await rows_of(admin, ours.claims.agency_id)
    secret = before.ids - (await rows_of(admin, theirs.claims.agency_id)).ids
    intruder = Intruder(theirs, ours, secret)
    await intruder.attack(world.operations)
    await intruder.repeat()
    await intruder.tell_agents(world.operations)
    after = await rows_of(admin, ours.claims.agency_id)
    return intruder.found, before.changed(after)


def _turn(operation: Operation) -> tuple[bool, int, int]:
    """What others need is removed after them: records after what hangs on them."""
    order = _ORDER.index(operation.method)
    return operation.name in LAST, order, -operation.path.count("/")


def _known(text: str, agency: Agency, ids: frozenset[str]) -> bool:
    """Whether an answer holds words or records of the agency."""
    return agency.token in text or bool(set(UUIDS.findall(text)) & ids)


async def ask_oneself(world: World, ids: frozenset[str]) -> tuple[set[str], set[str]]:
    """The operations that refuse the one whose records they are asked for, and what shows nothing."""
    refused: set[str] = set()
    blind: set[str] = set()
    ours = world.ours
    asked = [one for one in world.operations if one.name not in UNASKED]
    for operation in sorted(asked, key=_turn):
        # What is deleted is none of the records that others refer to.
        parameters = ours.parameters(operation, last=operation.method == "delete")
        headers = {"If-Match": "*"} if "If-Match" in operation.parameters("header") else {}
        path = operation.path.format(**(parameters or {}))
        query = operation.brief | {
            name: next(ours.values(operation, name, schema))
            for name, schema in operation.required.items()
        }
        sent = Sent(operation, path, query, ours.bodies.of(operation), headers)
        answer = await send(ours.client, sent)
        if not answer.is_success and not (parameters and answer.status_code == _FOUND):
            print(f"{sent}: {answer.status_code} {answer.text[:500]}")
            refused.add(operation.name)
        elif operation.method == "get" and not _known(words(answer), ours, ids):
            blind.add(operation.name)
    return refused, blind


async def test_nothing_of_an_agency_reaches_another_by_any_operation(
    make_world: MakeWorld, admin: AdminConnection
) -> None:
    world = await make_world()
    rows = await rows_of(admin, world.ours.claims.agency_id)
    print(f"refused while filling: {world.ours.refused}")
    assert rows.empty == UNFILLED.keys()
    found, changed = await intrude(world, admin)
    print(f"{len(world.operations)} operations, {found.asked.total()} requests")
    assert found.leaks == [], "\n".join(found.leaks)
    assert changed == []
    assert found.unasked.keys() == UNASKED.keys(), found.unasked
    assert found.asked.keys() | UNASKED.keys() == {one.name for one in world.operations}
    refused, blind = await ask_oneself(world, rows.ids)
    assert refused == UNSERVED.keys()
    assert blind == BLIND.keys()


async def test_events_tell_an_agency_of_its_own_changes_alone(make_world: MakeWorld) -> None:
    world = await make_world("/v1/companies")
    following = asyncio.create_task(world.theirs.client.get("/events", params={"wait_s": "2"}))
    made: dict[str, list[str]] = {world.ours.token: [], world.theirs.token: []}
    while not following.done():
        for agency in (world.ours, world.theirs):
            answer = await agency.client.post("/v1/companies", json={"name": agency.text()})
            assert answer.status_code == 201, answer.text
            made[agency.token].append(answer.json()["id"])
    told = set(UUIDS.findall((await following).text))
    assert told & set(made[world.theirs.token])
    assert not told & set(made[world.ours.token])


PLANTED: Final[Mapping[str, tuple[str, str]]] = {
    "read": (
        "ALTER POLICY companies_select ON companies USING (true)",
        "get_company: GET /v1/companies/",
    ),
    "change": (
        """
        ALTER POLICY companies_select ON companies USING (true);
        ALTER POLICY companies_update ON companies USING (true) WITH CHECK (true)
        """,
        "change_company: PATCH /v1/companies/",
    ),
    "reference": (
        "ALTER TABLE contacts DROP CONSTRAINT contacts_agency_id_company_id_fkey",
        "create_contact: POST /v1/contacts",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
async def test_a_planted_leak_is_found(
    make_world: MakeWorld, admin: AdminConnection, planted: str
) -> None:
    world = await make_world("/v1/companies", "/v1/contacts", "/v1/tags")
    statement, told = PLANTED[planted]
    await admin.execute(statement)
    found, changed = await intrude(world, admin)
    assert any(leak.startswith(told) for leak in found.leaks), found.leaks
    assert ("companies" in changed) == (planted == "change")
