"""The kinds of values a field can hold, and what a list may ask of each."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BeforeValidator, Field, TypeAdapter
from pydantic_core import PydanticCustomError
from sqlalchemy import types
from sqlalchemy.dialects.postgresql import JSONB

from gardenos.web.text import Moment, NotBlank

MAX_LISTED: Final = 200
"""Values that one `in` may name."""
MAX_COMPARED_CHARS: Final = 500
"""Characters of a text that a filter compares with."""
_LARGEST: Final = 2**63 - 1
_LARGEST_DECIMAL: Final = Decimal(10) ** 14


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    CHOICE = "choice"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    ID = "id"
    JSON = "json"


class Slot(StrEnum):
    """Where `custom_values` keeps the values of a kind: the column `<slot>_value`."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"


class Op(StrEnum):
    """How a filter compares; `field=value` is `EQ`, the others are `field.<op>=value`."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    IS_NULL = "is_null"


ORDERINGS: Final = (Op.LT, Op.LTE, Op.GT, Op.GTE)
_SETS: Final = (Op.IN, Op.NOT_IN)
_SAME: Final = (Op.EQ, Op.NE)
OPERATORS: Final[Mapping[Kind, tuple[Op, ...]]] = {
    Kind.TEXT: (*_SAME, *_SETS, Op.CONTAINS, Op.STARTS_WITH, Op.IS_NULL),
    Kind.CHOICE: (*_SAME, *_SETS, Op.IS_NULL),
    Kind.INTEGER: (*_SAME, *ORDERINGS, *_SETS, Op.IS_NULL),
    Kind.NUMBER: (*_SAME, *ORDERINGS, Op.IS_NULL),
    Kind.DECIMAL: (*_SAME, *ORDERINGS, Op.IS_NULL),
    Kind.BOOLEAN: (Op.EQ, Op.IS_NULL),
    Kind.DATE: (*_SAME, *ORDERINGS, Op.IS_NULL),
    Kind.MOMENT: (*_SAME, *ORDERINGS, Op.IS_NULL),
    Kind.ID: (*_SAME, *_SETS, Op.IS_NULL),
    Kind.JSON: (),
}
SQL_TYPES: Final[Mapping[Kind, types.TypeEngine[Any]]] = {
    Kind.TEXT: types.Text(),
    Kind.CHOICE: types.Text(),
    Kind.INTEGER: types.BigInteger(),
    Kind.NUMBER: types.Double(),
    Kind.DECIMAL: types.Numeric(),
    Kind.BOOLEAN: types.Boolean(),
    Kind.DATE: types.Date(),
    Kind.MOMENT: types.DateTime(timezone=True),
    Kind.ID: types.Uuid(),
    Kind.JSON: JSONB(),
}
_INTEGER: Final = r"-?[0-9]{1,19}"
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _written_out(value: Any) -> Any:
    # Pydantic reads a number as days or seconds since 1970; a document says nothing of that.
    if isinstance(value, str) and not re.match(r"\d{4}-", value):
        raise PydanticCustomError("date", "is no date; write it as in 2026-11-30")
    return value


Day = Annotated[date, BeforeValidator(_written_out)]
"""A date written as in 2026-11-30."""


def value_type(  # noqa: PLR0911 one for each kind
    kind: Kind, *, ge: int | None, le: int | None, choices: type[StrEnum] | None
) -> Any:
    """The type of one value of a filter, as pydantic reads and documents it."""
    match kind:
        case Kind.TEXT | Kind.JSON:
            return Annotated[NotBlank, Field(max_length=MAX_COMPARED_CHARS)]
        case Kind.CHOICE:
            return choices or str
        case Kind.INTEGER:
            least, most = -_LARGEST if ge is None else ge, _LARGEST if le is None else le
            return Annotated[int, Field(ge=least, le=most)]
        case Kind.NUMBER:
            return Annotated[float, Field(allow_inf_nan=False)]
        case Kind.DECIMAL:
            return Annotated[
                Decimal, Field(ge=-_LARGEST_DECIMAL, le=_LARGEST_DECIMAL, decimal_places=4)
            ]
        case Kind.BOOLEAN:
            return bool
        case Kind.DATE:
            return Day
        case Kind.MOMENT:
            return Moment
        case Kind.ID:
            return UUID


def list_pattern(kind: Kind, choices: type[StrEnum] | None) -> str:
    """What the values of `in` look like, for the document; text may hold anything."""
    match kind:
        case Kind.CHOICE if choices is not None:
            one = "(?:" + "|".join(re.escape(choice.value) for choice in choices) + ")"
        case Kind.INTEGER:
            one = _INTEGER
        case Kind.ID:
            one = _UUID
        case _:
            return r"^[^\u0000]*[^\s\u0000,][^\u0000]*$"
    return f"^{one}(?:,{one}){{0,{MAX_LISTED - 1}}}$"


def split(text: str, kind: Kind) -> list[str]:
    """The values of an `in`, separated by commas; a text with a comma stands in double quotes.

    Raises `ValueError` where the quotes cannot be read.
    """
    if kind is not Kind.TEXT:
        return text.split(",")
    try:
        [values] = csv.reader([text], strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise ValueError(f"cannot be read as a list: {error}") from None
    return values


def frozen(kind: Kind, value: Any) -> Any:
    """A sort key as a cursor keeps it: as JSON."""
    if value is None:
        return None
    match kind:
        case Kind.MOMENT | Kind.DATE:
            return value.isoformat()
        case Kind.DECIMAL | Kind.ID:
            return str(value)
        case _:
            return value


_THAWED: Final[Mapping[Kind, TypeAdapter[Any]]] = {
    Kind.MOMENT: TypeAdapter(datetime),
    Kind.DATE: TypeAdapter(date),
    Kind.DECIMAL: TypeAdapter(Decimal),
    Kind.ID: TypeAdapter(UUID),
}


def thawed(kind: Kind, value: Any) -> Any:
    """A sort key as PostgreSQL takes it, from a cursor."""
    adapter = _THAWED.get(kind)
    return value if value is None or adapter is None else adapter.validate_python(value)
