"""The statements of an entity, composed by SQLAlchemy Core and compiled once for each shape.

A shape is everything about a request but its values, and those are always parameters. Nothing here
executes: the asyncpg session does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    func,
    insert,
    literal,
    select,
    types,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, asyncpg
from sqlalchemy.sql.elements import CompilerElement

from gardenos.crm.records import conditions, kept
from gardenos.crm.records.conditions import Condition
from gardenos.crm.records.entity import Entity, Related
from gardenos.crm.records.fields import Field
from gardenos.crm.records.kinds import SQL_TYPES, Kind
from gardenos.crm.records.query import Sort

_SHAPES_KEPT: Final = 1024
_DIALECT: Final = asyncpg.dialect()
_TEXT: Final = types.Text()
_TEXTS: Final = ARRAY(types.Text())
HIDDEN: Final = "hidden"
TOTAL: Final = "total"
REACH: Final = "reach"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$n` parameters, and the names of their values in that order."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    """The values that belong to the shape."""

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters."""
        return [values[name] if name in values else self.constants[name] for name in self.names]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListShape:
    """Everything about a list but its values."""

    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]
    words: int
    sort: tuple[Sort, ...]
    after: tuple[bool, ...] | None
    """Which sort keys of the row to go on behind are null; None for the first page."""
    include_deleted: bool
    total: bool
    tagged: bool = False


def _compiled(statement: CompilerElement) -> Statement:
    compiled: Any = statement.compile(dialect=_DIALECT)
    names: tuple[str, ...] = tuple(compiled.positiontup or ())
    constants: dict[str, Any] = {name: compiled.binds[name].value for name in names}
    return Statement(str(compiled), names, constants)


def sort_key(position: int) -> str:
    """What a row calls its value of the list's n-th sort column."""
    return f"_sort_{position}"


def hidden_fields(noun: str) -> ColumnElement[Any]:
    """The fields that the role may not see; evaluated once for a statement."""
    return select(func.app.hidden_fields(literal(noun, _TEXT), type_=_TEXTS)).scalar_subquery()


def _shown(entity: Entity, columns: Sequence[str]) -> list[ColumnElement[Any]]:
    return [
        *(_column(entity.table.c[name], entity.fields[name]) for name in columns),
        hidden_fields(entity.noun).label(HIDDEN),
    ]


def _column(column: ColumnElement[Any], field: Field) -> ColumnElement[Any]:
    if field.kind is Kind.DECIMAL:
        return func.trim_scale(column).label(field.name)
    return column


def _matching(entity: Entity, shape: ListShape) -> list[ColumnElement[bool]]:
    found = [
        conditions.filtered(entity.table, one, f"filter_{n}")
        for n, one in enumerate(shape.conditions)
    ]
    masks = {name for one in shape.conditions for name in one.field.masks}
    masks |= {name for one in shape.sort for name in one.field.masks}
    if shape.tagged and entity.tagged_by is not None:
        found.append(conditions.tagged(entity.table, entity.tagged_by))
        masks.add("tags")
    if masks:
        required = func.app.require_readable(
            literal(entity.noun, _TEXT), literal(sorted(masks), _TEXTS), type_=types.Boolean()
        )
        found.append(select(required).scalar_subquery())
    if shape.words:
        hidden = hidden_fields(entity.noun)
        found += conditions.worded(entity.table, entity.search, hidden, shape.words)
    if entity.deletes and not shape.include_deleted:
        found.append(entity.table.c["deleted_at"].is_(None))
    return found


@lru_cache(maxsize=_SHAPES_KEPT)
def listed(entity: Entity, shape: ListShape) -> Statement:
    """A page of a list. Values: `filter_<n>`, `word_<n>`, `tag`, `after_<n>`, `after_id`, `limit`."""
    keys = [conditions.sorted_column(entity.table, one.field) for one in shape.sort]
    matching = _matching(entity, shape)
    shown = _shown(entity, shape.columns)
    shown += [key.label(sort_key(n)) for n, key in enumerate(keys)]
    if shape.total:
        total = select(func.count()).select_from(entity.table).where(*matching)
        # Its own look at the table, or the page's conditions would be the count's, too.
        shown.append(total.correlate(None).scalar_subquery().label(TOTAL))
    statement: Select[Any] = kept.joined(
        select(*shown).where(*matching), entity.table, [one.field for one in shape.sort]
    )
    if shape.after is not None:
        statement = statement.where(conditions.behind(entity.table, shape.sort, shape.after))
    order = [
        key.desc() if one.descending else key for key, one in zip(keys, shape.sort, strict=True)
    ]
    last = entity.table.c["id"]
    order.append(last.desc() if shape.sort[-1].descending else last)
    limit = bindparam("limit", type_=types.Integer())
    return _compiled(statement.order_by(*order).limit(limit))


@lru_cache(maxsize=_SHAPES_KEPT)
def counted(entity: Entity, shape: ListShape) -> Statement:
    """How many records match a list."""
    matching = _matching(entity, shape)
    return _compiled(select(func.count()).select_from(entity.table).where(*matching))


@lru_cache(maxsize=_SHAPES_KEPT)
def read(entity: Entity, columns: tuple[str, ...], *, deleted: bool = False) -> Statement:
    """One record, by `id`; `deleted` ones, too."""
    statement = select(*_shown(entity, columns)).where(_is(entity))
    if entity.deletes and not deleted:
        statement = statement.where(entity.table.c["deleted_at"].is_(None))
    return _compiled(statement)


@lru_cache(maxsize=_SHAPES_KEPT)
def probed(entity: Entity) -> Statement:
    """One record, by `id`, deleted or not, and how far the role's leave to change reaches."""
    reach = func.app.change_scope(literal(entity.noun, _TEXT), type_=_TEXT).label(REACH)
    return _compiled(select(*_shown(entity, tuple(entity.fields)), reach).where(_is(entity)))


@lru_cache(maxsize=_SHAPES_KEPT)
def inserted(entity: Entity, columns: tuple[str, ...]) -> Statement:
    """A new record with values for these columns; those absent take the table's defaults."""
    values = {name: _value(entity, name) for name in ("agency_id", "created_by", *columns)}
    statement = insert(entity.table).values(values)
    return _compiled(statement.returning(*_shown(entity, tuple(entity.fields))))


@lru_cache(maxsize=_SHAPES_KEPT)
def changed(entity: Entity, columns: tuple[str, ...], *, versions: bool) -> Statement:
    """Set these columns of the record `id`, where it is at one of `versions`; `custom` is merged."""
    values = {name: _value(entity, name, merged=True) for name in columns}
    statement = update(entity.table).where(*_current(entity, versions=versions)).values(values)
    return _compiled(statement.returning(*_shown(entity, tuple(entity.fields))))


@lru_cache(maxsize=_SHAPES_KEPT)
def deleted(entity: Entity, *, versions: bool) -> Statement:
    """Mark the record `id` deleted, where it is at one of `versions`."""
    statement = update(entity.table).where(*_current(entity, versions=versions))
    marked = statement.values({"deleted_at": func.now()})
    return _compiled(marked.returning(entity.table.c["id"]))


@lru_cache(maxsize=_SHAPES_KEPT)
def restored(entity: Entity) -> Statement:
    """Take the mark off the record `id`."""
    gone = entity.table.c["deleted_at"].is_not(None)
    statement = update(entity.table).where(_is(entity), gone).values({"deleted_at": None})
    return _compiled(statement.returning(*_shown(entity, tuple(entity.fields))))


def related(found: Related) -> Statement:
    """Records that others refer to, by `ids`; those deleted since, too."""
    key = found.table.c[found.key]
    shown = [_column(found.table.c[field.name], field) for field in found.fields]
    if found.masked:
        shown.append(hidden_fields(found.kind).label(HIDDEN))
    ids = bindparam("ids", type_=ARRAY(types.Uuid()))
    return _compiled(select(*shown).where(key == func.any(ids)))


def _is(entity: Entity) -> ColumnElement[bool]:
    return entity.table.c["id"] == bindparam("id", type_=types.Uuid())


def _current(entity: Entity, *, versions: bool) -> list[ColumnElement[bool]]:
    found = [_is(entity)]
    if entity.deletes:
        found.append(entity.table.c["deleted_at"].is_(None))
    if versions:
        known = bindparam("versions", type_=ARRAY(types.BigInteger()))
        found.append(entity.table.c["version"] == func.any(known))
    return found


def _value(entity: Entity, name: str, *, merged: bool = False) -> ColumnElement[Any]:
    field = entity.fields.get(name)
    kind = field.kind if field else Kind.ID
    value: ColumnElement[Any] = bindparam(f"set_{name}", type_=SQL_TYPES[kind])
    if name != "custom":
        return value
    # A null takes a key away.
    stored = entity.table.c[name]
    return func.jsonb_strip_nulls(stored.op("||")(value) if merged else value)
