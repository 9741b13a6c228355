"""Every role x entity x verb x scope, asked of PostgreSQL and of an oracle that knows no SQL.

Entities, roles and defaults come from the database: a new entity is covered without anyone
remembering, or, where it is no table of records, named as one this test does not know.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

import asyncpg
import pytest

from gardenos.core.claims import Claims, UserRole
from gardenos.db.sql import Queries
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection

Whose = Literal["mine", "mate's", "other's", "nobody's, made by me", "nobody's, made by another"]
WHOSE: tuple[Whose, ...] = (
    *("mine", "mate's", "other's", "nobody's, made by me", "nobody's, made by another"),
)
SCOPES = ("none", "own", "team", "agency")
VERBS = ("read", "create", "update", "delete")
ROWS = (Path(__file__).parents[1] / "rows.sql").read_text("utf-8")

SQL = Queries("rights", Path(__file__).with_name("matrix.sql").read_text("utf-8"))


def reach(scope: str) -> set[Whose]:
    """Whose records a scope reaches."""
    match scope:
        case "own":
            return {"mine", "nobody's, made by me"}
        case "team":
            return {"mine", "mate's", "nobody's, made by me"}
        case "agency":
            return set(WHOSE)
        case _:
            return set()


@dataclass(frozen=True)
class Entity:
    """A table of records, and the column that says whose one is."""

    name: str
    scoped: bool
    owner: str
    columns: Mapping[str, str]
    distinct: frozenset[str]

    def expected(self, scope: str) -> set[Whose]:
        """Whose records a scope reaches; without owners it is all or none.

        Where whoever made a record owns it, one that nobody owns was made by nobody.
        """
        found = reach(scope) if self.scoped or scope == "agency" else set[Whose]()
        if self.owner == "created_by" and scope != "agency":
            found -= {"nobody's, made by me"}
        return found


@dataclass
class World:
    """Records of everybody, and what is asked about them."""

    conn: AdminConnection
    actors: Mapping[str, Claims]
    mate: UUID
    other: UUID
    rows: dict[tuple[str, str, Whose], UUID] = field(
        default_factory=dict[tuple[str, str, Whose], UUID]
    )

    async def clone(self, entity: Entity, row_id: UUID, **changes: Any) -> None:
        """Put in another record, like the agency's first one but for the changes."""
        columns = ", ".join(entity.columns)
        ours = [
            column
            for column in entity.distinct - {"entity"}
            if entity.columns[column] == "text" and column not in changes
        ]
        changes |= dict.fromkeys(ours, f"k{row_id.hex[-19:]}") | {"id": str(row_id)}
        if "is_default" in entity.columns:
            changes["is_default"] = False
        await self.conn.execute(
            f"INSERT INTO {entity.name} ({columns}) SELECT {columns}"  # noqa: S608 from the catalog
            f" FROM jsonb_populate_record(NULL::{entity.name}, $1::jsonb || $2::jsonb)",
            self.template[entity.name],
            json.dumps(changes),
        )

    template: dict[str, str] = field(default_factory=dict[str, str])

    def ownership(self, entity: Entity, role: str, whose: Whose) -> dict[str, Any]:
        """The columns that make a record somebody's."""
        me = self.actors[role].sub
        owner, maker = {
            "mine": (me, self.other),
            "mate's": (self.mate, me),
            "other's": (self.other, me),
            "nobody's, made by me": (None, me),
            "nobody's, made by another": (None, self.other),
        }[whose]
        made = {"created_by": str(maker)}
        return made | ({entity.owner: owner and str(owner)} if entity.scoped else {})


async def entities(conn: AdminConnection) -> tuple[list[Entity], set[str]]:
    """Those that are tables of records, and the names of the others."""
    found: list[Entity] = []
    others: set[str] = set()
    for row in await conn.fetch(SQL["entities"]):
        if row["args"] is None:
            others.add(row["name"])
            continue
        columns = await conn.fetch(SQL["columns"], row["name"])
        owner = row["args"][1]
        kinds = {c["name"]: c["type"] for c in columns}
        distinct = frozenset(c["name"] for c in columns if c["distinct_"])
        found.append(Entity(row["name"], row["scoped"], owner, kinds, distinct))
    return found, others


async def made_world(conn: AdminConnection, owner: Claims, found: list[Entity]) -> World:
    """An actor of each role with a mate in a team and another outside; records of all, for each."""
    agency = owner.agency_id
    actors = {role.value: await make_member(conn, role=role, agency_id=agency) for role in UserRole}
    mate = await make_member(conn, role=UserRole.AGENT, agency_id=agency)
    other = await make_member(conn, role=UserRole.AGENT, agency_id=agency)
    world = World(conn, actors, mate.sub, other.sub)
    async with conn.transaction():
        await conn.execute("SELECT set_config('request.jwt.claims', $1, true)", owner.json)
        await conn.execute(ROWS)
        await conn.execute("INSERT INTO leads (agency_id) SELECT app.agency_id()")
        await conn.execute("DELETE FROM permissions")
        await conn.execute("DELETE FROM field_masks")
        for claims in (*actors.values(), mate):
            await conn.execute(
                "INSERT INTO team_members SELECT $1, id, $2 FROM teams", agency, claims.sub
            )
        # Each actor is alone with the mate: in teams of two.
        await conn.execute("DELETE FROM team_members")
        for claims in actors.values():
            team = await conn.fetchval(
                "INSERT INTO teams (agency_id, name) VALUES ($1, $2) RETURNING id",
                *(agency, str(claims.sub)),
            )
            for user in (claims.sub, mate.sub):
                await conn.execute(
                    "INSERT INTO team_members VALUES ($1, $2, $3)", agency, team, user
                )
        for entity in found:
            query = f"SELECT to_jsonb(t)::text FROM {entity.name} t WHERE agency_id = $1 LIMIT 1"  # noqa: S608
            world.template[entity.name] = await conn.fetchval(query, agency)
            for role in actors:
                for whose in WHOSE:
                    row_id = uuid4()
                    await world.clone(entity, row_id, **world.ownership(entity, role, whose))
                    world.rows[entity.name, role, whose] = row_id
    return world


@asynccontextmanager
async def undone(conn: AdminConnection) -> AsyncGenerator[None]:
    """A transaction, or a part of one, that is taken back."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def succeeds(conn: AdminConnection, statement: str, *args: Any) -> bool:
    """Whether a statement does something, and is not refused; taken back."""
    try:
        async with undone(conn):
            return not (await conn.execute(statement, *args)).endswith(" 0")
    except asyncpg.InsufficientPrivilegeError:
        return False


async def measured(world: World, entity: Entity, role: str, verb: str) -> set[Whose]:
    """Whose records of this entity the role, acting now, does this verb to."""
    if verb == "create":
        found: set[Whose] = set()
        for whose in WHOSE:
            with suppress(asyncpg.InsufficientPrivilegeError):
                async with undone(world.conn):
                    await world.clone(entity, uuid4(), **world.ownership(entity, role, whose))
                    found.add(whose)
        return found
    statement = {
        "read": f"SELECT FROM {entity.name} WHERE id = $1",
        "update": f"UPDATE {entity.name} SET {changed_column(entity)} WHERE id = $1",  # noqa: S608
        "delete": f"UPDATE {entity.name} SET deleted_at = now() WHERE id = $1",  # noqa: S608
    }[verb]
    return {
        whose
        for whose in WHOSE
        if await succeeds(world.conn, statement, world.rows[entity.name, role, whose])
    }


def changed_column(entity: Entity) -> str:
    """A change that any record takes."""
    usual = ("first_name", "name", "title", "label", "description")
    column = next(c for c in usual if c in entity.columns)
    return f"{column} = 'changed'"


def cells(
    found: list[Entity], defaults: Mapping[tuple[str, str, str], str]
) -> Iterator[tuple[Entity, str, str, str | None, str]]:
    """Entity, role, verb, the scope an agency set (None: none) and the one that then holds."""
    for entity in found:
        for role in UserRole:
            for verb in VERBS:
                yield entity, role, verb, None, defaults[role, entity.name, verb]
                if role is not UserRole.OWNER:
                    for scope in SCOPES:
                        yield entity, role, verb, scope, scope


async def compare(world: World, found: list[Entity]) -> tuple[int, list[str]]:
    """How many cells were asked about, and a sentence for each that is not as it should be."""
    conn = world.conn
    defaults = {
        (r["role"], r["entity"], r["verb"]): r["scope"] for r in await conn.fetch(SQL["defaults"])
    }
    count, faults = 0, list[str]()
    for entity, role, verb, decided, scope in cells(found, defaults):
        claims = world.actors[role]
        expected = entity.expected(scope)
        if verb in ("update", "delete"):
            expected &= entity.expected(defaults[role, entity.name, "read"])
        # A file is attached by whoever may change what it is attached to.
        if (entity.name, verb) == ("attachments", "create"):
            attached_to = next(one for one in found if one.name == "companies")
            expected = (
                expected if attached_to.expected(defaults[role, "companies", "update"]) else set()
            )
        async with undone(conn):
            if decided:
                await conn.execute(
                    "INSERT INTO permissions VALUES ($1, $2, $3, $4, $5)",
                    *(claims.agency_id, role, entity.name, verb, decided),
                )
            await act_as(conn, claims)
            got = await measured(world, entity, role, verb)
        count += 1
        if got != expected:
            faults.append(
                f"{role} {verb} {entity.name} ({scope}): {sorted(got)}, not {sorted(expected)}"
            )
    return count, faults


async def act_as(conn: AdminConnection, claims: Claims) -> None:
    """Go on under these claims until the transaction ends."""
    await conn.execute("SELECT set_config('request.jwt.claims', $1, true)", claims.json)
    await conn.execute("SET LOCAL ROLE authenticated")


async def test_every_role_does_to_every_entity_what_its_scope_says_and_no_more(
    admin: AdminConnection, owner: Claims
) -> None:
    found, _ = await entities(admin)
    world = await made_world(admin, owner, found)
    count, faults = await compare(world, found)
    assert faults == []
    # A default for each role, and four scopes for each but the owner's.
    assert count == len(found) * len(VERBS) * (len(UserRole) + 4 * len(SCOPES))


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("ALTER POLICY leads_select ON leads USING (true)", "agent read leads (own)"),
        ("DROP TRIGGER deals_guard_changes ON deals", "deals"),
        # What the defaults say is no fault: docs/permissions.md holds them.
        ("UPDATE app.default_permissions SET scope = 'agency' WHERE verb = 'delete'", None),
    ],
)
async def test_a_matrix_that_is_not_kept_is_noticed(
    admin: AdminConnection, owner: Claims, planted: str, fault: str | None
) -> None:
    found, _ = await entities(admin)
    some = [entity for entity in found if entity.name in ("leads", "deals", "tasks")]
    world = await made_world(admin, owner, some)
    await admin.execute(planted)
    _, faults = await compare(world, some)
    assert any(fault in f for f in faults) if fault else faults == []


async def test_the_entities_that_are_no_records_are_known(admin: AdminConnection) -> None:
    _, others = await entities(admin)
    assert others == {"activities", "audit"}


@pytest.mark.parametrize("scope", SCOPES)
async def test_an_activity_is_seen_by_whoever_sees_what_it_happened_with(
    admin: AdminConnection, owner: Claims, scope: str
) -> None:
    found, _ = await entities(admin)
    companies = [entity for entity in found if entity.name == "companies"]
    world = await made_world(admin, owner, companies)
    claims = world.actors["agent"]
    await admin.execute("DELETE FROM activities")
    for whose in WHOSE:
        await admin.execute(
            "INSERT INTO activities (agency_id, kind, subject, company_id) VALUES ($1, 'note', $2, $3)",
            *(claims.agency_id, whose, world.rows["companies", "agent", whose]),
        )
    for entity in ("activities", "companies"):
        await admin.execute(
            "INSERT INTO permissions VALUES ($1, 'agent', $2, 'read', $3)",
            *(claims.agency_id, entity, scope),
        )
    async with admin.transaction():
        await act_as(admin, claims)
        seen = {row["subject"] for row in await admin.fetch("SELECT subject FROM activities")}
        for change in ("UPDATE activities SET subject = 'x'", "DELETE FROM activities"):
            assert not await succeeds(admin, change)
    assert seen == reach(scope)


CANDIDATES: Mapping[str, tuple[Any, ...]] = {
    "text": ("changed", "contacted", "won", "high", "EUR"),
    "boolean": (True, False),
    "date": ("2030-01-01",),
    "timestamp with time zone": ("2030-01-01T00:00:00Z",),
    **dict.fromkeys(("integer", "smallint", "bigint", "numeric", "double precision"), (7, 0.7)),
}
"""Values to set a field to, by its type: the first one that its table takes is tried."""
COMPUTED = {"deals.status", "deals.closed_at", "deals.close_reason", "tasks.completed_at"}
"""What a trigger sets whatever a statement says: no change of it can be refused."""
UNMASKABLE = {
    *("id", "agency_id", "version", "created_by", "created_at", "updated_at", "deleted_at"),
    "custom",
}


def setting(entity: Entity, column: str) -> str:
    """A statement that sets a column of record $1 to what the JSON $2 says."""
    return (
        f"UPDATE {entity.name} t SET {column} = p.{column}"  # noqa: S608 from the catalog
        f" FROM jsonb_populate_record(NULL::{entity.name}, $2::jsonb) p"
        f" WHERE t.id = $1 AND t.{column} IS DISTINCT FROM p.{column}"
    )


async def change_of(world: World, entity: Entity, column: str, row_id: UUID) -> str | None:
    """The JSON of a change of this column that a manager may make; None where none is known."""
    for value in CANDIDATES.get(entity.columns[column], ()):
        given = json.dumps({column: value})
        with suppress(asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
            async with undone(world.conn):
                await act_as(world.conn, world.actors["manager"])
                if await succeeds(world.conn, setting(entity, column), row_id, given):
                    return given
    return None


async def mask_faults(world: World, entity: Entity, column: str, row_id: UUID, given: str) -> str:
    """What of a mask on this column is not kept; nothing where it is."""
    conn, claims = world.conn, world.actors["manager"]
    faults = ""
    for access in ("read_only", "hidden"):
        async with undone(conn):
            await conn.execute(
                "INSERT INTO field_masks VALUES ($1, 'manager', $2, $3, $4)",
                *(claims.agency_id, entity.name, column, access),
            )
            await act_as(conn, claims)
            other = f"UPDATE {entity.name} SET version = version WHERE id = $1"  # noqa: S608
            readable = "SELECT app.require_readable($1, ARRAY[$2])"
            if await succeeds(conn, setting(entity, column), row_id, given):
                faults += f" is set, though {access};"
            if not await succeeds(conn, other, row_id):
                faults += f" keeps others from being set, being {access};"
            if await succeeds(conn, readable, entity.name, column) != (access == "read_only"):
                faults += f" is not read as {access};"
    return faults


async def test_a_masked_field_is_neither_set_nor_guessed_and_the_others_are(
    admin: AdminConnection, owner: Claims
) -> None:
    found, _ = await entities(admin)
    world = await made_world(admin, owner, found)
    tried, faults = set[str](), list[str]()
    for entity in found:
        row_id = world.rows[entity.name, "manager", "mine"]
        for column in sorted(entity.columns.keys() - UNMASKABLE):
            name = f"{entity.name}.{column}"
            given = None
            if name not in COMPUTED:
                given = await change_of(world, entity, column, row_id)
            if given:
                tried.add(name)
                fault = await mask_faults(world, entity, column, row_id, given)
                faults += [name + fault] if fault else []
    assert faults == []
    assert {"leads.email", "contacts.phone", "companies.domain", "deals.notes"} <= tried
    assert {"tasks.due_at", "pipelines.name"} <= tried


async def test_a_masked_custom_value_is_not_set(admin: AdminConnection, owner: Claims) -> None:
    found, _ = await entities(admin)
    world = await made_world(admin, owner, [e for e in found if "custom" in e.columns])
    claims = world.actors["agent"]
    for entity in (e.name for e in found if "custom" in e.columns):
        await admin.execute(
            "INSERT INTO field_masks VALUES ($1, 'agent', $2, 'custom.size', 'read_only')",
            *(claims.agency_id, entity),
        )
        change = f"UPDATE {entity} SET custom = $2::jsonb WHERE id = $1"  # noqa: S608
        row_id = world.rows[entity, "agent", "mine"]
        async with admin.transaction():
            await act_as(admin, claims)
            assert not await succeeds(admin, change, row_id, '{"size": 1}'), entity
            assert await succeeds(admin, change, row_id, '{"colour": 1}'), entity
