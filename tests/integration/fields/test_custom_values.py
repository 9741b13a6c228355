"""Custom values are held to their definitions by the database, whoever writes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from gardenos.core.claims import UserRole
from gardenos.db.session import Role
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from uuid import UUID

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

DEFINE = """
INSERT INTO custom_fields (agency_id, entity, key, label, kind, options, required)
VALUES (app.agency_id(), $1, $2, $2, $3, $4, $5) RETURNING id
"""
LEAD = "INSERT INTO leads (agency_id, custom) VALUES (app.agency_id(), $1) RETURNING id"
INDEXED = """
SELECT v.text_value, v.number_value, v.date_value::text
  FROM custom_values v JOIN custom_fields f ON f.id = v.field_id
 WHERE f.key = $1 ORDER BY v.record_id, v.ordinal
"""


async def define(
    db: Database,
    claims: Claims,
    key: str,
    kind: str,
    *,
    options: dict[str, Any] | None = None,
    required: bool = False,
    entity: str = "leads",
) -> UUID:
    async with db.session(claims) as session:
        return await session.fetchval(DEFINE, entity, key, kind, options or {}, required)


async def add_lead(db: Database, claims: Claims, **custom: Any) -> UUID:
    async with db.session(claims) as session:
        return await session.fetchval(LEAD, custom)


async def indexed(admin: AdminConnection, key: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await admin.fetch(INDEXED, key)]


CHOICES = {"choices": ["gold", "silver"]}
GOOD: list[tuple[str, dict[str, Any], Any, tuple[Any, ...]]] = [
    ("text", {}, "north", ("north", None, None)),
    ("number", {}, 12.5, (None, 12.5, None)),
    ("money", {}, {"amount": "12.50", "currency": "EUR"}, (None, 12.5, None)),
    ("date", {}, "2026-02-28", (None, None, "2026-02-28")),
    ("boolean", {}, True, (None, 1.0, None)),
    ("choice", CHOICES, "gold", ("gold", None, None)),
    ("url", {}, "https://example.com/a", ("https://example.com/a", None, None)),
    ("email", {}, "Ada@Example.com", ("ada@example.com", None, None)),
    ("phone", {}, "+49 (30) 123-4", ("+49 (30) 123-4", None, None)),
]
BAD: list[tuple[str, dict[str, Any], Any]] = [
    ("text", {}, 7),
    ("text", {}, "   "),
    ("text", {}, "x" * 2001),
    ("number", {}, "7"),
    ("number", {}, True),
    ("money", {}, 12),
    ("money", {}, {"amount": 12, "currency": "EUR"}),
    ("money", {}, {"amount": "1e3", "currency": "EUR"}),
    ("money", {}, {"amount": "1.00001", "currency": "EUR"}),
    ("money", {}, {"amount": "1"}),
    ("money", {}, {"amount": "1", "currency": "EUR", "tip": "1"}),
    ("date", {}, "2026-02-30"),
    ("date", {}, "30.1.2026"),
    ("date", {}, "tomorrow"),
    ("boolean", {}, "true"),
    ("choice", CHOICES, "bronze"),
    ("choice", CHOICES, ["gold"]),
    ("multi_choice", CHOICES, "gold"),
    ("multi_choice", CHOICES, ["gold", "gold"]),
    ("multi_choice", CHOICES, ["gold", 1]),
    ("url", {}, "javascript:alert(1)"),
    ("email", {}, "ada"),
    ("phone", {}, "call me"),
    ("relation", {"entity": "contacts"}, "ada"),
    ("relation", {"entity": "contacts"}, "00000000-0000-0000-0000-000000000001"),
]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case[0])
async def test_a_value_that_fits_is_kept_for_lists(
    db: Database,
    admin: AdminConnection,
    owner: Claims,
    case: tuple[str, dict[str, Any], Any, tuple[Any, ...]],
) -> None:
    kind, options, value, row = case
    await define(db, owner, "x", kind, options=options)
    lead = await add_lead(db, owner, x=value)
    assert await indexed(admin, "x") == [row]
    async with db.session(owner) as session:
        await session.execute("UPDATE leads SET custom = '{}' WHERE id = $1", lead)
    assert await indexed(admin, "x") == [(None, None, None)]


async def test_values_that_do_not_fit_are_refused_and_say_why(db: Database, owner: Claims) -> None:
    for n, (kind, options, value) in enumerate(BAD):
        await define(db, owner, f"x{n}", kind, options=options)
        with pytest.raises(asyncpg.CheckViolationError, match=rf"x{n} \(x{n}\) ") as refused:
            await add_lead(db, owner, **{f"x{n}": value})
        assert refused.value.constraint_name == "custom_fields"
        assert refused.value.column_name == f"x{n}"


async def test_a_required_field_is_asked_for_and_cannot_be_taken_away(
    db: Database, owner: Claims
) -> None:
    before = await add_lead(db, owner)
    await define(db, owner, "region", "text", required=True)
    with pytest.raises(asyncpg.CheckViolationError, match="is required"):
        await add_lead(db, owner, other="x")
    async with db.session(owner) as session:
        # From before it was required: other values can be set without it.
        await session.execute("""UPDATE leads SET custom = '{"a": 1}' WHERE id = $1""", before)
    lead = await add_lead(db, owner, region="north")
    with pytest.raises(asyncpg.CheckViolationError, match="is required"):
        async with db.session(owner) as session:
            await session.execute("""UPDATE leads SET custom = '{"a": 1}' WHERE id = $1""", lead)


async def test_keys_without_a_definition_stay_free(db: Database, owner: Claims) -> None:
    await define(db, owner, "tier", "number")
    await add_lead(db, owner, whatever=[1, {"a": None}], tier=1)


async def test_every_choice_of_several_is_found(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    await define(db, owner, "x", "multi_choice", options=CHOICES)
    await add_lead(db, owner, x=["silver", "gold"])
    await add_lead(db, owner, x=[])
    found = await indexed(admin, "x")
    assert [row[0] for row in found] == ["silver", "gold", None]


async def test_a_definition_takes_in_what_is_stored_already(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    await add_lead(db, owner, x=3)
    await add_lead(db, owner)
    field = await define(db, owner, "x", "number")
    assert await indexed(admin, "x") == [(None, 3.0, None), (None, None, None)]
    async with db.session(owner) as session:
        await session.execute("UPDATE custom_fields SET deleted_at = now() WHERE id = $1", field)
    assert await indexed(admin, "x") == []
    await add_lead(db, owner, x="free again")


async def test_what_is_stored_already_and_does_not_fit_is_counted(
    db: Database, owner: Claims
) -> None:
    await add_lead(db, owner, x="three")
    await add_lead(db, owner, x=4)
    with pytest.raises(asyncpg.CheckViolationError, match="1 values stored under x are not"):
        await define(db, owner, "x", "number")


@pytest.mark.parametrize("column", ["key", "entity"])
async def test_a_field_keeps_its_key_and_entity(db: Database, owner: Claims, column: str) -> None:
    field = await define(db, owner, "x", "number")
    change = {
        "key": "UPDATE custom_fields SET key = 'y' WHERE id = $1",
        "entity": "UPDATE custom_fields SET entity = 'deals' WHERE id = $1",
    }
    with pytest.raises(asyncpg.CheckViolationError, match="keeps its key"):
        async with db.session(owner) as session:
            await session.execute(change[column], field)


async def test_a_kind_does_not_change_under_a_record_that_is_being_written(
    db: Database, owner: Claims
) -> None:
    field = await define(db, owner, "x", "text")

    async def to_number() -> None:
        async with db.session(owner) as session:
            await session.execute("UPDATE custom_fields SET kind = 'number' WHERE id = $1", field)

    async with db.session(owner) as writing:
        await writing.execute(LEAD, {"x": "words"})
        changing = asyncio.create_task(to_number())
        while True:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            if await writing.fetchval(waiting):
                break
    # The change waited for the record, and then saw it.
    with pytest.raises(asyncpg.CheckViolationError, match="1 values stored under x"):
        await changing


async def test_a_relation_names_a_record_of_the_agency(
    db: Database, admin: AdminConnection, owner: Claims, stranger: Claims
) -> None:
    await define(db, owner, "x", "relation", options={"entity": "leads"})
    theirs = await add_lead(db, stranger)
    ours = await add_lead(db, owner)
    await add_lead(db, owner, x=str(ours))
    with pytest.raises(asyncpg.CheckViolationError, match="names none of your leads"):
        await add_lead(db, owner, x=str(theirs))
    assert (str(ours), None, None) in await indexed(admin, "x")


async def test_another_agencys_definitions_bind_nobody_else(
    db: Database, owner: Claims, stranger: Claims
) -> None:
    await define(db, owner, "x", "number", required=True)
    await add_lead(db, stranger, x="free")


async def test_an_agent_may_not_define_and_sees_no_values_beyond_its_scope(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    member = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await define(db, member, "x", "number")
    await define(db, owner, "x", "number")
    await add_lead(db, owner, x=1)
    await admin.execute(
        "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
        " VALUES ($1, 'agent', 'leads', 'read', 'own')",
        owner.agency_id,
    )
    async with db.session(member) as session:
        assert await session.fetchval("SELECT count(*) FROM custom_values") == 0
    async with db.session(owner) as session:
        assert await session.fetchval("SELECT count(*) FROM custom_values") == 1


async def test_retention_takes_values_along(
    db: Database, admin: AdminConnection, owner: Claims
) -> None:
    await define(db, owner, "x", "number")
    gone, kept = await add_lead(db, owner, x=1), await add_lead(db, owner, x=2)
    await admin.execute(
        "UPDATE leads SET deleted_at = now() - interval '40 days' WHERE id = $1", gone
    )
    async with db.system(Role.WORKER) as session:
        purge = "SELECT app.purge_deleted(interval '30 days', 10)"
        assert await session.fetchval(purge) == 1
        assert await session.fetchval(purge) == 0
    assert [row["record_id"] for row in await admin.fetch("SELECT * FROM custom_values")] == [kept]
