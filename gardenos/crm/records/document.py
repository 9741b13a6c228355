"""The parameters of a list, as the OpenAPI document has them: every filter, with its type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gardenos.crm.records.entity import Entity
from gardenos.crm.records.fields import Field, adapter
from gardenos.crm.records.kinds import MAX_LISTED, Kind, Op, list_pattern
from gardenos.crm.records.query import (
    CURSOR,
    FLAG,
    LIMIT,
    MAX_SORTS,
    SEARCH,
    TAG,
    VIEW,
    parameter,
)

_FLAG: Final = FLAG.json_schema()
_SAYS: Final = {
    Op.EQ: "Exactly this {name}.",
    Op.NE: "Another {name}, or none.",
    Op.LT: "Less than this.",
    Op.LTE: "At most this.",
    Op.GT: "More than this.",
    Op.GTE: "At least this.",
    Op.IN: f"One of these, separated by commas; at most {MAX_LISTED}.",
    Op.NOT_IN: f"None of these, separated by commas; at most {MAX_LISTED}.",
    Op.CONTAINS: "With this text in it, in any capitals.",
    Op.STARTS_WITH: "Beginning with this text, in any capitals.",
    Op.IS_NULL: "`true`: empty; `false`: not empty.",
}


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {key: value for key, value in schema.items() if key != "title"},
        "description": description,
    }


def _names(names: Iterable[str], *, most: int | None = None, sign: str = "") -> dict[str, Any]:
    listed = list(names)
    one = f"{sign}(?:{'|'.join(map(re.escape, listed))})"
    times = len(listed) - 1 if most is None else most - 1
    return {"type": "string", "pattern": f"^{one}(?:,{one}){{0,{times}}}$"}


def shown_parameters(entity: Entity) -> list[dict[str, Any]]:
    """`fields` and `include`."""
    found = [
        _parameter(
            "fields",
            _names(entity.fields),
            "Only these fields, separated by commas; `id` always comes.",
        )
    ]
    if entity.includes:
        what = "Records it refers to, separated by commas; they come in `included`."
        found.append(_parameter("include", _names(entity.includes), what))
    return found


def list_parameters(entity: Entity) -> list[dict[str, Any]]:
    """Every parameter of the entity's list."""
    sortable = [field.name for field in entity.fields.values() if field.sortable]
    order = (
        f"The order: up to {MAX_SORTS} fields, separated by commas, `-` before one that falls; "
        f"`{entity.default_sort}` unless said. An empty value counts as the highest."
    )
    found = [
        _parameter("limit", LIMIT.json_schema() | {"default": 50}, "Records on a page."),
        _parameter("cursor", CURSOR.json_schema(), "`next_cursor` of the page before."),
        _parameter("total", _FLAG, "Count all that match; costs time."),
        _parameter("sort", _names(sortable, most=MAX_SORTS, sign="-?"), order),
        *shown_parameters(entity),
    ]
    if entity.search:
        where = ", ".join(name.replace("_", " ") for name in entity.search)
        what = f"Words that all occur, in any capitals: in {where}."
        found.append(_parameter("q", SEARCH.json_schema(), what))
    if entity.deletes:
        found.append(_parameter("include_deleted", _FLAG, "Deleted ones, too."))
    if entity.tagged_by:
        found.append(_parameter("tag", TAG.json_schema(), "With the tag of this name."))
    if entity.viewed:
        what = "A saved view: its filters, order and columns, where the request says no other."
        found.append(_parameter("view", VIEW.json_schema(), what))
    for field in entity.fields.values():
        found += _filters(field)
    return found


def _filters(field: Field) -> Iterator[dict[str, Any]]:
    for op in field.operators:
        says = _SAYS[op].format(name=field.name)
        if field.match_column and op in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN):
            says += " Capitals do not count."
        yield _parameter(parameter(field, op), _schema(field, op), says)


def _schema(field: Field, op: Op) -> dict[str, Any]:
    if op is Op.IS_NULL:
        return _FLAG
    if op not in (Op.IN, Op.NOT_IN):
        return adapter(field).json_schema()
    pattern = list_pattern(field.kind, field.choices)
    # Text in quotes may be longer than it looks.
    longest = {"maxLength": 500} if field.kind is Kind.TEXT else {}
    return {"type": "string", "pattern": pattern} | longest
