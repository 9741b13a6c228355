"""Within an agency: what a role may not see, it cannot find, count, order by or guess either."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.crm.records.kinds import Kind, Op
from gardenos.crm.records.query import parameter
from gardenos.testing.postgres import make_member
from tests.support.records import ENTITIES, make

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.crm.records import Entity, Field
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn

WORD = f"z{secrets.token_hex(4)}"
OWNED = ("leads", "contacts", "companies", "deals", "tasks")
SCOPES = ("own", "none")


@dataclass(frozen=True)
class Team:
    """The owner of an agency, and a member in a role that the owner narrows."""

    owner: httpx.AsyncClient
    member: httpx.AsyncClient

    async def narrow(self, noun: str, scope: str) -> None:
        cell = {"role": "agent", "entity": noun, "verb": "read", "scope": scope}
        answer = await self.owner.put("/v1/permissions", json={"items": [cell]})
        assert answer.status_code == 200, answer.text

    async def hide(self, noun: str, field: str) -> None:
        mask = {"role": "agent", "entity": noun, "field": field, "access": "hidden"}
        answer = await self.owner.put("/v1/field-masks", json={"items": [mask]})
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def team(
    sign_in: SignIn, admin: AdminConnection, owner: Claims, api: httpx.AsyncClient
) -> Team:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    # Which members of this role do not make themselves, and deals need.
    await make(api, "pipelines")
    return Team(api, sign_in(member))


def texts(entity: Entity) -> dict[str, str]:
    """A word for every text that may be set, so that any of them would give a record away."""
    assert entity.changes is not None
    settable = entity.changes.model_fields.keys() & entity.fields.keys()
    return {
        name: f"{WORD}@example.org" if name == "email" else WORD
        for name in settable
        if entity.fields[name].kind is Kind.TEXT and name != "currency"
    }


def conditions(entity: Entity, record: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every filter that the record meets, and every order."""
    found = [
        {parameter(field, op): str(record[field.name])}
        for field in entity.fields.values()
        for op in field.operators
        if record.get(field.name) is not None and op in _HELD and field.kind is not Kind.JSON
    ]
    orders = [{"sort": name} for name, field in entity.fields.items() if field.sortable]
    return [*found, *orders, {"q": WORD}, {"include_deleted": "true"}, {}]


_HELD = (Op.EQ, Op.LTE, Op.GTE, Op.IN, Op.CONTAINS, Op.STARTS_WITH)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("noun", OWNED)
async def test_a_narrow_scope_finds_counts_and_orders_nothing_of_others(
    team: Team, noun: str, scope: str
) -> None:
    entity = ENTITIES[noun]
    record = await make(team.owner, noun, **texts(entity))
    own = await make(team.member, noun)
    await team.narrow(noun, scope)
    visible = {own["id"]} if scope == "own" else set[str]()
    for asked in conditions(entity, record):
        answer = await team.member.get(f"/v1/{noun}", params={"total": "true", **asked})
        assert answer.status_code == 200, (asked, answer.text)
        page = answer.json()
        shown = {item["id"] for item in page["items"]}
        assert shown <= visible, asked
        assert (page["total"], page["next_cursor"]) == (len(shown), None), asked
        assert WORD not in answer.text, asked
        # What finds nothing finds it because of the scope: the owner finds the record.
        mine = (await team.owner.get(f"/v1/{noun}", params=asked)).json()
        assert record["id"] in {item["id"] for item in mine["items"]}, asked
    assert (await team.member.get(f"/v1/{noun}/{record['id']}")).status_code == 404


def sendable(noun: str) -> set[str]:
    new = ENTITIES[noun].new
    return set(new.model_fields) if new else set()


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    ("noun", "include"),
    [
        (noun, name)
        for noun in OWNED
        for name, found in ENTITIES[noun].includes.items()
        if found.of in OWNED and found.field in sendable(noun)
    ],
)
async def test_what_is_included_is_held_to_the_scope_of_its_own_kind(
    team: Team, noun: str, include: str, scope: str
) -> None:
    found = ENTITIES[noun].includes[include]
    referred = await make(team.owner, found.of, **texts(ENTITIES[found.of]))
    record = await make(team.member, noun, **{found.field: referred["id"]})
    path = f"/v1/{noun}/{record['id']}"
    shown = await team.member.get(path, params={"include": include})
    assert WORD in shown.text
    await team.narrow(found.of, scope)
    for asked in (path, f"/v1/{noun}"):
        answer = await team.member.get(asked, params={"include": include})
        assert answer.status_code == 200
        assert WORD not in answer.text
        assert answer.json()["included"][found.of] == {}


def guesses(field: Field, value: str) -> list[dict[str, str]]:
    """Every question whose answer would depend on a field."""
    found = [
        {parameter(field, op): "true" if op is Op.IS_NULL else value} for op in field.operators
    ]
    orders = [{"sort": field.name}, {"sort": f"-created_at,{field.name}"}] if field.sortable else []
    return [*found, *orders]


@pytest.mark.parametrize("noun", OWNED)
async def test_a_hidden_field_cannot_be_guessed(team: Team, noun: str) -> None:
    entity = ENTITIES[noun]
    words = texts(entity)
    record = await make(team.owner, noun, **words)
    await make(team.owner, noun)
    for name, value in words.items():
        field = entity.fields[name]
        for asked in guesses(field, value):
            cursor = (await team.owner.get(f"/v1/{noun}", params={"limit": "1", **asked})).json()[
                "next_cursor"
            ]
            await team.hide(noun, name)
            for more in ({}, *([{"cursor": cursor}] if cursor else [])):
                answer = await team.member.get(f"/v1/{noun}", params={**asked, **more})
                assert answer.status_code == 403, (asked, answer.text)
                assert WORD not in answer.text
        await team.hide(noun, name)
    # All of them are hidden now: no word of any is found or shown.
    for path, asked in (
        (f"/v1/{noun}", {"q": WORD}),
        (f"/v1/{noun}", {}),
        (f"/v1/{noun}/{record['id']}", {}),
    ):
        answer = await team.member.get(path, params=asked)
        assert answer.status_code == 200
        assert WORD not in answer.text
        assert "q" not in asked or answer.json()["items"] == []
