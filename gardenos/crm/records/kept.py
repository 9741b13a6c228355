"""Conditions and orders on defined custom fields: by `custom_values`, which indexes serve.

What those rows shorten or round is compared once more with the record itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    MetaData,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    types,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gardenos.crm.records.fields import Field
from gardenos.crm.records.kinds import SQL_TYPES, Kind, Op, Slot

_TEXT: Final = types.Text()
_KEPT_CHARS: Final = 320
_DEFINITIONS: Final = Table(
    "custom_fields",
    MetaData(),
    Column("id", types.Uuid()),
    *(Column(name, _TEXT) for name in ("entity", "key")),
    Column("deleted_at", types.DateTime(timezone=True)),
)
_VALUES: Final = Table(
    "custom_values",
    MetaData(),
    Column("field_id", types.Uuid()),
    Column("record_id", types.Uuid()),
    Column("ordinal", types.SmallInteger()),
    Column("slot", _TEXT),
    Column("text_value", _TEXT),
    Column("number_value", types.Double()),
    Column("date_value", types.Date()),
)


def _of(values: Any, noun: str, field: Field, slot: Slot) -> ColumnElement[bool]:
    """The rows of one field. The slot stands in the text: a partial index asks for it at planning."""
    definition = select(_DEFINITIONS.c["id"]).where(
        _DEFINITIONS.c["entity"] == literal(noun, _TEXT),
        _DEFINITIONS.c["key"] == literal(field.key, _TEXT),
        _DEFINITIONS.c["deleted_at"].is_(None),
    )
    return and_(
        values.c["field_id"] == definition.scalar_subquery(),
        values.c["slot"] == literal_column(f"'{slot.value}'"),
    )


@lru_cache(maxsize=1024)
def _alias(noun: str, key: str) -> FromClause:
    return _VALUES.alias(f"{noun}_by_{key}")


def sort_column(table: Table, field: Field) -> ColumnElement[Any]:
    """What a list is sorted by; `joined` brings it in."""
    assert field.key is not None and field.slot is not None  # noqa: S101, PT018 defined fields have both
    return _alias(table.name, field.key).c[f"{field.slot.value}_value"]


def joined(statement: Select[Any], table: Table, fields: list[Field]) -> Select[Any]:
    """The statement with the rows that its order is taken from: each record has one for each field."""
    source: Any = table
    for field in fields:
        if field.slot is not None and field.key is not None:
            values = _alias(table.name, field.key)
            of = _of(values, table.name, field, field.slot)
            source = source.join(
                values,
                and_(values.c["record_id"] == table.c["id"], of, values.c["ordinal"] == 0),
            )
    return statement.select_from(source)


def filtered(
    table: Table, field: Field, op: Op, name: str, *, negated: bool
) -> ColumnElement[bool]:
    """The condition, with its value as the parameter `name`."""
    assert field.slot is not None  # noqa: S101 the caller's case
    value = _VALUES.c[f"{field.slot.value}_value"]
    found = select(_VALUES.c["record_id"]).where(_of(_VALUES, table.name, field, field.slot))
    record = table.c["id"]
    if op is Op.IS_NULL:
        empty = value.is_not(None) if negated else value.is_(None)
        return record.in_(found.where(empty))
    matching = record.in_(found.where(_narrowed(value, field, op, name)))
    exact = _exact(table, field, op, name)
    if exact is not None:
        matching = and_(matching, exact)
    return ~matching if op in (Op.NE, Op.NOT_IN) else matching


def _narrowed(value: ColumnElement[Any], field: Field, op: Op, name: str) -> ColumnElement[bool]:
    match op:
        case Op.IN | Op.NOT_IN:
            one = func.unnest(bindparam(name, type_=ARRAY(SQL_TYPES[field.kind])))
            each = one.column_valued("one")
            return value.in_(select(_as_kept(each, field)))
        case Op.EQ | Op.NE:
            return value == _as_kept(_bound(name, field), field)
        case Op.CONTAINS:
            return func.strpos(func.lower(value), func.lower(_bound(name, field))) > 0
        case Op.STARTS_WITH:
            return func.starts_with(func.lower(value), func.lower(_bound(name, field))).is_(True)
        case _:
            # Rounding keeps an order, but may make two amounts one.
            than = _as_kept(_bound(name, field), field)
            inclusive = field.kind is Kind.DECIMAL
            return _compared(value, op, than, inclusive=inclusive)


def _compared(
    value: ColumnElement[Any], op: Op, than: ColumnElement[Any], *, inclusive: bool = False
) -> ColumnElement[bool]:
    match op:
        case Op.LT:
            return value <= than if inclusive else value < than
        case Op.LTE:
            return value <= than
        case Op.GT:
            return value >= than if inclusive else value > than
        case Op.GTE:
            return value >= than
        case _:
            return value == than


def _bound(name: str, field: Field) -> ColumnElement[Any]:
    return bindparam(name, type_=SQL_TYPES[field.kind])


def _as_kept(value: ColumnElement[Any], field: Field) -> ColumnElement[Any]:
    match field.kind:
        case Kind.DECIMAL:
            return cast(value, types.Double())
        case Kind.BOOLEAN:
            return case((value, literal_column("1.0::double precision")), else_=literal_column("0"))
        case Kind.ID:
            return cast(value, _TEXT)
        case Kind.TEXT:
            small = func.lower(value) if field.small else value
            return func.left(small, _KEPT_CHARS)
        case _:
            return value


def _exact(table: Table, field: Field, op: Op, name: str) -> ColumnElement[bool] | None:
    """The same of the record's own value, where the kept one may be shorter or rounded."""
    stored = table.c["custom"].op("->")(literal(field.key, _TEXT))
    if field.kind is Kind.DECIMAL:
        amount = cast(stored.op("->>")(literal("amount", _TEXT)), types.Numeric())
        is_money = func.jsonb_typeof(stored) == literal("object", _TEXT)
        return _compared(case((is_money, amount)), op, _bound(name, field)).is_(True)
    if field.kind is not Kind.TEXT or field.several or op in (Op.CONTAINS, Op.STARTS_WITH):
        return None
    text = table.c["custom"].op("->>", return_type=_TEXT)(literal(field.key, _TEXT))
    text = func.lower(text) if field.small else text
    if op in (Op.EQ, Op.NE):
        value = _bound(name, field)
        return (text == (func.lower(value) if field.small else value)).is_(True)
    one = func.unnest(bindparam(name, type_=ARRAY(_TEXT))).column_valued("one")
    return text.in_(select(func.lower(one) if field.small else one)).is_(True)
