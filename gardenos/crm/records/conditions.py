"""Conditions of lists: what a filter, a word of `q` and a cursor become in a statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    table,
    tuple_,
    types,
)
from sqlalchemy import (
    column as sql_column,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gardenos.crm.records import kept
from gardenos.crm.records.fields import Field
from gardenos.crm.records.kinds import ORDERINGS, SQL_TYPES, Kind, Op
from gardenos.crm.records.query import Sort

_TEXT: Final = types.Text()
_STORED: Final[Mapping[Kind, str]] = {
    Kind.INTEGER: "number",
    Kind.NUMBER: "number",
    Kind.DECIMAL: "number",
    Kind.BOOLEAN: "boolean",
}
"""What JSON calls values of a kind; the others are written as text."""
_INPUTS: Final[Mapping[Kind, str]] = {
    Kind.INTEGER: "bigint",
    Kind.NUMBER: "double precision",
    Kind.DECIMAL: "numeric",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.MOMENT: "timestamptz",
    Kind.ID: "uuid",
    Kind.JSON: "jsonb",
}
"""What PostgreSQL calls them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter without its value."""

    field: Field
    op: Op
    number: bool = False
    """For a custom value of unknown type: whether it is compared as a number."""
    negated: bool = False
    """For `is_null`: whether it must not be."""


def filtered(table: Table, condition: Condition, name: str) -> ColumnElement[bool]:
    """The condition, with its value as the parameter `name`."""
    field, op = condition.field, condition.op
    whole_text = op in (Op.CONTAINS, Op.STARTS_WITH) and not field.several
    if field.slot is None or whole_text:
        return _plain(table, condition, name)
    return kept.filtered(table, field, op, name, negated=condition.negated)


def _plain(table: Table, condition: Condition, name: str) -> ColumnElement[bool]:
    field, op = condition.field, condition.op
    if op is Op.IS_NULL:
        value = column(table, field)
        return value.is_not(None) if condition.negated else value.is_(None)
    if op in ORDERINGS:
        return _ordered(table, condition, name)
    found = table.c[field.match_column] if field.match_column else column(table, field)
    small = field.match_column is not None
    match op:
        case Op.EQ | Op.NE:
            value = _small(_bound(name, field.kind), small)
            return found == value if op is Op.EQ else found.is_distinct_from(value)
        case Op.IN | Op.NOT_IN:
            within = found == func.any(_listed(name, field.kind, small=small))
            return within if op is Op.IN else or_(not_(within), found.is_(None))
        case Op.CONTAINS:
            return func.strpos(func.lower(found), func.lower(_bound(name, Kind.TEXT))) > 0
        case _:
            start = func.starts_with(func.lower(found), func.lower(_bound(name, Kind.TEXT)))
            return start.is_(True)


def _ordered(table: Table, condition: Condition, name: str) -> ColumnElement[bool]:
    field = condition.field
    found, kind = column(table, field), field.kind
    if condition.number:
        # Only then is it cast: PostgreSQL would refuse the list over one value that is none.
        is_one = func.jsonb_typeof(_custom(table, field, "->")) == literal("number", _TEXT)
        found, kind = case((is_one, cast(found, types.Numeric()))), Kind.DECIMAL
    value = _bound(name, kind)
    match condition.op:
        case Op.LT:
            return found < value
        case Op.LTE:
            return found <= value
        case Op.GT:
            return found > value
        case _:
            return found >= value


def column(table: Table, field: Field) -> ColumnElement[Any]:
    """The field's value."""
    if field.key is None:
        return table.c[field.name]
    text = _custom(table, field, "->>")
    if field.kind in (Kind.TEXT, Kind.CHOICE):
        return text
    # What is stored may be older than the field's type: what is none counts as empty.
    return case((_fits(table, field, text), cast(text, SQL_TYPES[field.kind])))


def _fits(table: Table, field: Field, text: ColumnElement[Any]) -> ColumnElement[bool]:
    name = literal(_INPUTS[field.kind], _TEXT)
    valid: ColumnElement[bool] = func.pg_input_is_valid(text, name, type_=types.Boolean())
    stored = _STORED.get(field.kind)
    if stored is None:
        return valid
    return and_(func.jsonb_typeof(_custom(table, field, "->")) == literal(stored, _TEXT), valid)


def _custom(table: Table, field: Field, operator: str) -> ColumnElement[Any]:
    taken = table.c["custom"].op(operator, return_type=_TEXT if operator == "->>" else None)
    return taken(literal(field.key, _TEXT))


def sorted_column(table: Table, field: Field) -> ColumnElement[Any]:
    """What a list is sorted by for the field."""
    if field.slot is not None:
        return kept.sort_column(table, field)
    return table.c[field.sort_column] if field.sort_column else column(table, field)


def _bound(name: str, kind: Kind) -> ColumnElement[Any]:
    return bindparam(name, type_=SQL_TYPES[kind])


def _small(value: ColumnElement[Any], small: bool) -> ColumnElement[Any]:
    return func.lower(value) if small else value


def _listed(name: str, kind: Kind, *, small: bool) -> ColumnElement[Any]:
    values = bindparam(name, type_=ARRAY(SQL_TYPES[kind]))
    if not small:
        return values
    one = func.unnest(values).table_valued("value").render_derived()
    return func.array(select(func.lower(one.c.value)).scalar_subquery())


def tagged(records: Table, column: str) -> ColumnElement[bool]:
    """The records that carry the tag whose name is `tag`, in any capitals."""
    carried = table("taggings", sql_column("tag_id"), sql_column(column))
    tags = table("tags", sql_column("id"), sql_column("name_key"), sql_column("deleted_at"))
    name = func.lower(bindparam("tag", type_=_TEXT))
    found = (
        select(carried.c[column])
        .join(tags, tags.c["id"] == carried.c["tag_id"])
        # An index of those of this kind.
        .where(carried.c[column].is_not(None))
        .where(tags.c["name_key"] == name, tags.c["deleted_at"].is_(None))
    )
    return records.c["id"].in_(found)


def worded(
    table: Table, fields: Sequence[str], hidden: ColumnElement[Any], words: int
) -> list[ColumnElement[bool]]:
    """Every word occurs in one of the fields, of which those `hidden` from the role do not count."""
    # Cast, or PostgreSQL would take the query in ALL (...) for one with many rows.
    masks = cast(hidden, ARRAY(_TEXT))
    seen = [case((literal(name, _TEXT) != func.all(masks), table.c[name])) for name in fields]
    text = func.lower(func.concat_ws(literal(" ", _TEXT), *seen))
    return [func.strpos(text, func.lower(_bound(f"word_{n}", Kind.TEXT))) > 0 for n in range(words)]


def behind(table: Table, sort: Sequence[Sort], nulls: Sequence[bool]) -> ColumnElement[bool]:
    """The rows behind the one with the keys `after_<n>`, `after_id`; `nulls` says which are null.

    Nulls count as the highest, as PostgreSQL sorts them: last ascending, first descending.
    """
    keys = [sorted_column(table, one.field) for one in sort]
    values = [_after(f"after_{n}", key) for n, key in enumerate(keys)]
    keys.append(table.c["id"])
    values.append(_after("after_id", table.c["id"]))
    descending = [*(one.descending for one in sort), sort[-1].descending]
    if len(set(descending)) == 1 and not any(one.field.sorts_nulls for one in sort):
        # One comparison, which an index serves.
        ours, theirs = tuple_(*keys), tuple_(*values)
        return ours < theirs if descending[0] else ours > theirs
    found: ColumnElement[bool] = false()
    flags = [*((one.field.sorts_nulls, null) for one, null in zip(sort, nulls, strict=True))]
    flags.append((False, False))
    for key, value, falling, (nullable, null) in reversed(
        list(zip(keys, values, descending, flags, strict=True))
    ):
        equal = key.is_(None) if null else key == value
        further = _further(key, value, falling=falling, nullable=nullable, null=null)
        found = or_(further, and_(equal, found))
    return found


def _further(
    key: ColumnElement[Any],
    value: ColumnElement[Any],
    *,
    falling: bool,
    nullable: bool,
    null: bool,
) -> ColumnElement[bool]:
    if null:
        return key.is_not(None) if falling else false()
    if falling:
        return key < value
    return or_(key > value, key.is_(None)) if nullable else key > value


def _after(name: str, key: ColumnElement[Any]) -> ColumnElement[Any]:
    return bindparam(name, type_=key.type)
