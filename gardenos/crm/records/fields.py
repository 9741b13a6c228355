"""What a record's fields are to a list: read off the record's model, refined where it says more."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Union, get_args, get_origin
from uuid import UUID

from annotated_types import Ge, Le
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from gardenos.crm.records.kinds import OPERATORS, Kind, Op, Slot, value_type

MAX_SORTED_CHARS: Final = 320
"""Text that can be longer is not sorted by: a cursor carries the values of its last row."""
_KINDS: Final[Mapping[type, Kind]] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    Decimal: Kind.DECIMAL,
    datetime: Kind.MOMENT,
    date: Kind.DATE,
    UUID: Kind.ID,
    dict: Kind.JSON,
    list: Kind.JSON,
    str: Kind.TEXT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field as lists filter, sort and show it. Equal fields share their statements."""

    name: str
    """As in the URL and the JSON."""
    kind: Kind
    nullable: bool = True
    match_column: str | None = None
    """A column of the text in small letters, which is compared instead: capitals do not count."""
    sort_column: str | None = None
    """The column that lists are sorted by instead; not null unless the field is."""
    sort_nullable: bool | None = None
    """Whether `sort_column` may be null; None: as the field."""
    sortable: bool = True
    filterable: bool = True
    ge: int | None = None
    le: int | None = None
    choices: type[StrEnum] | None = None
    key: str | None = None
    """For a value of the agency's own: its key in `custom`."""
    typed: bool = True
    """False for a custom value of unknown type: compared as text, or as a number where it is one."""
    slot: Slot | None = None
    """For a custom field that is defined: where `custom_values` keeps it."""
    small: bool = False
    """For one of text: whether capitals do not count."""
    several: bool = False
    """Whether it holds several choices: a filter asks for one of them."""

    @property
    def operators(self) -> tuple[Op, ...]:
        """What a filter may do with it."""
        if not self.filterable:
            return ()
        found = OPERATORS[self.kind]
        return found if self.nullable else tuple(op for op in found if op is not Op.IS_NULL)

    @property
    def sorts_nulls(self) -> bool:
        """Whether an order by it has to place empty values."""
        return self.nullable if self.sort_nullable is None else self.sort_nullable

    @property
    def masks(self) -> tuple[str, ...]:
        """What a role has to be allowed to see for it."""
        return (self.name,) if self.key is None else ("custom", self.name)


@lru_cache(maxsize=4096)
def adapter(field: Field) -> TypeAdapter[Any]:
    """Reads one value to compare the field with; its JSON schema documents it."""
    kind = value_type(field.kind, ge=field.ge, le=field.le, choices=field.choices)
    return TypeAdapter(kind)


def _plain(annotation: Any) -> tuple[Any, bool]:
    """An annotation without its `None`, and whether it had one."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return kinds[0], len(kinds) < len(get_args(annotation))
    return annotation, False


def _field(name: str, info: FieldInfo, limit: int) -> Field:
    plain, nullable = _plain(info.annotation)
    plain = getattr(plain, "__supertype__", plain)
    plain = get_origin(plain) or plain
    bounds = {type(bound): bound for bound in info.metadata}
    ge, le = bounds.get(Ge), bounds.get(Le)
    if isinstance(plain, type) and issubclass(plain, StrEnum):
        return Field(name=name, kind=Kind.CHOICE, nullable=nullable, choices=plain)
    kind = _KINDS[plain]
    return Field(
        name=name,
        kind=kind,
        nullable=nullable,
        sortable=kind is not Kind.JSON and (kind is not Kind.TEXT or limit <= MAX_SORTED_CHARS),
        ge=ge.ge if isinstance(ge, Ge) and isinstance(ge.ge, int) else None,
        le=le.le if isinstance(le, Le) and isinstance(le.le, int) else None,
    )


def fields_of(
    model: type[BaseModel], limits: Mapping[str, int], **refined: Mapping[str, Any]
) -> Mapping[str, Field]:
    """The fields of a record's model; `limits` are the characters its texts hold.

    `refined` changes what the model cannot say, as in `email={"match_column": "email_key"}`.
    """
    found = {
        name: _field(name, info, limits.get(name, MAX_SORTED_CHARS))
        for name, info in model.model_fields.items()
    }
    return found | {name: replace(found[name], **more) for name, more in refined.items()}
