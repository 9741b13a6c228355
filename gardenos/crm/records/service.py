"""What may be done with records, in the caller's session and under its claims.

Who may do what, the database decides: what it does not show is `NotFound`, what it refuses
`Forbidden`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg

from gardenos.core.errors import InvalidContent, InvalidCursor, NotFound, PreconditionFailed
from gardenos.core.page import CursorSigner
from gardenos.crm.records import compose, faults, kinds
from gardenos.crm.records import entity as declared
from gardenos.crm.records.compose import HIDDEN, REACH, TOTAL, ListShape, Statement
from gardenos.crm.records.conditions import Condition
from gardenos.crm.records.entity import Entity, Values
from gardenos.crm.records.kinds import ORDERINGS, Op
from gardenos.crm.records.models import MAX_CUSTOM_KEYS
from gardenos.crm.records.query import Filter, Query, Sort, custom_keys, resolve
from gardenos.db.session import TenantSession

Included: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Related records, by kind and id."""
_CUSTOM: Final = "custom."


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as the role may see it: by field, without those hidden from it."""

    entity: Entity
    id: UUID
    version: int
    """1 where the entity's records never change."""
    values: Values

    def shown(self, fields: Collection[str] | None) -> Values:
        """Its values, or those of these fields and the id."""
        if fields is None:
            return self.values
        return {
            name: value for name, value in self.values.items() if name in fields or name == "id"
        }


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list."""

    items: Sequence[Stored]
    next_cursor: str | None
    total: int | None
    included: Included | None


def visible(values: Mapping[str, Any], hidden: Collection[str]) -> dict[str, Any]:
    """Values without those of hidden fields; `custom.<key>` hides one custom value."""
    if not hidden:
        return dict(values)
    kept = {name: value for name, value in values.items() if name not in hidden}
    keys = {name.removeprefix(_CUSTOM) for name in hidden if name.startswith(_CUSTOM)}
    if keys and kept.get("custom"):
        kept["custom"] = {key: value for key, value in kept["custom"].items() if key not in keys}
    return kept


def _stored(entity: Entity, row: asyncpg.Record) -> Stored:
    values = {name: row[name] for name in entity.fields if name in row}
    version = row["version"] if entity.versioned else 1
    return Stored(entity, row["id"], version, visible(values, row[HIDDEN] or ()))


async def _row(
    session: TenantSession, statement: Statement, values: Values
) -> asyncpg.Record | None:
    return await session.fetchrow(statement.sql, *statement.arguments(values))


async def get(session: TenantSession, entity: Entity, record_id: UUID) -> Stored:
    """A record. Raises `NotFound`, also for another agency's and for a deleted one."""
    row = await _row(session, compose.read(entity, tuple(entity.fields)), {"id": record_id})
    if row is None:
        raise NotFound(entity.missing(record_id))
    return _stored(entity, row)


async def create(
    session: TenantSession,
    entity: Entity,
    values: Values,
    *,
    alone: bool = False,
    sure: bool = False,
) -> Stored:
    """Store a record. Raises `Forbidden`, `Conflict`, `InvalidContent`.

    One that comes `alone`, not as one of many, raises `PossibleDuplicate` where it may be there
    already, unless the sender is `sure`.
    """
    sent = values
    if entity.prepare is not None:
        values = await entity.prepare(session, values)
    asks = entity.likeness if alone else None
    if asks is not None and not sure:
        # Who may store nothing is told that, and not what is there.
        session.claims.require_writer()
        await asks.refuse(session, values)
    given = {name: value for name, value in values.items() if value is not None}
    claims = session.claims
    bound = {f"set_{name}": value for name, value in given.items()}
    bound |= {"set_agency_id": claims.agency_id, "set_created_by": claims.sub}
    statement = compose.inserted(entity, tuple(sorted(given)))
    with faults.told(entity, "create", values):
        row = await _row(session, statement, bound)
    assert row is not None  # noqa: S101 an INSERT that stored nothing has raised
    if asks is not None:
        asks.keep(session, row["id"], values)
    if entity.after_create is not None:
        await entity.after_create(session, row["id"], sent)
    return _stored(entity, row)


async def change(
    session: TenantSession,
    entity: Entity,
    record_id: UUID,
    values: Values,
    *,
    versions: Sequence[int] | None = None,
) -> Stored:
    """Change a record that is at one of `versions` (None: any): values sent replace the stored ones.

    `custom` is merged key by key; null removes a key. Raises `NotFound`, `PreconditionFailed` for
    another version, `Forbidden`, `Conflict`, `InvalidContent`.
    """
    if entity.prepare_change is not None:
        values = await entity.prepare_change(session, record_id, values)
    if not values:
        return await refused(session, entity, record_id, versions=versions, changed=False)
    bound = {f"set_{name}": value for name, value in values.items()}
    bound |= {"id": record_id, "versions": versions}
    statement = compose.changed(entity, tuple(sorted(values)), versions=versions is not None)
    with faults.told(entity, "change", values):
        row = await _row(session, statement, bound)
    if row is None:
        return await refused(session, entity, record_id, versions=versions)
    if "custom" in values and len(row["custom"]) > MAX_CUSTOM_KEYS:
        detail = f"would hold more than {MAX_CUSTOM_KEYS} values"
        raise InvalidContent(errors=[{"pointer": "/custom", "detail": detail}])
    return _stored(entity, row)


async def delete(
    session: TenantSession,
    entity: Entity,
    record_id: UUID,
    *,
    versions: Sequence[int] | None = None,
) -> None:
    """Mark a record deleted. Raises `NotFound`, `PreconditionFailed`, `Forbidden`."""
    if entity.before_delete is not None:
        await entity.before_delete(session, record_id)
    statement = compose.deleted(entity, versions=versions is not None)
    with faults.told(entity, "delete", {}):
        row = await _row(session, statement, {"id": record_id, "versions": versions})
    if row is None:
        await refused(session, entity, record_id, versions=versions, verb="delete")


async def restore(session: TenantSession, entity: Entity, record_id: UUID) -> Stored:
    """Undo a deletion; a record that is not deleted stays as it is. Raises `NotFound`, `Forbidden`."""
    with faults.told(entity, "restore", {}):
        row = await _row(session, compose.restored(entity), {"id": record_id})
    if row is not None:
        return _stored(entity, row)
    row = await _row(session, compose.probed(entity), {"id": record_id})
    if row is None:
        raise NotFound(entity.missing(record_id))
    if row[REACH] == "none" or row["deleted_at"] is not None:
        raise faults.forbidden(entity, "restore")
    return _stored(entity, row)


async def refused(
    session: TenantSession,
    entity: Entity,
    record_id: UUID,
    *,
    versions: Sequence[int] | None,
    changed: bool = True,
    verb: str = "change",
) -> Stored:
    """Why a statement changed nothing: raises it. Where nothing was to change, the record.

    Raises `NotFound`, `PreconditionFailed`, `Forbidden`.
    """
    row = await _row(session, compose.probed(entity), {"id": record_id})
    if row is None or (entity.deletes and row["deleted_at"] is not None):
        raise NotFound(entity.missing(record_id))
    if row[REACH] == "none":
        raise faults.forbidden(entity, verb)
    if versions is not None and row["version"] not in versions:
        raise PreconditionFailed
    if changed:
        raise faults.forbidden(entity, verb)
    return _stored(entity, row)


async def find(
    session: TenantSession, entity: Entity, query: Query, cursors: CursorSigner
) -> Found:
    """A page of the records that match. Raises `InvalidCursor` for one of another list.

    Raises `Forbidden` where the role may not see a field that is filtered or sorted by.
    """
    query = await _resolved(session, entity, query)
    sort = _sorts(query)
    scope = f"{entity.noun}:{session.claims.agency_id}:{query.scope}"
    key = None if query.cursor is None else _opened(sort, cursors.open(scope, query.cursor))
    shape = _shape(entity, query, key)
    values = _values(query, key)
    statement = compose.listed(entity, shape)
    with faults.told(entity, "list", {}):
        rows = await session.fetch(statement.sql, *statement.arguments(values))
    page = rows[: query.limit]
    items = [_stored(entity, row) for row in page]
    cursor = None
    if len(rows) > query.limit:
        cursor = cursors.seal(scope, _key(sort, page[-1]))
    total = await _total(session, entity, shape, values, rows) if query.total else None
    included = await related(session, entity, items, query.include) if query.include else None
    return Found(items, cursor, total, included)


async def _resolved(session: TenantSession, entity: Entity, query: Query) -> Query:
    keys = custom_keys(query)
    if not keys:
        return query
    known = await entity.custom(session, entity.noun, keys)
    return resolve(query, known.get)


def _filters(query: Query) -> tuple[Filter, ...]:
    return tuple(one for one in query.filters if isinstance(one, Filter))


def _sorts(query: Query) -> tuple[Sort, ...]:
    return tuple(one for one in query.sort if isinstance(one, Sort))


async def _total(
    session: TenantSession,
    entity: Entity,
    shape: ListShape,
    values: Values,
    rows: Sequence[asyncpg.Record],
) -> int:
    if rows:
        return int(rows[0][TOTAL])
    if shape.after is None:
        return 0
    statement = compose.counted(entity, replace(shape, columns=(), after=None))
    return int(await session.fetchval(statement.sql, *statement.arguments(values)))


def _condition(one: Filter) -> Condition:
    return Condition(
        one.field,
        one.op,
        number=one.op in ORDERINGS and not one.field.typed and isinstance(one.value, Decimal),
        negated=one.op is Op.IS_NULL and not one.value,
    )


def _shape(entity: Entity, query: Query, key: Sequence[Any] | None) -> ListShape:
    columns = tuple(entity.fields)
    if query.fields is not None:
        needed = query.fields | {"id", "version"}
        needed |= {entity.includes[name].field for name in query.include}
        columns = tuple(name for name in columns if name in needed)
    return ListShape(
        columns=columns,
        conditions=tuple(_condition(one) for one in _filters(query)),
        words=len(query.words),
        sort=_sorts(query),
        after=None if key is None else tuple(value is None for value in key[:-1]),
        include_deleted=query.include_deleted,
        total=query.total,
        tagged=query.tag is not None,
    )


def _values(query: Query, key: Sequence[Any] | None) -> dict[str, Any]:
    values = {f"filter_{n}": one.value for n, one in enumerate(_filters(query))}
    values |= {f"word_{n}": word for n, word in enumerate(query.words)}
    values["tag"] = query.tag
    if key is not None:
        values |= {f"after_{n}": value for n, value in enumerate(key[:-1])}
        values["after_id"] = key[-1]
    return values | {"limit": query.limit + 1}


def listing(
    entity: Entity, query: Query, after: Sequence[Any] | None = None
) -> tuple[str, list[Any]]:
    """The statement of a list and its arguments; `after`: sort keys and id of the row before."""
    statement = compose.listed(entity, _shape(entity, query, after))
    return statement.sql, statement.arguments(_values(query, after))


def _key(sort: Sequence[Sort], row: asyncpg.Record) -> list[Any]:
    found = [kinds.frozen(one.field.kind, row[compose.sort_key(n)]) for n, one in enumerate(sort)]
    return [*found, str(row["id"])]


def _opened(sort: Sequence[Sort], key: Sequence[Any]) -> list[Any]:
    if len(key) != len(sort) + 1:
        raise InvalidCursor
    try:
        found = [kinds.thawed(one.field.kind, value) for one, value in zip(sort, key, strict=False)]
        return [*found, UUID(str(key[-1]))]
    except ValueError:
        raise InvalidCursor from None


async def related(
    session: TenantSession, entity: Entity, items: Sequence[Stored], include: Sequence[str]
) -> Included:
    """The records that these refer to, each kind read in one statement; those visible to the role."""
    wanted: dict[str, set[UUID]] = {}
    for name in include:
        found = entity.includes[name]
        ids = (item.values.get(found.field) for item in items)
        wanted.setdefault(found.of, set()).update(one for one in ids if one is not None)
    return {kind: await _by_id(session, kind, ids) for kind, ids in wanted.items()}


async def _by_id(
    session: TenantSession, kind: str, ids: Collection[UUID]
) -> Mapping[str, Mapping[str, Any]]:
    if not ids:
        return {}
    found = declared.related(kind)
    statement = compose.related(found)
    rows = await session.fetch(statement.sql, *statement.arguments({"ids": list(ids)}))
    names = [field.name for field in found.fields]
    return {
        str(row[found.key]): visible(
            {name: row[name] for name in names}, (row[HIDDEN] or ()) if found.masked else ()
        )
        for row in rows
    }
